//! How a key pair looks to clients.

use serde::Serialize;
use utoipa::ToSchema;

use super::algorithms::family_name;
use super::{SanFormat, Settings};
use crate::clock::Timestamp;
use crate::error::{Error, Kind};
use crate::key::{KeyPair, RingId};
use crate::x509::{AlternativeName, CertificateSummary};

/// A list of key pairs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyPairViews {
    /// By creation time, then id.
    pub items: Vec<KeyPairView>,
}

/// A key pair and what its certificate says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyPairView {
    /// Unique among signing key pairs.
    #[schema(example = "419x9yg43rlawqwq9v6az997k")]
    id: String,
    /// Serial number of the certificate: a decimal integer of up to 49 digits.
    #[schema(example = "28463092959443571178990831419139562736")]
    serial_number: String,
    /// Most specific part first.
    #[serde(rename = "subjectDN")]
    #[schema(example = "CN=Example, OU=Engineering, O=Example Corp, L=Austin, ST=Texas, C=US")]
    subject_dn: String,
    /// In no promised order.
    #[schema(example = json!(["example.com", "192.0.2.1"]))]
    subject_alternative_names: Vec<String>,
    /// Equal to the subject of a self-signed certificate.
    #[serde(rename = "issuerDN")]
    #[schema(example = "CN=Example, OU=Engineering, O=Example Corp, L=Austin, ST=Texas, C=US")]
    issuer_dn: String,
    /// UTC with milliseconds.
    #[schema(format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    valid_from: String,
    /// UTC with milliseconds.
    #[schema(format = DateTime, example = "2027-08-13T20:21:00.000Z")]
    expires: String,
    /// `RSA`, `EC` or `Ed25519`.
    #[schema(example = "RSA")]
    key_algorithm: &'static str,
    /// In bits.
    #[schema(example = 2048)]
    key_size: u32,
    /// Of the certificate, by its JCA name.
    #[schema(example = "SHA256withRSA")]
    signature_algorithm: String,
    /// X.509 version.
    #[schema(example = 3)]
    version: u32,
    /// SHA-1 over the certificate's DER, in upper-case hex.
    #[serde(rename = "sha1Fingerprint")]
    #[schema(example = "0A4D55A8D778E5022FAB701977C5D840BBC486D0")]
    sha1_fingerprint: String,
    /// SHA-256 over the certificate's DER, in upper-case hex.
    #[serde(rename = "sha256Fingerprint")]
    #[schema(example = "7F83B1657FF1FC53B92DC18148A1D65DFC2D4B1FA3D677284ADDD200126D9069")]
    sha256_fingerprint: String,
    status: Status,
    /// Who holds the private key: `HSM` or `LOCAL`; absent unless hybrid mode is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "HSM")]
    crypto_provider: Option<&'static str>,
}

/// Where the present moment lies in the certificate's validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = KeyPairStatus)]
pub(super) enum Status {
    Valid,
    Expired,
    NotYetValid,
}

impl KeyPairView {
    /// The view of a pair at `now`.
    ///
    /// # Errors
    /// `Internal` when the pair lacks what every pair of this dialect has.
    pub(super) fn of(pair: &KeyPair, settings: Settings, now: Timestamp) -> Result<Self, Error> {
        let internal = |why: String| Error::new(Kind::Internal, "internal error").because(why);
        let leaf = pair.leaf().ok_or_else(|| internal(format!("key pair {} has no certificate", pair.id)))?;
        let summary = CertificateSummary::of(leaf).map_err(|why| internal(format!("key pair {}: {why}", pair.id)))?;
        let id = pair.ring.as_ref().map(RingId::name).unwrap_or_default();
        Ok(Self::from_summary(id, pair, summary, settings, now))
    }

    pub(super) fn from_summary(
        id: &str,
        pair: &KeyPair,
        summary: CertificateSummary,
        settings: Settings,
        now: Timestamp,
    ) -> Self {
        let write = match settings.san_format {
            SanFormat::Bare => AlternativeName::bare,
            SanFormat::Typed => AlternativeName::typed,
        };
        Self {
            id: id.to_owned(),
            subject_alternative_names: summary.alternative_names.iter().map(write).collect(),
            valid_from: summary.not_before.to_string(),
            expires: summary.not_after.to_string(),
            status: Status::of(&summary, now),
            serial_number: summary.serial_number,
            subject_dn: summary.subject,
            issuer_dn: summary.issuer,
            key_algorithm: family_name(pair.algorithm.family()),
            key_size: pair.algorithm.bits(),
            signature_algorithm: summary.signature_algorithm,
            version: summary.version,
            sha1_fingerprint: summary.sha1_fingerprint,
            sha256_fingerprint: summary.sha256_fingerprint,
            crypto_provider: settings.hybrid.then(|| pair.provider.name()),
        }
    }
}

impl Status {
    /// Both ends of the validity belong to it (RFC 5280 section 4.1.2.5).
    fn of(certificate: &CertificateSummary, now: Timestamp) -> Self {
        if now < certificate.not_before {
            Self::NotYetValid
        } else if now > certificate.not_after {
            Self::Expired
        } else {
            Self::Valid
        }
    }
}
