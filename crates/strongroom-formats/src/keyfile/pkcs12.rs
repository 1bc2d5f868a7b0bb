//! PKCS#12 (RFC 7292).

use aws_lc_rs::{digest, hmac};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_SHA_1, ID_SHA_224, ID_SHA_256, ID_SHA_384, ID_SHA_512};
use der::asn1::{Any, AnyRef, Null, OctetString, OctetStringRef, SetOfVec};
use der::referenced::OwnedToRef;
use der::{Decode, Encode, Sequence, Tag, Tagged};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef};
use zeroize::Zeroizing;

use super::detect::KeyFileShape;
use super::kdf::{self, KdfPurpose};
use super::kdf_budget::KdfBudget;
use super::{KeyFileError, MOST_CERTIFICATES, broken, pbe, unwritable};
use crate::x509::to_der;
use strongroom_domain::clock;
use strongroom_domain::key::CertificateDer;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERT_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const X509_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");
const LOCAL_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.21");

/// Section 4.
#[derive(Sequence)]
struct Pfx<'a> {
    version: u8,
    safe: ContentInfo<'a>,
    #[asn1(optional = "true")]
    mac: Option<MacData<'a>>,
}

#[derive(Sequence)]
struct ContentInfo<'a> {
    content_type: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    content: AnyRef<'a>,
}

#[derive(Sequence)]
struct MacData<'a> {
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

/// RFC 5652 section 8.
#[derive(Sequence)]
struct EncryptedData<'a> {
    version: u8,
    content: EncryptedContent<'a>,
}

#[derive(Sequence)]
struct EncryptedContent<'a> {
    content_type: ObjectIdentifier,
    algorithm: AlgorithmIdentifierRef<'a>,
    /// An IMPLICIT octet string.
    ciphertext: AnyRef<'a>,
}

/// Section 4.2.
#[derive(Sequence)]
struct SafeBag<'a> {
    id: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    value: AnyRef<'a>,
    #[asn1(optional = "true")]
    attributes: Option<AnyRef<'a>>,
}

#[derive(Sequence)]
struct CertBag<'a> {
    id: ObjectIdentifier,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT")]
    value: &'a OctetStringRef,
}

/// RFC 5958 section 3.
#[derive(Sequence)]
pub(super) struct EncryptedKey<'a> {
    pub(super) algorithm: AlgorithmIdentifierRef<'a>,
    pub(super) ciphertext: &'a OctetStringRef,
}

impl EncryptedKey<'_> {
    /// The key as PKCS#8 in clear. Nothing but its form tells it from what a wrong password
    /// makes of it.
    pub(super) fn decrypt(&self, password: &str, work: &mut KdfBudget) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
        let clear = pbe::decrypt(&self.algorithm, self.ciphertext.as_bytes(), password, work)?;
        if matches!(KeyFileShape::detect(&clear), Some(KeyFileShape::Pkcs8)) {
            Ok(clear)
        } else {
            Err(KeyFileError::WrongPassword)
        }
    }
}

/// What was in a file.
#[derive(Default)]
pub(super) struct Pkcs12Contents {
    /// PKCS#8 in clear.
    pub(super) keys: Vec<Zeroizing<Vec<u8>>>,
    pub(super) certificates: Vec<CertificateDer>,
}

/// Opens a file: its MAC first, where it has one.
pub(super) fn read(der: &[u8], password: &str, work: &mut KdfBudget) -> Result<Pkcs12Contents, KeyFileError> {
    let unreadable = |_| broken("PKCS#12 file");
    let pfx = Pfx::from_der(der).map_err(unreadable)?;
    if pfx.version != 3 || pfx.safe.content_type != DATA {
        return Err(KeyFileError::Malformed("only PKCS#12 files under a password are accepted".to_owned()));
    }
    let safe = pfx.safe.content.decode_as::<&OctetStringRef>().map_err(unreadable)?.as_bytes();
    if let Some(mac) = &pfx.mac {
        verify(mac, safe, password, work)?;
    }
    // Without a MAC a wrong password can look like garbage that happens to be padded well.
    let garbage = |failure| match (&pfx.mac, failure) {
        (None, KeyFileError::Malformed(_)) => KeyFileError::WrongPassword,
        (_, failure) => failure,
    };
    let mut contents = Pkcs12Contents::default();
    let in_der = to_der(safe);
    for info in Vec::<ContentInfo<'_>>::from_der(in_der.as_deref().map_or(safe, Vec::as_slice)).map_err(unreadable)? {
        match info.content_type {
            DATA => {
                let bags = info.content.decode_as::<&OctetStringRef>().map_err(unreadable)?;
                contents.collect(bags.as_bytes(), password, work)?;
            }
            ENCRYPTED_DATA => {
                let data: EncryptedData<'_> = info.content.decode_as().map_err(unreadable)?;
                let ciphertext = implicit_octets(data.content.ciphertext).ok_or_else(|| broken("PKCS#12 file"))?;
                let bags = pbe::decrypt(&data.content.algorithm, &ciphertext, password, work)?;
                contents.collect(&bags, password, work).map_err(garbage)?;
            }
            other => return Err(KeyFileError::Malformed(format!("contents of the type {other} in a PKCS#12 file"))),
        }
    }
    Ok(contents)
}

impl Pkcs12Contents {
    /// Bags of other kinds, those with bags in them included, are passed over.
    fn collect(&mut self, bags: &[u8], password: &str, work: &mut KdfBudget) -> Result<(), KeyFileError> {
        let unreadable = |_| broken("PKCS#12 file");
        let in_der = to_der(bags);
        for bag in Vec::<SafeBag<'_>>::from_der(in_der.as_deref().map_or(bags, Vec::as_slice)).map_err(unreadable)? {
            match bag.id {
                KEY_BAG => self.keys.push(Zeroizing::new(bag.value.to_der().map_err(unreadable)?)),
                SHROUDED_KEY_BAG => {
                    let key: EncryptedKey<'_> = bag.value.decode_as().map_err(unreadable)?;
                    self.keys.push(key.decrypt(password, work)?);
                }
                CERT_BAG => {
                    let certificate: CertBag<'_> = bag.value.decode_as().map_err(unreadable)?;
                    let der = certificate.value.as_bytes().to_vec();
                    self.certificates.push(CertificateDer::parse(der).map_err(|_| broken("certificate"))?);
                }
                _ => {}
            }
            if self.certificates.len() > MOST_CERTIFICATES {
                return Err(super::too_many_certificates());
            }
        }
        Ok(())
    }
}

/// A file with one key and its certificates, the leaf first. Key and leaf carry `id`, by which
/// readers know that they belong together.
pub(super) fn write(
    pkcs8: &[u8],
    id: &[u8],
    certificates: &[CertificateDer],
    password: &str,
) -> Result<Vec<u8>, KeyFileError> {
    encode(pkcs8, id, certificates, password).map_err(|failure| match failure {
        Failure::Encoding => unwritable(()),
        Failure::Known(failure) => failure,
    })
}

/// So that `?` works on both.
enum Failure {
    Encoding,
    Known(KeyFileError),
}

impl From<der::Error> for Failure {
    fn from(_: der::Error) -> Self {
        Self::Encoding
    }
}

impl From<KeyFileError> for Failure {
    fn from(failure: KeyFileError) -> Self {
        Self::Known(failure)
    }
}

fn encode(pkcs8: &[u8], id: &[u8], certificates: &[CertificateDer], password: &str) -> Result<Vec<u8>, Failure> {
    let attribute = x509_cert::attr::Attribute {
        oid: LOCAL_KEY_ID,
        values: SetOfVec::try_from(vec![Any::encode_from(&OctetString::new(id)?)?])?,
    };
    let attributes = SetOfVec::try_from(vec![attribute])?.to_der()?;
    let attributes = AnyRef::from_der(&attributes)?;

    let mut bags = Vec::new();
    for (index, certificate) in certificates.iter().enumerate() {
        let value = CertBag { id: X509_CERTIFICATE, value: OctetStringRef::new(certificate.as_bytes())? }.to_der()?;
        let attributes = (index == 0).then_some(attributes);
        bags.push(Any::encode_from(&SafeBag { id: CERT_BAG, value: AnyRef::from_der(&value)?, attributes })?);
    }
    let (algorithm, ciphertext) = pbe::encrypt(&bags.to_der()?, password)?;
    let implicit = Tag::ContextSpecific { constructed: false, number: der::TagNumber(0) };
    let content = EncryptedContent {
        content_type: DATA,
        algorithm: algorithm.owned_to_ref(),
        ciphertext: AnyRef::new(implicit, &ciphertext)?,
    };
    let certificate_safe = EncryptedData { version: 0, content }.to_der()?;
    let certificate_safe = ContentInfo { content_type: ENCRYPTED_DATA, content: AnyRef::from_der(&certificate_safe)? };

    let (algorithm, ciphertext) = pbe::encrypt(pkcs8, password)?;
    let key = EncryptedKey { algorithm: algorithm.owned_to_ref(), ciphertext: OctetStringRef::new(&ciphertext)? };
    let key = key.to_der()?;
    let bag = SafeBag { id: SHROUDED_KEY_BAG, value: AnyRef::from_der(&key)?, attributes: Some(attributes) };
    let key_safe = OctetString::new(vec![bag].to_der()?)?.to_der()?;
    let key_safe = ContentInfo { content_type: DATA, content: AnyRef::from_der(&key_safe)? };

    let mut safes = vec![key_safe];
    if !certificates.is_empty() {
        safes.insert(0, certificate_safe);
    }
    sealed(&safes.to_der()?, password)
}

/// The safe under a MAC.
fn sealed(safe: &[u8], password: &str) -> Result<Vec<u8>, Failure> {
    let salt: [u8; 16] = clock::random().map_err(|_| Failure::Encoding)?;
    let iterations = u64::from(pbe::ITERATIONS.get());
    let key = kdf::derive(&digest::SHA256, password, &salt, KdfPurpose::Mac, iterations, 32, &mut KdfBudget::new())?;
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), safe);
    let algorithm = AlgorithmIdentifierOwned { oid: ID_SHA_256, parameters: Some(Any::from(AnyRef::from(Null))) };
    let mac = DigestInfo { algorithm: algorithm.owned_to_ref(), digest: OctetStringRef::new(tag.as_ref())? };
    let mac = MacData { mac, salt: OctetStringRef::new(&salt)?, iterations };
    let content = OctetString::new(safe)?.to_der()?;
    let safe = ContentInfo { content_type: DATA, content: AnyRef::from_der(&content)? };
    Ok(Pfx { version: 3, safe, mac: Some(mac) }.to_der()?)
}

/// Section 5.1: an HMAC under a key that follows from the password.
fn verify(mac: &MacData<'_>, safe: &[u8], password: &str, work: &mut KdfBudget) -> Result<(), KeyFileError> {
    let (hash, hmac) = match mac.mac.algorithm.oid {
        ID_SHA_1 => (&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        ID_SHA_224 => (&digest::SHA224, hmac::HMAC_SHA224),
        ID_SHA_256 => (&digest::SHA256, hmac::HMAC_SHA256),
        ID_SHA_384 => (&digest::SHA384, hmac::HMAC_SHA384),
        ID_SHA_512 => (&digest::SHA512, hmac::HMAC_SHA512),
        other => {
            return Err(KeyFileError::Malformed(format!(
                "protected by a MAC with {other}: HMAC with SHA-1 or SHA-2 under the key derivation of PKCS#12 is accepted"
            )));
        }
    };
    let (salt, len) = (mac.salt.as_bytes(), hash.output_len());
    let key = kdf::derive(hash, password, salt, KdfPurpose::Mac, mac.iterations, len, work)?;
    hmac::verify(&hmac::Key::new(hmac, &key), safe, mac.mac.digest.as_bytes()).map_err(|_| KeyFileError::WrongPassword)
}

/// The bytes of an IMPLICIT octet string, in one piece or, as BER may have it, in several.
fn implicit_octets(octets: AnyRef<'_>) -> Option<Vec<u8>> {
    match octets.tag() {
        Tag::ContextSpecific { constructed: false, .. } => Some(octets.value().to_vec()),
        Tag::ContextSpecific { constructed: true, .. } => {
            let mut reader = der::SliceReader::new(octets.value()).ok()?;
            let mut whole = Vec::new();
            while !der::Reader::is_finished(&reader) {
                whole.extend_from_slice(<&OctetStringRef>::decode(&mut reader).ok()?.as_bytes());
            }
            Some(whole)
        }
        _ => None,
    }
}
