//! What keeps a PKCS#12 file from being altered: HMAC under a password (RFC 7292 section 4, RFC 9579).

use aws_lc_rs::{digest, hmac};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_SHA_1, ID_SHA_224, ID_SHA_256, ID_SHA_384, ID_SHA_512};
use der::asn1::{Any, AnyRef, Null, OctetStringRef};
use der::referenced::OwnedToRef;
use der::{Encode, Sequence};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};

use super::kdf::{self, KdfPurpose, Password};
use super::kdf_budget::KdfBudget;
use super::{KeyFileError, broken, pbe, unwritable};
use strongroom_domain::clock;

const PBMAC1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.14");
const HMAC_WITH_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.7");
const HMAC_WITH_SHA224: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.8");
const HMAC_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.9");
const HMAC_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.10");
const HMAC_WITH_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.2.11");

/// Lengths of keys for PBMAC1: RFC 9579 section 5 refuses shorter ones, and no HMAC gains by a longer one.
const KEY_LENGTHS: std::ops::RangeInclusive<u64> = 20..=128;

/// How the MAC of a file that is written gets its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pkcs12Mac {
    /// By the key derivation that PKCS#12 began with, which every reader knows.
    #[default]
    Pkcs12Kdf,
    /// By PBKDF2: PBMAC1 of RFC 9579, which openssl reads from 3.4 on, and Java from 26 on.
    Pbmac1,
}

#[derive(Sequence)]
pub(super) struct MacData<'a> {
    mac: DigestInfo<'a>,
    salt: &'a OctetStringRef,
    #[asn1(default = "once")]
    iterations: u64,
}

const fn once() -> u64 {
    1
}

#[derive(Sequence)]
struct DigestInfo<'a> {
    algorithm: AlgorithmIdentifierRef<'a>,
    digest: &'a OctetStringRef,
}

/// `PBMAC1-params` (RFC 8018 appendix A.5).
#[derive(Sequence)]
struct Pbmac1<'a> {
    kdf: AlgorithmIdentifierRef<'a>,
    scheme: AlgorithmIdentifierRef<'a>,
}

impl MacData<'_> {
    /// Checks the MAC over a safe.
    ///
    /// # Errors
    /// `WrongPassword` when it is another, `Excessive` before a derivation that would cost too much, `Malformed` for
    /// schemes that are not accepted.
    pub(super) fn verify(&self, safe: &[u8], password: Password<'_>, work: &mut KdfBudget) -> Result<(), KeyFileError> {
        let key = if self.mac.algorithm.oid == PBMAC1 {
            self.key_by_pbmac1(password, work)?
        } else {
            self.key_by_pkcs12(password, work)?
        };
        hmac::verify(&key, safe, self.mac.digest.as_bytes()).map_err(|_| KeyFileError::WrongPassword)
    }

    /// RFC 7292 section 5.1.
    fn key_by_pkcs12(&self, password: Password<'_>, work: &mut KdfBudget) -> Result<hmac::Key, KeyFileError> {
        let (hash, hmac) = match self.mac.algorithm.oid {
            ID_SHA_1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
            ID_SHA_224 => (&digest::SHA224, hmac::HMAC_SHA224),
            ID_SHA_256 => (&digest::SHA256, hmac::HMAC_SHA256),
            ID_SHA_384 => (&digest::SHA384, hmac::HMAC_SHA384),
            ID_SHA_512 => (&digest::SHA512, hmac::HMAC_SHA512),
            other => return Err(unaccepted(other)),
        };
        let (salt, len) = (self.salt.as_bytes(), hash.output_len());
        let key = kdf::derive(hash, password, salt, KdfPurpose::Mac, self.iterations, len, work)?;
        Ok(hmac::Key::new(hmac, &key))
    }

    /// RFC 9579 section 4; salt and iterations beside the MAC mean nothing.
    fn key_by_pbmac1(&self, password: Password<'_>, work: &mut KdfBudget) -> Result<hmac::Key, KeyFileError> {
        let parameters = self.mac.algorithm.parameters.ok_or_else(|| broken("PBMAC1 parameters"))?;
        let parameters: Pbmac1<'_> = parameters.decode_as().map_err(|_| broken("PBMAC1 parameters"))?;
        let hmac = match parameters.scheme.oid {
            HMAC_WITH_SHA1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            HMAC_WITH_SHA224 => hmac::HMAC_SHA224,
            HMAC_WITH_SHA256 => hmac::HMAC_SHA256,
            HMAC_WITH_SHA384 => hmac::HMAC_SHA384,
            HMAC_WITH_SHA512 => hmac::HMAC_SHA512,
            other => return Err(unaccepted(other)),
        };
        let len = pbe::key_length(&parameters.kdf)?.filter(|len| KEY_LENGTHS.contains(len));
        let len = len.and_then(|len| usize::try_from(len).ok()).ok_or_else(|| {
            let range = format!("from {} to {} bytes", KEY_LENGTHS.start(), KEY_LENGTHS.end());
            KeyFileError::Malformed(format!(
                "protected by PBMAC1, whose keyLength must be there and {range} (RFC 9579)"
            ))
        })?;
        Ok(hmac::Key::new(hmac, &pbe::derive(&parameters.kdf, len, password, work)?))
    }
}

/// `MacData` over a safe, with SHA-256.
pub(super) fn make(how: Pkcs12Mac, safe: &[u8], password: &str) -> Result<Vec<u8>, KeyFileError> {
    let salt: [u8; 16] = clock::random().map_err(unwritable)?;
    let iterations = pbe::ITERATIONS.get();
    let (oid, parameters, key) = match how {
        Pkcs12Mac::Pkcs12Kdf => {
            let (password, work) = (Password::Text(password), &mut KdfBudget::new());
            let key = kdf::derive(&digest::SHA256, password, &salt, KdfPurpose::Mac, iterations.into(), 32, work)?;
            (ID_SHA_256, Any::from(AnyRef::from(Null)), key)
        }
        Pkcs12Mac::Pbmac1 => {
            let (kdf, key) = pbe::pbkdf2(password, &salt, Some(32))?;
            let scheme = AlgorithmIdentifierOwned { oid: HMAC_WITH_SHA256, parameters: Some(Any::null()) };
            (PBMAC1, Any::encode_from(&vec![kdf, scheme]).map_err(unwritable)?, key)
        }
    };
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), safe);
    let algorithm = AlgorithmIdentifierOwned { oid, parameters: Some(parameters) };
    let digest = OctetStringRef::new(tag.as_ref()).map_err(unwritable)?;
    let mac = DigestInfo { algorithm: algorithm.owned_to_ref(), digest };
    let iterations = if how == Pkcs12Mac::Pbmac1 { 1 } else { iterations.into() };
    let data = MacData { mac, salt: OctetStringRef::new(&salt).map_err(unwritable)?, iterations };
    data.to_der().map_err(unwritable)
}

fn unaccepted(oid: ObjectIdentifier) -> KeyFileError {
    let accepted = "HMAC with SHA-1 or SHA-2 under the key derivation of PKCS#12 or under PBMAC1 is accepted";
    KeyFileError::Malformed(format!("protected by a MAC with {oid}: {accepted}"))
}
