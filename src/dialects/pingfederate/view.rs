//! How certificates and key pairs look to clients.

use serde::Serialize;
use utoipa::ToSchema;

use super::Services;
use super::rotation::{self, KeyPairRotationSettings};
use super::{SanFormat, Settings};
use crate::auth::Caller;
use crate::services::lifecycle::{holder_of, note_unreadable};
use crate::services::settings::TrustedCa;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{CertificateDer, KeyPair, RingId};
use strongroom_formats::x509::{AlternativeName, CertificateSummary, KeyFacts, sha1_fingerprint, sha256_fingerprint};

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
    #[serde(flatten)]
    certificate: CertView,
    /// When and how a self-signed signing key is succeeded; absent where nobody has said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rotation_settings: Option<KeyPairRotationSettings>,
}

/// What a certificate says.
///
/// A certificate that cannot be read has no `status`, and of the other members those that are known all the same.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CertView {
    /// Unique in its family.
    #[schema(example = "419x9yg43rlawqwq9v6az997k")]
    id: String,
    /// Serial number of the certificate: a decimal integer, of up to 49 digits by RFC 5280; others may be longer, zero or
    /// negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "28463092959443571178990831419139562736")]
    serial_number: Option<String>,
    /// Most specific part first.
    #[serde(rename = "subjectDN", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "CN=Example, OU=Engineering, O=Example Corp, L=Austin, ST=Texas, C=US")]
    subject_dn: Option<String>,
    /// In no promised order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = json!(["example.com", "192.0.2.1"]))]
    subject_alternative_names: Option<Vec<String>>,
    /// Equal to the subject of a self-signed certificate.
    #[serde(rename = "issuerDN", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "CN=Example, OU=Engineering, O=Example Corp, L=Austin, ST=Texas, C=US")]
    issuer_dn: Option<String>,
    /// UTC with milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    valid_from: Option<String>,
    /// UTC with milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2027-08-13T20:21:00.000Z")]
    expires: Option<String>,
    /// `RSA`, `RSASSA-PSS`, `EC` or `Ed25519`; the dotted object identifier of any other kind of key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "RSA")]
    key_algorithm: Option<String>,
    /// In bits; absent for kinds of keys that are not known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 2048)]
    key_size: Option<u32>,
    /// Of the certificate, by its JCA name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "SHA256withRSA")]
    signature_algorithm: Option<String>,
    /// X.509 version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    version: Option<u32>,
    /// SHA-1 over the certificate's DER, in upper-case hex.
    #[serde(rename = "sha1Fingerprint")]
    #[schema(example = "0A4D55A8D778E5022FAB701977C5D840BBC486D0")]
    sha1_fingerprint: String,
    /// SHA-256 over the certificate's DER, in upper-case hex.
    #[serde(rename = "sha256Fingerprint")]
    #[schema(example = "7F83B1657FF1FC53B92DC18148A1D65DFC2D4B1FA3D677284ADDD200126D9069")]
    sha256_fingerprint: String,
    /// Absent where the certificate cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    status: Option<Status>,
    /// Who holds the private key: `HSM` or `LOCAL`; absent unless hybrid mode is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "HSM")]
    crypto_provider: Option<&'static str>,
}

/// Where the present moment lies in the certificate's validity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = CertificateStatus)]
pub(super) enum Status {
    Valid,
    Expired,
    NotYetValid,
}

/// What views depend on besides what they show.
#[derive(Clone, Copy, Debug)]
pub(super) struct ViewContext {
    pub settings: Settings,
    pub now: Timestamp,
}

impl Services {
    /// How views look now.
    pub(super) fn view_context(&self) -> ViewContext {
        ViewContext { settings: self.settings, now: self.clock.now() }
    }
}

/// The view of a pair with what else belongs in it.
///
/// # Errors
/// Those of the catalog and of [`KeyPairView::read`].
pub(super) async fn whole(services: &Services, who: &Caller, pair: &KeyPair) -> Result<KeyPairView, Error> {
    let settings = match &pair.ring {
        Some(ring) => rotation::of(services, who, ring).await?,
        None => None,
    };
    Ok(KeyPairView::of(pair, &services.view_context())?.with_rotation(settings))
}

impl KeyPairView {
    /// The view of a pair.
    ///
    /// # Errors
    /// `Internal` when the pair lacks what every pair of this dialect has.
    pub(super) fn of(pair: &KeyPair, look: &ViewContext) -> Result<Self, Error> {
        let internal = |why: String| Error::new(ErrorKind::Internal, "internal error").with_source(why);
        let leaf = pair.leaf().ok_or_else(|| internal(format!("key pair {} has no certificate", pair.id)))?;
        let id = pair.ring.as_ref().map(RingId::name).unwrap_or_default();
        Ok(match CertificateSummary::of(leaf) {
            Ok(summary) => Self::from_summary(id, pair, summary, look),
            Err(why) => {
                note_unreadable(holder_of(pair), &why);
                Self::around(pair, CertView::from_remains(id, Some(key_of(pair)), leaf, look), look)
            }
        })
    }

    pub(super) fn from_summary(id: &str, pair: &KeyPair, summary: CertificateSummary, look: &ViewContext) -> Self {
        Self::around(pair, CertView::from_summary(id, Some(key_of(pair)), summary, look), look)
    }

    fn around(pair: &KeyPair, mut certificate: CertView, look: &ViewContext) -> Self {
        certificate.crypto_provider = look.settings.hybrid.then(|| pair.provider.name());
        Self { certificate, rotation_settings: None }
    }

    /// The same with rotation settings, which only a self-signed certificate can have.
    pub(super) fn with_rotation(mut self, settings: Option<KeyPairRotationSettings>) -> Self {
        let CertView { subject_dn, issuer_dn, .. } = &self.certificate;
        let self_signed = subject_dn.is_some() && subject_dn == issuer_dn;
        self.rotation_settings = settings.filter(|_| self_signed);
        self
    }
}

/// The key of a pair, by its row.
fn key_of(pair: &KeyPair) -> KeyFacts {
    KeyFacts { algorithm: pair.algorithm.jca_name().to_owned(), bits: Some(pair.algorithm.bits()) }
}

impl CertView {
    /// The view of a trusted certificate authority.
    pub(super) fn of(ca: &TrustedCa, look: &ViewContext) -> Self {
        let key = KeyFacts::of(&ca.certificate);
        let read = key.and_then(|key| Ok((key, CertificateSummary::of(&ca.certificate)?)));
        match read {
            Ok((key, summary)) => Self::from_summary(&ca.id, Some(key), summary, look),
            Err(why) => {
                note_unreadable(format!("trusted CA {}", ca.id), &why);
                Self::from_remains(&ca.id, KeyFacts::of(&ca.certificate).ok(), &ca.certificate, look)
            }
        }
    }

    fn from_summary(id: &str, key: Option<KeyFacts>, summary: CertificateSummary, look: &ViewContext) -> Self {
        let write = match look.settings.san_format {
            SanFormat::Bare => AlternativeName::bare,
            SanFormat::Typed => AlternativeName::typed,
        };
        let (algorithm, bits) = key.map_or((None, None), |key| (Some(key.algorithm), key.bits));
        Self {
            id: id.to_owned(),
            subject_alternative_names: Some(summary.alternative_names.iter().map(write).collect()),
            valid_from: Some(summary.not_before.to_string()),
            expires: Some(summary.not_after.to_string()),
            status: Some(Status::of(&summary, look.now)),
            serial_number: Some(summary.serial_number),
            subject_dn: Some(summary.subject),
            issuer_dn: Some(summary.issuer),
            key_algorithm: algorithm,
            key_size: bits,
            signature_algorithm: Some(summary.signature_algorithm),
            version: Some(summary.version),
            sha1_fingerprint: summary.sha1_fingerprint,
            sha256_fingerprint: summary.sha256_fingerprint,
            crypto_provider: None,
        }
    }

    /// What is known of a certificate that cannot be read; the absence of `status` is the mark of it.
    fn from_remains(id: &str, key: Option<KeyFacts>, certificate: &CertificateDer, look: &ViewContext) -> Self {
        if let Ok(remains) = CertificateSummary::remains(certificate) {
            let view = Self::from_summary(id, key, remains, look);
            return Self { subject_alternative_names: None, status: None, ..view };
        }
        let (algorithm, bits) = key.map_or((None, None), |key| (Some(key.algorithm), key.bits));
        Self {
            id: id.to_owned(),
            key_algorithm: algorithm,
            key_size: bits,
            sha1_fingerprint: sha1_fingerprint(certificate),
            sha256_fingerprint: sha256_fingerprint(certificate),
            ..Self::default()
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
