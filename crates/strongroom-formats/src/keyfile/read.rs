//! Reading of key files; the format is detected from the bytes, not from a label.

use der::Decode as _;
use zeroize::Zeroizing;

use super::bags::{EncryptedKey, FoundCertificate, Pkcs12Contents};
use super::detect::KeyFileShape;
use super::kdf::Password;
use super::kdf_budget::KdfBudget;
use super::pkcs12;
use super::private::{self, PrivateKey};
use super::{KeyFile, KeyFileError, KeyFileFormat, MOST_CERTIFICATES, broken, too_many_certificates};
use crate::x509::pem_reader::{NotPem, PemBlock, PemInput, read_pem_or_der, surplus};
use crate::x509::{certificates_of, holds_certificates, is_for_key};
use strongroom_domain::secret::Secret;

const MOST_BYTES: usize = 1 << 20;

/// The magic number of Java's own key store.
const JKS: [u8; 4] = [0xfe, 0xed, 0xfe, 0xed];

const ACCEPTED: &str = "PKCS#12 and PEM are accepted, raw or in base64";

pub(super) fn read(data: &[u8], format: Option<KeyFileFormat>, password: &Secret) -> Result<KeyFile, KeyFileError> {
    if data.len() > MOST_BYTES {
        return Err(KeyFileError::Excessive(format!("more than {MOST_BYTES} bytes")));
    }
    let password = std::str::from_utf8(password.expose()).map_err(|_| KeyFileError::WrongPassword)?;
    let unarmoured = read_pem_or_der(data);
    let unarmoured = unarmoured.map_err(|why| match why {
        NotPem::Neither => malformed(format!("neither DER, PEM nor base64: {ACCEPTED}")),
        NotPem::Utf16 | NotPem::Base64Twice => malformed(format!("{why}: {ACCEPTED}")),
    })?;
    let mut work = KdfBudget::new();
    let contents = match unarmoured {
        PemInput::Bare(bytes) => bare(&bytes, format, password, &mut work)?,
        PemInput::Pem(_) if format == Some(KeyFileFormat::Pkcs12) => {
            return Err(malformed("this is PEM, not PKCS12 as the format says".to_owned()));
        }
        PemInput::Pem(blocks) => pem(&blocks, password, &mut work)?,
    };
    finish(contents)
}

fn bare(
    bytes: &[u8],
    format: Option<KeyFileFormat>,
    password: &str,
    work: &mut KdfBudget,
) -> Result<Pkcs12Contents, KeyFileError> {
    if bytes.starts_with(&JKS) {
        return Err(malformed(format!("this is a Java key store (JKS): {ACCEPTED}; keytool -importkeystore converts")));
    }
    match KeyFileShape::detect(bytes) {
        Some(KeyFileShape::Pkcs12) if format == Some(KeyFileFormat::Pem) => {
            Err(malformed("this is PKCS12, not PEM as the format says".to_owned()))
        }
        Some(KeyFileShape::Pkcs12) => pkcs12::read(bytes, password, work),
        Some(_) if format == Some(KeyFileFormat::Pkcs12) => Err(malformed("this is a bare key, not PKCS12".to_owned())),
        Some(shape) => {
            let mut contents = Pkcs12Contents::default();
            contents.add_key(clear(shape, bytes, password, work)?);
            Ok(contents)
        }
        None if surplus(bytes).is_some() => {
            let number = surplus(bytes).unwrap_or_default();
            Err(malformed(format!("broken, truncated or not DER: {number} bytes follow the end of what was read")))
        }
        None => Err(malformed(format!("neither a PKCS#12 file nor a private key, or broken: {ACCEPTED}"))),
    }
}

fn pem(blocks: &[PemBlock], password: &str, work: &mut KdfBudget) -> Result<Pkcs12Contents, KeyFileError> {
    let mut contents = Pkcs12Contents::default();
    for block in blocks {
        match block.label.as_str() {
            label if holds_certificates(label) => {
                let found = certificates_of(&block.contents).map_err(|failure| malformed(failure.to_string()))?;
                contents.add_certificates(found);
            }
            label if label.ends_with("PRIVATE KEY") => contents.add_key(key_block(block, password, work)?),
            "TRUSTED CERTIFICATE" => {
                return Err(malformed("a block TRUSTED CERTIFICATE, where CERTIFICATE is accepted".to_owned()));
            }
            // Parameters, requests, public keys.
            _ => {}
        }
        if contents.certificates.len() > MOST_CERTIFICATES {
            return Err(too_many_certificates());
        }
    }
    Ok(contents)
}

fn key_block(block: &PemBlock, password: &str, work: &mut KdfBudget) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    if block.encrypted {
        let advice = "convert it to PKCS#8, as openssl pkcs8 -topk8 does";
        return Err(malformed(format!("a private key under OpenSSL's old PEM encryption: {advice}")));
    }
    if ["DSA PRIVATE KEY", "OPENSSH PRIVATE KEY"].contains(&block.label.as_str()) {
        let label = &block.label;
        let advice = "RSA, EC and Ed25519 in PKCS#8, PKCS#1 or SEC1 are accepted";
        return Err(KeyFileError::UnsupportedKey(format!("a block {label}: {advice}")));
    }
    let shape = KeyFileShape::detect(&block.contents).ok_or_else(|| broken("private key"))?;
    clear(shape, &block.contents, password, work)
}

/// The key in clear, in the form it has under its encryption.
fn clear(
    shape: KeyFileShape,
    der: &[u8],
    password: &str,
    work: &mut KdfBudget,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    match shape {
        KeyFileShape::EncryptedPkcs8 => {
            let key = EncryptedKey::from_der(der).map_err(|_| broken("encrypted private key"))?;
            key.decrypt(Password::Text(password), work)
        }
        KeyFileShape::Pkcs12 => Err(broken("private key")),
        KeyFileShape::Pkcs8 | KeyFileShape::Pkcs1 | KeyFileShape::Sec1 => Ok(Zeroizing::new(der.to_vec())),
    }
}

/// The one key, and the certificates with its own first.
fn finish(contents: Pkcs12Contents) -> Result<KeyFile, KeyFileError> {
    let [key] = contents.keys.as_slice() else {
        let number = contents.keys.len();
        return Err(malformed(format!("{number} private keys, where exactly one is accepted")));
    };
    let PrivateKey { pkcs8, algorithm, spki } = match KeyFileShape::detect(&key.der) {
        Some(KeyFileShape::Pkcs8) => private::from_pkcs8(&key.der)?,
        Some(KeyFileShape::Pkcs1) => private::from_pkcs1(&key.der)?,
        Some(KeyFileShape::Sec1) => private::from_sec1(&key.der, None)?,
        _ => return Err(broken("private key")),
    };
    let of_key = |found: &&FoundCertificate| is_for_key(&found.certificate, &spki);
    let named = |found: &FoundCertificate| {
        found.attributes.local_key_id.is_some() && found.attributes.local_key_id == key.attributes.local_key_id
    };
    // A file that names several is no better than one that names none.
    let mut candidates = contents.certificates.iter().filter(of_key).filter(|found| named(found));
    let leaf = candidates.next().filter(|_| candidates.next().is_none()).map(|found| found.certificate.clone());
    let friendly_name = key.attributes.friendly_name.clone();
    let mut certificates: Vec<_> = contents.certificates.into_iter().map(|found| found.certificate).collect();
    certificates.sort_by_key(|certificate| (leaf.as_ref() != Some(certificate), !is_for_key(certificate, &spki)));
    Ok(KeyFile { pkcs8, algorithm, spki, certificates, leaf, friendly_name })
}

const fn malformed(what: String) -> KeyFileError {
    KeyFileError::Malformed(what)
}
