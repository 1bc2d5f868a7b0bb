//! Certificates as people send them: X.509 or PKCS#7, PEM with or without armour, base64.

use crate::key::{CertificateDer, SpkiDer};

/// Why a bundle is no chain for a key; what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoChain(pub String);

/// Every certificate of a bundle, in the order in which they stand there.
///
/// # Errors
/// When it is none of the accepted forms, or has no certificate.
pub fn certificates(_data: &[u8]) -> Result<Vec<CertificateDer>, NoChain> {
    Err(NoChain("not yet".to_owned()))
}

/// The certificate whose key is `spki`, then its issuers in order (by name and signature).
///
/// # Errors
/// When no certificate has the key, or one does not chain to the others.
pub fn chain_for(_certificates: Vec<CertificateDer>, _spki: &SpkiDer) -> Result<Vec<CertificateDer>, NoChain> {
    Err(NoChain("not yet".to_owned()))
}

/// Whether `issuer` issued `certificate`: names and signature.
#[must_use]
pub fn is_issued_by(_certificate: &CertificateDer, _issuer: &CertificateDer) -> bool {
    false
}

/// The public key of a certificate.
///
/// # Errors
/// When it is not a key of a known form.
pub fn public_key(_certificate: &CertificateDer) -> Result<SpkiDer, NoChain> {
    Err(NoChain("not yet".to_owned()))
}
