//! Sealing by an AES key of the token: GCM, or key wrap where it has no GCM.

use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Method, SealingKey, does_not_open, find, judge, new_id};
use crate::host::objects::private_key::SecretParts;
use crate::host::session::token::Token;
use crate::protocol::{CallFailure, FailureClass};
use crate::wire_secret::WireSecret;
use strongroom_domain::clock;
use strongroom_domain::key::HashAlgorithm;

/// The one nonce length that GCM takes as it is (NIST SP 800-38D section 8.2).
const NONCE: usize = 12;
const TAG_BITS: u64 = 128;
/// The unit of key wrap (RFC 3394 section 2).
const SEMIBLOCK: usize = 8;

/// The sealing key of a label that is fit for `method`; a new one where there is none.
///
/// # Errors
/// `Refused` when a new one is not as asked for, or what the token answered.
pub(super) fn key(session: &Session, method: Method, label: &str) -> Result<SealingKey, CallFailure> {
    for key in find(session, ObjectClass::SECRET_KEY, label)? {
        if is_fit(session, key.handle, method)? {
            return Ok(key);
        }
        tracing::warn!(label, "a sealing key of the token is not fit to seal and is passed over");
    }
    let id = new_id()?;
    let mut template = vec![
        Attribute::ValueLen(32.into()),
        Attribute::Token(true),
        Attribute::Id(id.clone()),
        Attribute::Label(label.as_bytes().to_vec()),
    ];
    template.extend(nature(method));
    let handle = session.generate_key(&Mechanism::AesKeyGen, &template)?;
    if is_fit(session, handle, method)? {
        return Ok(SealingKey { id, handle });
    }
    session.destroy_object(handle)?;
    Err(CallFailure::new(FailureClass::Refused, "the token did not make the sealing key as it was asked to"))
}

/// Seals: a random nonce, ciphertext and tag.
///
/// # Errors
/// What the token answered.
pub(super) fn seal_gcm(
    session: &Session,
    key: ObjectHandle,
    bound: &[u8],
    secret: &[u8],
) -> Result<Vec<u8>, CallFailure> {
    let nonce =
        clock::random::<NONCE>().map_err(|error| CallFailure::new(FailureClass::Unavailable, error.to_string()))?;
    let mut given = nonce;
    let sealed = session.encrypt(&gcm(&mut given, bound)?, key, secret)?;
    Ok([nonce.as_slice(), &sealed].concat())
}

/// Opens what [`seal_gcm`] sealed.
///
/// # Errors
/// `Refused` when it does not open, or what the token answered.
pub(super) fn open_gcm(
    token: &Token,
    session: &Session,
    key: ObjectHandle,
    bound: &[u8],
    body: &[u8],
) -> Result<WireSecret, CallFailure> {
    let (nonce, sealed) = body.split_first_chunk::<NONCE>().ok_or_else(does_not_open)?;
    let opened = session.decrypt(&gcm(&mut nonce.clone(), bound)?, key, sealed);
    opened.map(WireSecret::new).map_err(|error| judge(token, session, error))
}

/// Wraps the digest of what is bound, the secret's length and the secret, filled up to
/// whole semiblocks: key wrap authenticates what it wraps and takes nothing beside it.
///
/// # Errors
/// What the token answered.
pub(super) fn wrap(session: &Session, key: ObjectHandle, bound: &[u8], secret: &[u8]) -> Result<Vec<u8>, CallFailure> {
    let length = u32::try_from(secret.len())
        .map_err(|_| CallFailure::new(FailureClass::Unsupported, "the secret is too long to be wrapped"))?;
    let mut plain = Zeroizing::new(Vec::with_capacity(secret.len() + 64));
    plain.extend(HashAlgorithm::Sha256.digest(bound));
    plain.extend(length.to_be_bytes());
    plain.extend_from_slice(secret);
    let whole = plain.len().next_multiple_of(SEMIBLOCK);
    plain.resize(whole, 0);
    let mut template = SecretParts(passing());
    template.0.push(Attribute::Value(plain.to_vec()));
    let passing = session.create_object(&template.0)?;
    let wrapped = session.wrap_key(&Mechanism::AesKeyWrap, key, passing);
    session.destroy_object(passing)?;
    Ok(wrapped?)
}

/// Opens what [`wrap`] wrapped.
///
/// # Errors
/// `Refused` when it does not open, or what the token answered.
pub(super) fn unwrap(
    token: &Token,
    session: &Session,
    key: ObjectHandle,
    bound: &[u8],
    body: &[u8],
) -> Result<WireSecret, CallFailure> {
    let passing = session
        .unwrap_key(&Mechanism::AesKeyWrap, key, body, &passing())
        .map_err(|error| judge(token, session, error))?;
    let read = session.get_attributes(passing, &[AttributeType::Value]);
    session.destroy_object(passing)?;
    let read = SecretParts(read?);
    let plain = read.0.iter().find_map(|attribute| match attribute {
        Attribute::Value(value) => Some(value.as_slice()),
        _ => None,
    });
    let secret = plain.and_then(|plain| {
        let (digest, plain) = plain.split_first_chunk::<32>()?;
        let (length, plain) = plain.split_first_chunk::<4>()?;
        let (secret, _) = plain.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        bool::from(digest.ct_eq(HashAlgorithm::Sha256.digest(bound).as_slice()))
            .then(|| WireSecret::new(secret.to_vec()))
    });
    secret.ok_or_else(does_not_open)
}

fn gcm<'a>(nonce: &'a mut [u8], bound: &'a [u8]) -> Result<Mechanism<'a>, CallFailure> {
    Ok(Mechanism::AesGcm(GcmParams::new(nonce, bound, TAG_BITS.into())?))
}

/// What a sealing key is, said in its template and read back before each use.
fn nature(method: Method) -> Vec<Attribute> {
    let wraps = method == Method::AesKeyWrap;
    vec![
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Encrypt(!wraps),
        Attribute::Decrypt(!wraps),
        Attribute::Wrap(wraps),
        Attribute::Unwrap(wraps),
        Attribute::Sign(false),
        Attribute::Verify(false),
        Attribute::Derive(false),
    ]
}

fn is_fit(session: &Session, key: ObjectHandle, method: Method) -> Result<bool, CallFailure> {
    let mut nature = nature(method);
    nature.extend([
        Attribute::Token(true),
        Attribute::KeyType(KeyType::AES),
        Attribute::Local(true),
        Attribute::AlwaysSensitive(true),
        Attribute::NeverExtractable(true),
    ]);
    let kinds: Vec<AttributeType> = nature.iter().map(Attribute::attribute_type).collect();
    let read = session.get_attributes(key, &kinds)?;
    Ok(nature.iter().all(|wanted| read.contains(wanted)))
}

/// A secret on its way into or out of a wrapping: gone with the call.
fn passing() -> Vec<Attribute> {
    vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::GENERIC_SECRET),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(false),
        Attribute::Extractable(true),
    ]
}
