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
    /// The certificate that the file says to be the key's, by `localKeyID`, where it has several for the key.
    pub leaf: Option<CertificateDer>,
    /// The name that people gave the key, as a hint to what it is for (`friendlyName`).
    pub friendly_name: Option<String>,
}
