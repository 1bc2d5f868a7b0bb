//! PKCS#12 (RFC 7292).

use const_oid::ObjectIdentifier;
use der::asn1::{Any, AnyRef, OctetString, OctetStringRef, SetOfVec};
use der::referenced::OwnedToRef;
use der::{Decode, Encode, Sequence, Tag, Tagged};
use spki::AlgorithmIdentifierRef;

use super::bags::{
    CERT_BAG, CertBag, EncryptedKey, LOCAL_KEY_ID, Pkcs12Contents, SHROUDED_KEY_BAG, SafeBag, X509_CERTIFICATE,
};
use super::kdf::Password;
use super::kdf_budget::KdfBudget;
use super::mac::{self, MacData, Pkcs12Mac};
use super::{KeyFileError, broken, pbe, unwritable};
use crate::x509::to_der;
use strongroom_domain::key::CertificateDer;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");

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

/// Opens a file: its MAC first, where it has one.
///
/// No password can be meant in two ways (RFC 7292 appendix B.1): as text without characters, and as none at all.
pub(super) fn read(der: &[u8], password: &str, work: &mut KdfBudget) -> Result<Pkcs12Contents, KeyFileError> {
    match open(der, Password::Text(password), work) {
        Err(KeyFileError::WrongPassword) if password.is_empty() => open(der, Password::Absent, work),
        other => other,
    }
}

fn open(der: &[u8], password: Password<'_>, work: &mut KdfBudget) -> Result<Pkcs12Contents, KeyFileError> {
    let unreadable = |_| broken("PKCS#12 file");
    let pfx = Pfx::from_der(der).map_err(unreadable)?;
    if pfx.version != 3 || pfx.safe.content_type != DATA {
        return Err(KeyFileError::Malformed("only PKCS#12 files under a password are accepted".to_owned()));
    }
    let safe = pfx.safe.content.decode_as::<&OctetStringRef>().map_err(unreadable)?.as_bytes();
    if let Some(mac) = &pfx.mac {
        mac.verify(safe, password, work)?;
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

/// A file with one key and its certificates, the leaf first. Key and leaf carry `id`, by which
/// readers know that they belong together.
pub(super) fn write(
    pkcs8: &[u8],
    id: &[u8],
    certificates: &[CertificateDer],
    password: &str,
    mac: Pkcs12Mac,
) -> Result<Vec<u8>, KeyFileError> {
    encode(pkcs8, id, certificates, password, mac).map_err(|failure| match failure {
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

fn encode(
    pkcs8: &[u8],
    id: &[u8],
    certificates: &[CertificateDer],
    password: &str,
    mac: Pkcs12Mac,
) -> Result<Vec<u8>, Failure> {
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
    let safe = safes.to_der()?;
    let mac = mac::make(mac, &safe, password)?;
    let mac = MacData::from_der(&mac)?;
    let content = OctetString::new(safe)?.to_der()?;
    let safe = ContentInfo { content_type: DATA, content: AnyRef::from_der(&content)? };
    Ok(Pfx { version: 3, safe, mac: Some(mac) }.to_der()?)
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
