//! Private keys in containers: PKCS#12, PKCS#8, PKCS#1 and SEC1, in and out.
//!
//! Owns the reading of what people have and the writing of what they ask for. Does not
//! own what a key is for or where it goes. No I/O.
//!
//! Invariants: what is parsed here may be hostile: sizes, iterations and nesting are
//! bounded; private bytes live in [`Secret`] and are wiped; a wrong password is told apart
//! from a container that is broken.

mod detect;
mod kdf;
mod kdf_budget;
mod pbe;
mod pkcs12;
mod private;
mod read;
#[cfg(test)]
mod tests;

use aws_lc_rs::digest;
use der::Encode as _;
use der::asn1::OctetStringRef;
use der::referenced::OwnedToRef as _;

use crate::x509::{encode_pem, to_pem as certificate_to_pem};
use strongroom_domain::key::{CertificateDer, KeyAlgorithm, SpkiDer};
use strongroom_domain::secret::Secret;

/// More certificates than any chain has.
const MOST_CERTIFICATES: usize = 32;

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
pub fn read(data: &[u8], format: Option<KeyFileFormat>, password: &Secret) -> Result<KeyFile, KeyFileError> {
    read::read(data, format, password)
}

/// Writes a key and its certificates as PKCS#12 (RFC 7292) that openssl and Java's keytool read.
///
/// # Errors
/// `Malformed` when the key cannot be written.
pub fn to_pkcs12(pkcs8: &Secret, certificates: &[CertificateDer], password: &Secret) -> Result<Vec<u8>, KeyFileError> {
    let id = private::from_pkcs8(pkcs8.expose())?.spki;
    let id = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, id.as_bytes());
    pkcs12::write(pkcs8.expose(), id.as_ref(), certificates, utf8(password)?)
}

/// Writes a key under PBES2 with AES (RFC 8018) and its certificates as PEM, the key first.
///
/// # Errors
/// `Malformed` when the key cannot be written.
pub fn to_pem(pkcs8: &Secret, certificates: &[CertificateDer], password: &Secret) -> Result<String, KeyFileError> {
    let (algorithm, ciphertext) = pbe::encrypt(pkcs8.expose(), utf8(password)?)?;
    let ciphertext = OctetStringRef::new(&ciphertext).map_err(unwritable)?;
    let key = pkcs12::EncryptedKey { algorithm: algorithm.owned_to_ref(), ciphertext };
    let mut pem = encode_pem("ENCRYPTED PRIVATE KEY", &key.to_der().map_err(unwritable)?);
    pem.extend(certificates.iter().map(certificate_to_pem));
    Ok(pem)
}

fn utf8(password: &Secret) -> Result<&str, KeyFileError> {
    std::str::from_utf8(password.expose())
        .map_err(|_| KeyFileError::Malformed("a password in UTF-8 is accepted".to_owned()))
}

fn broken(part: &str) -> KeyFileError {
    KeyFileError::Malformed(format!("broken, truncated or not DER: {part}"))
}

/// Whatever the reason, which is never the caller's.
fn unwritable<T>(_: T) -> KeyFileError {
    KeyFileError::Malformed("the key cannot be written".to_owned())
}

fn too_many_certificates() -> KeyFileError {
    KeyFileError::Excessive(format!("more than {MOST_CERTIFICATES} certificates"))
}
