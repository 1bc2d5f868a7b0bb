//! The last look at a certificate before it leaves the house.

use der::{Decode, Encode};
use spki::SubjectPublicKeyInfoRef;

use super::algorithm::identifier;
use super::parsed::ParsedCertificate;
use super::tbs::SelfSigned;
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
    let read = ParsedCertificate::of(certificate).map_err(|why| CertificateFlaw(why.0))?;
    let (subject, alternative_names) =
        meant.names.encode(meant.profile).map_err(|failure| CertificateFlaw(failure.0))?;
    let algorithm = identifier(meant.signature_algorithm)?;
    let spki = SubjectPublicKeyInfoRef::from_der(meant.spki.as_bytes())?;
    let extensions = meant.profile.extensions(spki, alternative_names)?;
    let extensions = extensions.iter().map(Encode::to_der).collect::<der::Result<Vec<_>>>()?;
    let fields = [
        ("version", read.version == 3),
        ("serial number", read.serial == meant.serial.as_bytes()),
        ("signature algorithm", read.signature_algorithm == algorithm),
        ("signature algorithm, the inner one", read.inner_algorithm == algorithm.to_der()?),
        ("subject", read.subject.der == subject),
        ("issuer", read.issuer.der == subject),
        ("notBefore", read.not_before == meant.not_before),
        ("notAfter", read.not_after == meant.not_after),
        ("public key", read.spki == meant.spki.as_bytes()),
        ("unique identifiers", !read.has_unique_identifiers),
        ("extensions", read.extensions.iter().map(|extension| extension.der).eq(extensions.iter())),
    ];
    if let Some((field, _)) = fields.iter().find(|(_, as_meant)| !as_meant) {
        return Err(CertificateFlaw((*field).to_owned()));
    }
    verify_encoded(&meant.spki, meant.signature_algorithm, read.tbs, read.signature)
        .map_err(|failure| CertificateFlaw(failure.to_string()))
}

impl From<der::Error> for CertificateFlaw {
    fn from(failure: der::Error) -> Self {
        Self(failure.to_string())
    }
}
