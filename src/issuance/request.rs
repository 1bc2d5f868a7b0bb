//! Certification requests: signed once, checked before they are given out.

use super::misbehaved;
use crate::provider::{KeyProvider, KeyRef, SignInput};
use strongroom_domain::error::{Error, Kind};
use strongroom_domain::key::{CertificateDer, SignatureAlgorithm};
use strongroom_formats::x509::RequestInfo;

/// A certification request (PKCS#10 in DER) for the subject and the alternative names of a
/// certificate, signed by `key`.
///
/// # Errors
/// `Internal` when the certificate cannot be read; what the provider answers;
/// `ProviderUnavailable` when its signature does not verify.
pub async fn request(
    certificate: &CertificateDer,
    algorithm: SignatureAlgorithm,
    provider: &dyn KeyProvider,
    key: &KeyRef,
) -> Result<Vec<u8>, Error> {
    let info = RequestInfo::like(certificate, &key.spki, algorithm).map_err(|failure| {
        Error::new(Kind::Internal, "no certification request can be made of the certificate").because(failure)
    })?;
    let signature = provider.sign(key, algorithm, SignInput::Message(info.bytes().to_vec())).await?;
    info.assemble(&signature).map_err(misbehaved)
}
