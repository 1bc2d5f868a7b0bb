//! How a connection's key is shown.

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::JSON;
use crate::services::lifecycle::{holder_of, note_unreadable};
use strongroom_domain::key::{CertificateDer, KeyPair, KeyState, KeyUse};
use strongroom_formats::jose;
use strongroom_formats::x509::{certificates_only, encode_pem, one_line_subject, sha1_fingerprint, to_pem};

/// A key of a connection.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConnectionKey {
    /// The RFC 7638 thumbprint of the public key: SHA-256 in base64url.
    #[schema(example = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")]
    kid: String,
    /// How the key signs; absent where JOSE has no name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "RS256")]
    algorithm: Option<&'static str>,
    #[schema(example = "signing")]
    key_use: &'static str,
    /// The subject of the certificate: `/CN=` and the name of the connection; absent where the certificate
    /// cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/CN=acme")]
    subject_dn: Option<String>,
    /// X.509 as PEM with CRLF (RFC 7468); empty, as are the next two, where the key has no certificate.
    cert: String,
    /// SHA-1 of the DER certificate in upper-case hex, a colon between bytes.
    fingerprint: String,
    /// The same without colons.
    thumbprint: String,
    /// The certificate as PKCS#7 in PEM with CRLF; absent where the certificate cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pkcs: Option<String>,
    /// True for the key that signs; else absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    current: bool,
    /// When it became that: UTC with milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "2026-01-28T03:55:29.314Z")]
    current_since: Option<String>,
    /// True for the key that signs after the next rotation; else absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    next: bool,
    /// True for the key that signed before the last rotation; else absent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    previous: bool,
}

impl ConnectionKey {
    /// The view of a key; what its certificate should say and does not is absent.
    pub(super) fn of(pair: &KeyPair) -> Self {
        let certificate = pair.leaf();
        let subject = certificate.and_then(|certificate| {
            one_line_subject(certificate).inspect_err(|why| note_unreadable(holder_of(pair), why)).ok()
        });
        let thumbprint = certificate.map(sha1_fingerprint).unwrap_or_default();
        let active = pair.state == KeyState::Active;
        Self {
            kid: pair.kid.as_ref().map(ToString::to_string).unwrap_or_default(),
            algorithm: jose::algorithm_name(pair.algorithm, pair.signature_algorithm),
            key_use: match pair.key_use {
                KeyUse::Sign => "signing",
                KeyUse::Decrypt => "encryption",
            },
            cert: certificate.map(|certificate| with_crlf(&to_pem(certificate))).unwrap_or_default(),
            fingerprint: colons(&thumbprint),
            thumbprint,
            pkcs: certificate.filter(|_| subject.is_some()).and_then(pkcs7),
            subject_dn: subject,
            current: active,
            current_since: pair.activated_at.filter(|_| active).map(|at| at.to_string()),
            next: pair.state == KeyState::PreActive,
            previous: pair.state == KeyState::Deactivated,
        }
    }

    /// The keys of a ring that are shown: current, previous, next, suspended; of the Deactivated ones the latest.
    pub(super) fn all(ring: &[KeyPair]) -> Vec<Self> {
        let in_state = |state| ring.iter().filter(move |pair| pair.state == state);
        let previous = in_state(KeyState::Deactivated).max_by_key(|pair| (pair.deactivated_at, pair.generation));
        let (current, next) = (in_state(KeyState::Active), in_state(KeyState::PreActive));
        current.chain(previous).chain(next).chain(in_state(KeyState::Suspended)).map(Self::of).collect()
    }
}

/// A value as this product answers it.
pub(super) struct Reply<T>(pub StatusCode, pub T);

impl<T: Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        (self.0, [(CONTENT_TYPE, JSON)], Json(self.1)).into_response()
    }
}

fn pkcs7(certificate: &CertificateDer) -> Option<String> {
    let der = certificates_only(certificate).ok()?;
    Some(with_crlf(&encode_pem("PKCS7", &der)))
}

fn with_crlf(pem: &str) -> String {
    pem.replace('\n', "\r\n")
}

fn colons(hex: &str) -> String {
    hex.chars().enumerate().fold(String::with_capacity(hex.len() * 3 / 2), |mut text, (index, digit)| {
        if index > 0 && index.is_multiple_of(2) {
            text.push(':');
        }
        text.push(digit);
        text
    })
}
