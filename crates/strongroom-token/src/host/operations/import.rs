//! Bringing a private key in and proving it, or leaving nothing behind.

use aws_lc_rs::key_wrap::{AES_256, AesKek, KeyWrapPadded as _};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use zeroize::Zeroizing;

use super::keygen::{self, TokenKeyPair};
use crate::failpoint::{self, Failpoint};
use crate::host::mechanism::{self, MechanismList};
use crate::host::objects::inventory;
use crate::host::objects::private_key::{PrivateKey, SecretParts};
use crate::host::objects::template::{self, ExpectedOrigin};
use crate::host::session::token::Token;
use crate::protocol::{CallFailure, FailureClass, GenerateCall};
use strongroom_domain::clock;

/// What key wrap with padding adds at most (RFC 5649 section 4).
const WRAPPING: usize = 15;

/// Brings a key in by unwrapping, or in parts where the token does not unwrap it, and
/// proves it. After an error something may have been left in the token: the caller
/// destroys what carries the locator and label.
///
/// # Errors
/// `Unsupported`, `Refused` when the key or the proof fails, or what the token answered.
pub(in crate::host) fn import(
    token: &Token,
    session: &Session,
    request: &GenerateCall,
    key: &PrivateKey,
) -> Result<TokenKeyPair, CallFailure> {
    let private = match unwrapped(session, &token.mechanisms, request, key) {
        Ok(handle) => handle,
        Err(failure) => {
            tracing::debug!(detail = failure.detail, "the token does not unwrap the key; it is created in parts");
            inventory::destroy(session, &request.id, &request.label)?;
            let template = key.with_secret_parts([identity(request), template::private(request)].concat());
            session.create_object(&template.0)?
        }
    };
    let public = session.create_object(&public(request, key))?;
    let attestation = template::attest(session, private, request, ExpectedOrigin::Imported)?;
    if template::spki(session, public, request)? != key.spki() {
        return Err(CallFailure::new(FailureClass::Refused, "the token shows another public key than was given"));
    }
    keygen::attest_pair(token, session, private, request, key.spki())?;
    failpoint::hit(Failpoint::ImportAfter)?;
    Ok(TokenKeyPair { private, spki: key.spki().to_vec(), attestation })
}

/// The key as the token unwraps it (PKCS#11 section 5.18.4) by a key that lives as long as
/// this takes, so that no attribute of it is in clear in any call.
fn unwrapped(
    session: &Session,
    mechanisms: &MechanismList,
    request: &GenerateCall,
    key: &PrivateKey,
) -> Result<ObjectHandle, CallFailure> {
    if !mechanism::unwraps_padded(mechanisms) {
        return Err(CallFailure::new(FailureClass::Unsupported, "no AES key wrap with padding"));
    }
    let kek = Zeroizing::new(clock::random::<32>().map_err(|error| internal(&error))?);
    let mut wrapped = vec![0; key.pkcs8().len() + WRAPPING];
    let wrapped = AesKek::new(&AES_256, &*kek)
        .and_then(|kek| kek.wrap_with_padding(key.pkcs8(), &mut wrapped))
        .map_err(|error| internal(&error))?;
    let template = SecretParts(vec![
        Attribute::Class(ObjectClass::SECRET_KEY),
        Attribute::KeyType(KeyType::AES),
        Attribute::Token(false),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Unwrap(true),
        Attribute::Value(kek.to_vec()),
    ]);
    let kek = session.create_object(&template.0)?;
    let template = [identity(request), template::private(request)].concat();
    let unwrapped = session.unwrap_key(&Mechanism::AesKeyWrapPad, kek, wrapped, &template);
    session.destroy_object(kek)?;
    Ok(unwrapped?)
}

fn identity(request: &GenerateCall) -> Vec<Attribute> {
    vec![Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::KeyType(mechanism::key_type(request.algorithm))]
}

fn public(request: &GenerateCall, key: &PrivateKey) -> Vec<Attribute> {
    let identity =
        vec![Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::KeyType(mechanism::key_type(request.algorithm))];
    [identity, template::public_uses(request), key.public_parts()].concat()
}

fn internal(error: &dyn std::error::Error) -> CallFailure {
    CallFailure::new(FailureClass::Unavailable, error.to_string())
}
