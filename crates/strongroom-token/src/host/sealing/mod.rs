//! Sealing what is kept outside of the token under a key that never leaves it.
//!
//! Owns sealing keys, which carry the label `sr-seal:{store id}`, and the form of what was
//! sealed: a version, a method, the `CKA_ID` of the key with its length, and the method's
//! own bytes. Does not own what is sealed or where it lies.
//!
//! Invariants: everything before the method's own bytes, and the context, are
//! authenticated with the secret; nothing is given out as sealed that the token did not
//! open again; a sealing key is used only while it reads back as sensitive, not
//! extractable and without other uses; every way of not opening is one and the same answer.

use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use subtle::ConstantTimeEq as _;

use crate::host::mechanism;
use crate::host::session::token::Token;
use crate::protocol::{CallFailure, FailureClass, SealingScheme};
use crate::wire_secret::WireSecret;
use strongroom_domain::key::Locator;

mod aes;
mod oaep;

const VERSION: u8 = 1;

/// How one blob is sealed, and by which key.
struct Header {
    method: Method,
    id: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    AesGcm = 1,
    AesKeyWrap = 2,
    OaepSha256 = 3,
    OaepSha1 = 4,
}

/// Seals a secret in a context under the key of this label, made where there is none.
///
/// # Errors
/// `Unsupported` when the token cannot, `Refused` when it does not keep a key as asked, or
/// what it answered.
pub(super) fn seal(
    token: &Token,
    session: &Session,
    label: &str,
    context: &[u8],
    secret: &[u8],
) -> Result<Vec<u8>, CallFailure> {
    let Some(scheme) = mechanism::sealing(&token.mechanisms) else {
        return Err(CallFailure::new(FailureClass::Unsupported, "the token has no mechanism to seal with"));
    };
    let methods: &[Method] = match scheme {
        SealingScheme::AesGcm => &[Method::AesGcm],
        SealingScheme::AesKeyWrap => &[Method::AesKeyWrap],
        // What hash a token takes only trying tells (SoftHSM 2.6.1: SHA-1 alone, 2026-11-20).
        SealingScheme::SignedOaep => &[Method::OaepSha256, Method::OaepSha1],
    };
    let mut failure = None;
    for method in methods {
        match seal_by(*method, token, session, label, context, secret) {
            Ok(sealed) => return Ok(sealed),
            Err(failed) if failed.class == FailureClass::Broken => return Err(failed),
            Err(failed) => failure = Some(failed),
        }
    }
    Err(failure.unwrap_or_else(does_not_open))
}

/// Opens what was sealed in this context under a key of this label.
///
/// # Errors
/// `Refused` when it does not open, whatever the reason; `KeyMissing` when there is no
/// sealing key of this label any more; or what the token answered.
pub(super) fn unseal(
    token: &Token,
    session: &Session,
    label: &str,
    context: &[u8],
    sealed: &[u8],
) -> Result<WireSecret, CallFailure> {
    let (header, body) = Header::parse(sealed).ok_or_else(does_not_open)?;
    let bound = [header.to_bytes()?.as_slice(), context].concat();
    let class = header.method.class();
    let Some(key) = find(session, class, label)?.into_iter().find(|key| key.id == header.id) else {
        // A blob that names another key than there is was altered; without any key, it was lost.
        return Err(if is_there(session, label)? { does_not_open() } else { token.not_found_failure(session) });
    };
    match header.method {
        Method::AesGcm => aes::open_gcm(token, session, key.handle, &bound, body),
        Method::AesKeyWrap => aes::unwrap(token, session, key.handle, &bound, body),
        Method::OaepSha256 | Method::OaepSha1 => oaep::open(header.method, token, session, &key, label, &bound, body),
    }
}

/// Whether there is a sealing key of this label.
///
/// # Errors
/// What the token answered.
pub(super) fn is_there(session: &Session, label: &str) -> Result<bool, CallFailure> {
    Ok(!find(session, ObjectClass::SECRET_KEY, label)?.is_empty()
        || !find(session, ObjectClass::PRIVATE_KEY, label)?.is_empty())
}

fn seal_by(
    method: Method,
    token: &Token,
    session: &Session,
    label: &str,
    context: &[u8],
    secret: &[u8],
) -> Result<Vec<u8>, CallFailure> {
    let key = match method {
        Method::AesGcm | Method::AesKeyWrap => aes::key(session, method, label)?,
        Method::OaepSha256 | Method::OaepSha1 => oaep::key(token, session, label)?,
    };
    let mut sealed = Header { method, id: key.id.clone() }.to_bytes()?;
    let bound = [sealed.as_slice(), context].concat();
    sealed.extend(match method {
        Method::AesGcm => aes::seal_gcm(session, key.handle, &bound, secret)?,
        Method::AesKeyWrap => aes::wrap(session, key.handle, &bound, secret)?,
        Method::OaepSha256 | Method::OaepSha1 => oaep::seal(method, token, session, &key, label, &bound, secret)?,
    });
    let opened = unseal(token, session, label, context, &sealed)?;
    if bool::from(opened.expose().ct_eq(secret)) { Ok(sealed) } else { Err(does_not_open()) }
}

/// A key of the token, by what it is found again.
struct SealingKey {
    id: Vec<u8>,
    handle: ObjectHandle,
}

/// Every key of a class and label that has a `CKA_ID`.
fn find(session: &Session, class: ObjectClass, label: &str) -> Result<Vec<SealingKey>, CallFailure> {
    let mut keys = Vec::new();
    for handle in session.find_objects(&[Attribute::Class(class), Attribute::Label(label.as_bytes().to_vec())])? {
        for attribute in session.get_attributes(handle, &[AttributeType::Id])? {
            if let Attribute::Id(id) = attribute
                && !id.is_empty()
            {
                keys.push(SealingKey { id, handle });
            }
        }
    }
    // Several clients may each have made one: all seal with the same.
    keys.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(keys)
}

fn new_id() -> Result<Vec<u8>, CallFailure> {
    let locator = Locator::new().map_err(|error| CallFailure::new(FailureClass::Unavailable, error.to_string()))?;
    Ok(locator.as_bytes().to_vec())
}

/// What an error means while something is opened: that it was altered, or of the token.
fn judge(token: &Token, session: &Session, error: Error) -> CallFailure {
    use RvError as Rv;
    match &error {
        Error::Pkcs11(
            Rv::EncryptedDataInvalid
            | Rv::EncryptedDataLenRange
            | Rv::WrappedKeyInvalid
            | Rv::WrappedKeyLenRange
            | Rv::DataInvalid
            | Rv::DataLenRange
            | Rv::KeyFunctionNotPermitted
            | Rv::KeyTypeInconsistent
            | Rv::UnwrappingKeyTypeInconsistent,
            _,
        ) => does_not_open(),
        // SoftHSM's answer to a tag that is wrong (2.6.1, 2026-11-20).
        Error::Pkcs11(Rv::GeneralError | Rv::FunctionFailed, _) if token.is_alive(session) => does_not_open(),
        _ => error.into(),
    }
}

fn does_not_open() -> CallFailure {
    CallFailure::new(FailureClass::Refused, "what was sealed does not open: altered, or sealed for another purpose")
}

impl Header {
    fn parse(sealed: &[u8]) -> Option<(Self, &[u8])> {
        let (&[version, method, length], rest) = sealed.split_first_chunk()?;
        let (id, body) = rest.split_at_checked(usize::from(length))?;
        let method = Method::ALL.into_iter().find(|known| *known as u8 == method)?;
        (version == VERSION && !id.is_empty()).then(|| (Self { method, id: id.to_vec() }, body))
    }

    fn to_bytes(&self) -> Result<Vec<u8>, CallFailure> {
        let length = u8::try_from(self.id.len())
            .map_err(|_| CallFailure::new(FailureClass::Refused, "the sealing key's CKA_ID is too long"))?;
        Ok([&[VERSION, self.method as u8, length], self.id.as_slice()].concat())
    }
}

impl Method {
    const ALL: [Self; 4] = [Self::AesGcm, Self::AesKeyWrap, Self::OaepSha256, Self::OaepSha1];

    const fn class(self) -> ObjectClass {
        match self {
            Self::AesGcm | Self::AesKeyWrap => ObjectClass::SECRET_KEY,
            Self::OaepSha256 | Self::OaepSha1 => ObjectClass::PRIVATE_KEY,
        }
    }
}
