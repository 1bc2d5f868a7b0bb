//! The last look at a certificate before it leaves the house.

use der::{Decode, Encode};
use spki::SubjectPublicKeyInfoRef;
use x509_cert::Certificate;
use x509_cert::certificate::Version;

use super::algorithm::identifier;
use super::summary::timestamp;
use super::tbs::{SelfSigned, SignedParts};
use super::verify_encoded;
use strongroom_domain::key::CertificateDer;

/// Difference between a certificate and its specification.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate is flawed: {0}")]
pub struct CertificateFlaw(pub String);

/// Parses a finished certificate and holds it against what was meant to be made: every
/// field, the extensions of the profile and no others, and the signature.
///
/// # Errors
/// The first difference.
pub fn check(certificate: &CertificateDer, meant: &SelfSigned) -> Result<(), CertificateFlaw> {
    let parsed = Certificate::from_der(certificate.as_bytes())?;
    let tbs = parsed.tbs_certificate();
    let (subject, alternative_names) =
        meant.names.encode(meant.profile).map_err(|failure| CertificateFlaw(failure.0))?;
    let algorithm = identifier(meant.signature_algorithm)?;
    let spki = SubjectPublicKeyInfoRef::from_der(meant.spki.as_bytes())?;
    let extensions = meant.profile.extensions(spki, alternative_names)?;
    let fields = [
        ("version", tbs.version() == Version::V3),
        ("serial number", tbs.serial_number().as_bytes() == meant.serial.as_bytes()),
        ("signature algorithm", *parsed.signature_algorithm() == algorithm),
        ("signature algorithm, the inner one", *tbs.signature() == algorithm),
        ("subject", *tbs.subject() == subject),
        ("issuer", *tbs.issuer() == subject),
        ("notBefore", timestamp(tbs.validity().not_before) == meant.not_before),
        ("notAfter", timestamp(tbs.validity().not_after) == meant.not_after),
        ("public key", tbs.subject_public_key_info().to_der()? == meant.spki.as_bytes()),
        ("unique identifiers", tbs.issuer_unique_id().is_none() && tbs.subject_unique_id().is_none()),
        ("extensions", tbs.extensions() == Some(&extensions)),
    ];
    if let Some((field, _)) = fields.iter().find(|(_, as_meant)| !as_meant) {
        return Err(CertificateFlaw((*field).to_owned()));
    }
    let signed = SignedParts::from_der(certificate.as_bytes())?;
    let signature = signed.signature.as_bytes().ok_or_else(|| CertificateFlaw("signature".to_owned()))?;
    verify_encoded(&meant.spki, meant.signature_algorithm, &signed.tbs.to_der()?, signature)
        .map_err(|failure| CertificateFlaw(failure.to_string()))
}

impl From<der::Error> for CertificateFlaw {
    fn from(failure: der::Error) -> Self {
        Self(failure.to_string())
    }
}
