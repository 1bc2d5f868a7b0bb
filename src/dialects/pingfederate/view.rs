//! How certificates and key pairs look to clients.

use serde::Serialize;
use utoipa::ToSchema;

use super::Services;
use super::algorithms::family_name;
use super::rotation::{self, KeyPairRotationSettings};
use super::{SanFormat, Settings};
use crate::auth::Principal;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, Kind};
use strongroom_domain::key::{CertificateDer, KeyPair, RingId};
use strongroom_formats::x509::{AlternativeName, CertificateSummary, KeyFacts};

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
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct CertView {
    /// Unique in its family.
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
    /// `RSA`, `EC` or `Ed25519`; the dotted object identifier of any other kind of key.
    #[schema(example = "RSA")]
    key_algorithm: String,
    /// In bits; absent for kinds of keys that are not known here.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 2048)]
    key_size: Option<u32>,
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
pub(super) struct Look {
    pub settings: Settings,
    pub now: Timestamp,
}

impl Services {
    /// How views look now.
    pub(super) fn look(&self) -> Look {
        Look { settings: self.settings, now: self.clock.now() }
    }
}

/// The view of a pair with what else belongs in it.
///
/// # Errors
/// Those of the catalog and of [`KeyPairView::of`].
pub(super) async fn whole(services: &Services, who: &Principal, pair: &KeyPair) -> Result<KeyPairView, Error> {
    let settings = match &pair.ring {
        Some(ring) => rotation::of(services, who, ring).await?,
        None => None,
    };
    Ok(KeyPairView::of(pair, &services.look())?.with_rotation(settings))
}

impl KeyPairView {
    /// The view of a pair.
    ///
    /// # Errors
    /// `Internal` when the pair lacks what every pair of this dialect has.
    pub(super) fn of(pair: &KeyPair, look: &Look) -> Result<Self, Error> {
        let internal = |why: String| Error::new(Kind::Internal, "internal error").because(why);
        let leaf = pair.leaf().ok_or_else(|| internal(format!("key pair {} has no certificate", pair.id)))?;
        let summary = CertificateSummary::of(leaf).map_err(|why| internal(format!("key pair {}: {why}", pair.id)))?;
        let id = pair.ring.as_ref().map(RingId::name).unwrap_or_default();
        Ok(Self::from_summary(id, pair, summary, look))
    }

    pub(super) fn from_summary(id: &str, pair: &KeyPair, summary: CertificateSummary, look: &Look) -> Self {
        let key = (family_name(pair.algorithm.family()).to_owned(), Some(pair.algorithm.bits()));
        let mut certificate = CertView::from_summary(id, key, summary, look);
        certificate.crypto_provider = look.settings.hybrid.then(|| pair.provider.name());
        Self { certificate, rotation_settings: None }
    }

    /// The same with rotation settings, which only a self-signed certificate can have.
    pub(super) fn with_rotation(mut self, settings: Option<KeyPairRotationSettings>) -> Self {
        let self_signed = self.certificate.subject_dn == self.certificate.issuer_dn;
        self.rotation_settings = settings.filter(|_| self_signed);
        self
    }
}

impl CertView {
    /// The view of a certificate that belongs to no key of ours.
    ///
    /// # Errors
    /// A sentence on why it cannot be shown.
    pub(super) fn of(id: &str, certificate: &CertificateDer, look: &Look) -> Result<Self, String> {
        let summary = CertificateSummary::of(certificate).map_err(|why| why.to_string())?;
        let KeyFacts { algorithm, bits } = KeyFacts::of(certificate).map_err(|why| why.to_string())?;
        Ok(Self::from_summary(id, (algorithm, bits), summary, look))
    }

    fn from_summary(id: &str, key: (String, Option<u32>), summary: CertificateSummary, look: &Look) -> Self {
        let write = match look.settings.san_format {
            SanFormat::Bare => AlternativeName::bare,
            SanFormat::Typed => AlternativeName::typed,
        };
        Self {
            id: id.to_owned(),
            subject_alternative_names: summary.alternative_names.iter().map(write).collect(),
            valid_from: summary.not_before.to_string(),
            expires: summary.not_after.to_string(),
            status: Status::of(&summary, look.now),
            serial_number: summary.serial_number,
            subject_dn: summary.subject,
            issuer_dn: summary.issuer,
            key_algorithm: key.0,
            key_size: key.1,
            signature_algorithm: summary.signature_algorithm,
            version: summary.version,
            sha1_fingerprint: summary.sha1_fingerprint,
            sha256_fingerprint: summary.sha256_fingerprint,
            crypto_provider: None,
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
