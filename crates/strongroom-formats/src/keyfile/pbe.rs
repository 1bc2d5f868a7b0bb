//! Encryption under a password: PBES2 (RFC 8018 section 6.2), and the schemes that
//! PKCS#12 began with (RFC 7292 appendix C).

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_192, AES_256, Algorithm, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey,
    PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use const_oid::ObjectIdentifier;
use der::Sequence;
use der::asn1::{Any, Null, OctetString, OctetStringRef};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};
use zeroize::Zeroizing;

use super::kdf::{self, KdfPurpose, Password};
use super::kdf_budget::KdfBudget;
use super::{KeyFileError, broken, unwritable};
use strongroom_domain::clock;

const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const PBKDF2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.12");
const SCRYPT: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11591.4.11");
const HMAC_WITH_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
const HMAC_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const HMAC_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
const HMAC_WITH_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");
const AES_128_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.2");
const AES_192_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.22");
const AES_256_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.1.42");
const DES_EDE3_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");
const SHA_AND_TRIPLE_DES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.3");
const SHA_AND_RC2_128: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.5");
const SHA_AND_RC2_40: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.1.6");

/// Iterations of what is written here.
pub(super) const ITERATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(199_999);

const AES_BLOCK: usize = 16;

/// Ciphers in CBC mode.
#[derive(Clone, Copy)]
enum Cipher {
    Aes(&'static Algorithm, usize),
    TripleDes,
    Rc2(usize),
}

impl Cipher {
    const fn key_len(self) -> usize {
        match self {
            Self::Aes(_, len) | Self::Rc2(len) => len,
            Self::TripleDes => 24,
        }
    }

    /// `None` when the padding is wrong, which a wrong password shows by.
    fn decrypt(self, key: &[u8], iv: &[u8], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut buffer = Zeroizing::new(data.to_vec());
        let len = match self {
            Self::Aes(algorithm, _) => {
                let key = UnboundCipherKey::new(algorithm, key).ok()?;
                let context = DecryptionContext::Iv128(FixedLength::from(<[u8; AES_BLOCK]>::try_from(iv).ok()?));
                PaddedBlockDecryptingKey::cbc_pkcs7(key).ok()?.decrypt(&mut buffer, context).ok()?.len()
            }
            Self::TripleDes => {
                let decryptor = cbc::Decryptor::<des::TdesEde3>::new_from_slices(key, iv).ok()?;
                decryptor.decrypt_padded::<Pkcs7>(&mut buffer).ok()?.len()
            }
            Self::Rc2(_) => {
                let decryptor = cbc::Decryptor::<rc2::Rc2>::new_from_slices(key, iv).ok()?;
                decryptor.decrypt_padded::<Pkcs7>(&mut buffer).ok()?.len()
            }
        };
        buffer.truncate(len);
        Some(buffer)
    }

    const fn block_len(self) -> usize {
        match self {
            Self::Aes(..) => AES_BLOCK,
            Self::TripleDes | Self::Rc2(_) => 8,
        }
    }
}

#[derive(Sequence)]
struct Pbes2<'a> {
    kdf: AlgorithmIdentifierRef<'a>,
    cipher: AlgorithmIdentifierRef<'a>,
}

#[derive(Sequence)]
struct Pbkdf2<'a> {
    salt: &'a OctetStringRef,
    iterations: u64,
    #[asn1(optional = "true")]
    key_len: Option<u64>,
    #[asn1(optional = "true")]
    prf: Option<AlgorithmIdentifierRef<'a>>,
}

/// RFC 7914 section 7.
#[derive(Sequence)]
struct Scrypt<'a> {
    salt: &'a OctetStringRef,
    cost: u64,
    block_size: u64,
    parallel: u64,
    #[asn1(optional = "true")]
    key_len: Option<u64>,
}

/// RFC 7292 appendix C.
#[derive(Sequence)]
struct Pbes1<'a> {
    salt: &'a OctetStringRef,
    iterations: u64,
}

/// Decrypts `data` as `algorithm` says.
///
/// # Errors
/// `WrongPassword` when the padding is wrong, `Excessive` before a derivation that would
/// cost too much, `Malformed` for schemes that are not accepted.
pub(super) fn decrypt(
    algorithm: &AlgorithmIdentifierRef<'_>,
    data: &[u8],
    password: Password<'_>,
    work: &mut KdfBudget,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let parameters = algorithm.parameters.ok_or_else(|| broken("encryption parameters"))?;
    let (cipher, key, iv) = if algorithm.oid == PBES2 {
        let parameters: Pbes2<'_> = parameters.decode_as().map_err(|_| broken("PBES2 parameters"))?;
        let cipher = pbes2_cipher(parameters.cipher.oid)?;
        let iv = parameters.cipher.parameters.and_then(|iv| iv.decode_as::<&OctetStringRef>().ok());
        let iv = Zeroizing::new(iv.ok_or_else(|| broken("initialisation vector"))?.as_bytes().to_vec());
        (cipher, derive(&parameters.kdf, cipher.key_len(), password, work)?, iv)
    } else {
        let cipher = pbes1_cipher(algorithm.oid)?;
        let parameters: Pbes1<'_> = parameters.decode_as().map_err(|_| broken("encryption parameters"))?;
        let mut derive = |purpose, len| {
            let (salt, iterations) = (parameters.salt.as_bytes(), parameters.iterations);
            kdf::derive(&SHA1_FOR_LEGACY_USE_ONLY, password, salt, purpose, iterations, len, work)
        };
        (cipher, derive(KdfPurpose::Key, cipher.key_len())?, derive(KdfPurpose::Iv, cipher.block_len())?)
    };
    if iv.len() != cipher.block_len() || data.is_empty() || !data.len().is_multiple_of(cipher.block_len()) {
        return Err(broken("ciphertext"));
    }
    cipher.decrypt(&key, &iv, data).ok_or(KeyFileError::WrongPassword)
}

/// Encrypts by PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC.
pub(super) fn encrypt(data: &[u8], password: &str) -> Result<(AlgorithmIdentifierOwned, Vec<u8>), KeyFileError> {
    let salt: [u8; 16] = clock::random().map_err(unwritable)?;
    let iv: [u8; AES_BLOCK] = clock::random().map_err(unwritable)?;
    let (kdf, key) = pbkdf2(password, &salt, None)?;
    let key = UnboundCipherKey::new(&AES_256, key.as_slice()).map_err(unwritable)?;
    // With room for the padding, so that no copy of the plaintext stays behind.
    let mut ciphertext = Vec::with_capacity(data.len() + AES_BLOCK);
    ciphertext.extend_from_slice(data);
    PaddedBlockEncryptingKey::cbc_pkcs7(key)
        .and_then(|key| key.less_safe_encrypt(&mut ciphertext, EncryptionContext::Iv128(FixedLength::from(iv))))
        .map_err(unwritable)?;

    let iv = Any::encode_from(&OctetString::new(iv).map_err(unwritable)?).map_err(unwritable)?;
    let cipher = AlgorithmIdentifierOwned { oid: AES_256_CBC, parameters: Some(iv) };
    let parameters = Any::encode_from(&vec![kdf, cipher]).map_err(unwritable)?;
    Ok((AlgorithmIdentifierOwned { oid: PBES2, parameters: Some(parameters) }, ciphertext))
}

/// A key of 32 bytes by PBKDF2 with HMAC-SHA-256, and how it was derived; `key_len` says its length there.
pub(super) fn pbkdf2(
    password: &str,
    salt: &[u8],
    key_len: Option<u64>,
) -> Result<(AlgorithmIdentifierOwned, Zeroizing<Vec<u8>>), KeyFileError> {
    let mut key = Zeroizing::new(vec![0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ITERATIONS, salt, password.as_bytes(), &mut key);
    let prf = AlgorithmIdentifierRef { oid: HMAC_WITH_SHA256, parameters: Some(Null.into()) };
    let salt = OctetStringRef::new(salt).map_err(unwritable)?;
    let kdf = Pbkdf2 { salt, iterations: ITERATIONS.get().into(), key_len, prf: Some(prf) };
    let parameters = Some(Any::encode_from(&kdf).map_err(unwritable)?);
    Ok((AlgorithmIdentifierOwned { oid: PBKDF2, parameters }, key))
}

/// The length of the key that a derivation says, where it does.
pub(super) fn key_length(algorithm: &AlgorithmIdentifierRef<'_>) -> Result<Option<u64>, KeyFileError> {
    let parameters = algorithm.parameters.ok_or_else(|| broken("key derivation parameters"))?;
    match algorithm.oid {
        PBKDF2 => {
            parameters.decode_as().map(|known: Pbkdf2<'_>| known.key_len).map_err(|_| broken("PBKDF2 parameters"))
        }
        SCRYPT => {
            parameters.decode_as().map(|known: Scrypt<'_>| known.key_len).map_err(|_| broken("scrypt parameters"))
        }
        other => Err(unaccepted(other)),
    }
}

/// Derives a key by PBKDF2 or scrypt.
pub(super) fn derive(
    algorithm: &AlgorithmIdentifierRef<'_>,
    len: usize,
    password: Password<'_>,
    work: &mut KdfBudget,
) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let parameters = algorithm.parameters.ok_or_else(|| broken("key derivation parameters"))?;
    let mut key = Zeroizing::new(vec![0; len]);
    match algorithm.oid {
        PBKDF2 => {
            let parameters: Pbkdf2<'_> = parameters.decode_as().map_err(|_| broken("PBKDF2 parameters"))?;
            let (prf, digest_len) = prf(parameters.prf.map_or(HMAC_WITH_SHA1, |prf| prf.oid))?;
            let iterations = work.iterations(parameters.iterations, len.div_ceil(digest_len))?;
            pbkdf2::derive(prf, iterations, parameters.salt.as_bytes(), password.utf_8(), &mut key);
        }
        SCRYPT => {
            let parameters: Scrypt<'_> = parameters.decode_as().map_err(|_| broken("scrypt parameters"))?;
            let cost = work.scrypt(parameters.cost, parameters.block_size, parameters.parallel)?;
            scrypt::scrypt(password.utf_8(), parameters.salt.as_bytes(), &cost, &mut key)
                .map_err(|_| broken("scrypt parameters"))?;
        }
        other => return Err(unaccepted(other)),
    }
    Ok(key)
}

fn prf(oid: ObjectIdentifier) -> Result<(pbkdf2::Algorithm, usize), KeyFileError> {
    match oid {
        HMAC_WITH_SHA1 => Ok((pbkdf2::PBKDF2_HMAC_SHA1, 20)),
        HMAC_WITH_SHA256 => Ok((pbkdf2::PBKDF2_HMAC_SHA256, 32)),
        HMAC_WITH_SHA384 => Ok((pbkdf2::PBKDF2_HMAC_SHA384, 48)),
        HMAC_WITH_SHA512 => Ok((pbkdf2::PBKDF2_HMAC_SHA512, 64)),
        other => Err(unaccepted(other)),
    }
}

fn pbes2_cipher(oid: ObjectIdentifier) -> Result<Cipher, KeyFileError> {
    match oid {
        AES_128_CBC => Ok(Cipher::Aes(&AES_128, 16)),
        AES_192_CBC => Ok(Cipher::Aes(&AES_192, 24)),
        AES_256_CBC => Ok(Cipher::Aes(&AES_256, 32)),
        DES_EDE3_CBC => Ok(Cipher::TripleDes),
        other => Err(unaccepted(other)),
    }
}

fn pbes1_cipher(oid: ObjectIdentifier) -> Result<Cipher, KeyFileError> {
    match oid {
        SHA_AND_TRIPLE_DES => Ok(Cipher::TripleDes),
        SHA_AND_RC2_128 => Ok(Cipher::Rc2(16)),
        SHA_AND_RC2_40 => Ok(Cipher::Rc2(5)),
        other => Err(unaccepted(other)),
    }
}

fn unaccepted(oid: ObjectIdentifier) -> KeyFileError {
    KeyFileError::Malformed(format!("encrypted with {oid}: PBES2 with PBKDF2 or scrypt and AES-CBC is accepted"))
}
