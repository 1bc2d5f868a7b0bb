//! Whether one certificate was issued by another: by names, key identifiers and, where it can be verified, signature.

use super::foreign_key::usual_form;
use super::foreign_signature::{ForeignSignature, verify_foreign};
use super::parsed::ParsedCertificate;
use strongroom_domain::key::CertificateDer;

/// How a certificate stands to one that may have issued it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Issuance {
    Verified,
    /// Names and key identifiers agree, and the signature is of a kind that nothing here verifies: which, in words.
    Unverified(String),
    /// The names agree, and the key is another.
    Refuted,
    /// The names differ.
    Strangers,
}

impl Issuance {
    /// Whether nothing is known against it.
    pub(super) const fn is_possible(&self) -> bool {
        matches!(self, Self::Verified | Self::Unverified(_))
    }
}

/// Whether `issuer` issued `certificate`: names, and the signature where it can be verified, else key identifiers.
///
/// Names are compared by RFC 5280 section 7.1.
#[must_use]
pub fn is_issued_by(certificate: &CertificateDer, issuer: &CertificateDer) -> bool {
    issuance_of(certificate, issuer).is_possible()
}

pub(super) fn issuance_of(certificate: &CertificateDer, issuer: &CertificateDer) -> Issuance {
    match (ParsedCertificate::of(certificate), ParsedCertificate::of(issuer)) {
        (Ok(certificate), Ok(issuer)) if certificate.issuer.comparable() == issuer.subject.comparable() => {
            issuance_of_namesakes(&certificate, &issuer)
        }
        _ => Issuance::Strangers,
    }
}

/// The same of a certificate that names its issuer by the name of this one.
pub(super) fn issuance_of_namesakes(certificate: &ParsedCertificate<'_>, issuer: &ParsedCertificate<'_>) -> Issuance {
    let Some(key) = usual_form(issuer.spki) else {
        return by_identifiers(certificate, issuer, "a public key that is not known here".to_owned());
    };
    let algorithm = &certificate.signature_algorithm;
    match verify_foreign(key.as_bytes(), algorithm, certificate.tbs, certificate.signature) {
        ForeignSignature::Verified => Issuance::Verified,
        ForeignSignature::Refuted => Issuance::Refuted,
        ForeignSignature::Unverifiable(what) => by_identifiers(certificate, issuer, what),
    }
}

/// Key identifiers that both are there must be the same (RFC 5280 section 4.2.1.1).
fn by_identifiers(certificate: &ParsedCertificate<'_>, issuer: &ParsedCertificate<'_>, what: String) -> Issuance {
    match (certificate.authority_key_id(), issuer.subject_key_id()) {
        (Some(wanted), Some(found)) if wanted != found => Issuance::Refuted,
        _ => Issuance::Unverified(what),
    }
}
