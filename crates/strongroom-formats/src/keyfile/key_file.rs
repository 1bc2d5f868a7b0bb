//! A container in either format, and a key as it was read from one.

use strongroom_domain::key::{CertificateDer, KeyAlgorithm, SpkiDer};
use strongroom_domain::secret::Secret;

/// How a container is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileFormat {
    Pkcs12,
    Pem,
}

/// A private key that was read, with the certificates that came along, leaf first as far as can be told.
#[derive(Debug)]
pub struct KeyFile {
    /// PKCS#8, unencrypted (RFC 5958).
    pub pkcs8: Secret,
    pub algorithm: KeyAlgorithm,
    pub spki: SpkiDer,
    pub certificates: Vec<CertificateDer>,
}
