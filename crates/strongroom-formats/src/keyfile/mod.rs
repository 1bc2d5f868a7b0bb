//! Private keys in containers: PKCS#12, PKCS#8, PKCS#1 and SEC1, in and out.
//!
//! Owns the reading of what people have and the writing of what they ask for. Does not
//! own what a key is for or where it goes. No I/O.
//!
//! Invariants: what is parsed here may be hostile: sizes, iterations and nesting are
//! bounded; private bytes live in [`Secret`] and are wiped; a wrong password is told apart
//! from a container that is broken.

mod bags;
mod detect;
mod error;
mod kdf;
mod kdf_budget;
mod key_file;
mod mac;
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
use error::{MOST_CERTIFICATES, broken, too_many_certificates, unwritable};
use strongroom_domain::key::CertificateDer;
use strongroom_domain::secret::Secret;

pub use error::KeyFileError;
pub use key_file::{KeyFile, KeyFileFormat};
pub use mac::Pkcs12Mac;

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
pub fn to_pkcs12(
    pkcs8: &Secret,
    certificates: &[CertificateDer],
    password: &Secret,
    mac: Pkcs12Mac,
) -> Result<Vec<u8>, KeyFileError> {
    let id = private::from_pkcs8(pkcs8.expose())?.spki;
    let id = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, id.as_bytes());
    pkcs12::write(pkcs8.expose(), id.as_ref(), certificates, utf8(password)?, mac)
}

/// Writes a key under PBES2 with AES (RFC 8018) and its certificates as PEM, the key first.
///
/// # Errors
/// `Malformed` when the key cannot be written.
pub fn to_pem(pkcs8: &Secret, certificates: &[CertificateDer], password: &Secret) -> Result<String, KeyFileError> {
    let (algorithm, ciphertext) = pbe::encrypt(pkcs8.expose(), utf8(password)?)?;
    let ciphertext = OctetStringRef::new(&ciphertext).map_err(unwritable)?;
    let key = bags::EncryptedKey { algorithm: algorithm.owned_to_ref(), ciphertext };
    let mut pem = encode_pem("ENCRYPTED PRIVATE KEY", &key.to_der().map_err(unwritable)?);
    pem.extend(certificates.iter().map(certificate_to_pem));
    Ok(pem)
}

fn utf8(password: &Secret) -> Result<&str, KeyFileError> {
    std::str::from_utf8(password.expose())
        .map_err(|_| KeyFileError::Malformed("a password in UTF-8 is accepted".to_owned()))
}
