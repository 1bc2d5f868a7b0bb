//! Private keys in containers: PKCS#12, PKCS#8, PKCS#1 and SEC1, in and out.
//!
//! Owns the reading of what people have and the writing of what they ask for. Does not
//! own what a key is for or where it goes. No I/O.
//!
//! Invariants: what is parsed here may be hostile: sizes, iterations and nesting are
//! bounded; private bytes live in [`Secret`] and are wiped; a wrong password is told apart
//! from a container that is broken.

use crate::key::{CertificateDer, KeyAlgorithm, SpkiDer};
use crate::secret::Secret;

/// How a container is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
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

/// Why a container gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    #[error("the password is wrong")]
    WrongPassword,
    /// What is wrong, and what would be accepted.
    #[error("{0}")]
    Malformed(String),
    /// A key that is none of [`KeyAlgorithm`]; what would be accepted.
    #[error("{0}")]
    UnsupportedKey(String),
    /// More iterations, bytes or certificates than are reasonable.
    #[error("{0}")]
    Excessive(String),
}

/// Reads a container: `data` is DER, PEM, or base64 of either; its format is found out
/// where none is given.
///
/// # Errors
/// See [`KeyFileError`].
pub fn read(_data: &[u8], _format: Option<Format>, _password: &Secret) -> Result<KeyFile, KeyFileError> {
    Err(KeyFileError::Malformed("not yet".to_owned()))
}

/// Writes a key and its certificates as PKCS#12 (RFC 7292) that openssl and Java's keytool read.
///
/// # Errors
/// `Malformed` when the key cannot be written.
pub fn to_pkcs12(
    _pkcs8: &Secret,
    _certificates: &[CertificateDer],
    _password: &Secret,
) -> Result<Vec<u8>, KeyFileError> {
    Err(KeyFileError::Malformed("not yet".to_owned()))
}

/// Writes a key under PBES2 with AES (RFC 8018) and its certificates as PEM, the key first.
///
/// # Errors
/// `Malformed` when the key cannot be written.
pub fn to_pem(_pkcs8: &Secret, _certificates: &[CertificateDer], _password: &Secret) -> Result<String, KeyFileError> {
    Err(KeyFileError::Malformed("not yet".to_owned()))
}
