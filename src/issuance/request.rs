//! Certification requests: prepared, signed once by whoever has the key sign, checked before they are given out.

use super::misbehaved;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{CertificateDer, Signature, SignatureAlgorithm, SpkiDer};
use strongroom_formats::x509::RequestInfo;

/// A certification request that only lacks its signature.
#[derive(Debug)]
pub struct PreparedRequest(RequestInfo);

/// Prepares a certification request (PKCS#10, RFC 2986) for the subject and the alternative names of a certificate
/// and for the public key `spki`, to be signed by `algorithm`.
///
/// # Errors
/// `Internal` when the certificate cannot be read.
pub fn prepare_request(
    certificate: &CertificateDer,
    spki: &SpkiDer,
    algorithm: SignatureAlgorithm,
) -> Result<PreparedRequest, Error> {
    RequestInfo::for_certificate(certificate, spki, algorithm).map(PreparedRequest).map_err(|failure| {
        Error::new(ErrorKind::Internal, "no certification request can be made of the certificate").with_source(failure)
    })
}

impl PreparedRequest {
    /// The message to be signed: the `CertificationRequestInfo` (RFC 2986 section 4.1).
    #[must_use]
    pub fn message(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The request in DER with its signature.
    ///
    /// # Errors
    /// `ProviderUnavailable` when the signature does not verify: the provider signed wrongly.
    pub fn signed(self, signature: &Signature) -> Result<Vec<u8>, Error> {
        self.0.assemble(signature).map_err(misbehaved)
    }
}
