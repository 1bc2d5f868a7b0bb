//! A key that was in the token already: the one that is meant, and whether it can be used.

use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::keygen;
use crate::SEALING_LABEL;
use crate::host::objects::public_key::{curve_of, rsa_algorithm};
use crate::host::objects::template;
use crate::host::session::token::Token;
use crate::protocol::{CallFailure, FailureClass, GenerateCall, SelectedKey};
use strongroom_domain::key::{KeyAlgorithm, KeyFamily, KeyUse};

const ACCEPTED: &str = "accepted are RSA with 2048, 3072 or 4096 bits and the exponent 65537, P-256, P-384, P-521 \
                        and Ed25519";

/// Finds the one private key with this `CKA_ID` and this label, as far as given, that
/// signs for a public half that the token shows.
///
/// # Errors
/// `KeyMissing` when there is none, `Refused` with the reason when it cannot be used, or
/// what the token answered.
pub(in crate::host) fn find(
    token: &Token,
    session: &Session,
    id: Option<&[u8]>,
    label: Option<&str>,
) -> Result<SelectedKey, CallFailure> {
    let mut names: Vec<Attribute> = id.map(|id| Attribute::Id(id.to_vec())).into_iter().collect();
    names.extend(label.map(|label| Attribute::Label(label.as_bytes().to_vec())));
    if names.is_empty() {
        return Err(refused("name the key by its CKA_ID or its label"));
    }
    let private = one(token, session, &names)?;
    let called = Named::read(session, private)?;
    if called.label.starts_with("sr:") || called.label.starts_with(SEALING_LABEL) {
        return Err(refused(format!("the key {:?} is one of Strongroom's own", called.label)));
    }
    if called.id.is_empty() {
        return Err(refused("the key has no CKA_ID; give it one first"));
    }
    // Signatures find it by its CKA_ID alone.
    one(token, session, &[Attribute::Id(called.id.clone())])?;
    check_usable(session, private)?;
    let algorithm = algorithm(session, private)?.ok_or_else(|| refused(ACCEPTED))?;
    let request = GenerateCall { id: called.id, label: called.label, algorithm, key_use: KeyUse::Sign };
    let spki = proven_spki(token, session, private, &request)?;
    let attestation = format!("found: {}", template::describe(session, private)?);
    Ok(SelectedKey { id: request.id, algorithm, spki, attestation })
}

/// The one private key of these names.
fn one(token: &Token, session: &Session, names: &[Attribute]) -> Result<ObjectHandle, CallFailure> {
    match search(session, ObjectClass::PRIVATE_KEY, names)?.as_slice() {
        [one] => Ok(*one),
        [] if !search(session, ObjectClass::SECRET_KEY, names)?.is_empty() => {
            Err(refused("the key is a secret key; a private key is needed"))
        }
        [] => Err(token.not_found_failure(session)),
        several => Err(refused(format!("{} private keys match; name one by a CKA_ID of its own", several.len()))),
    }
}

fn search(session: &Session, class: ObjectClass, names: &[Attribute]) -> Result<Vec<ObjectHandle>, CallFailure> {
    let template: Vec<Attribute> = [Attribute::Class(class)].into_iter().chain(names.iter().cloned()).collect();
    Ok(session.find_objects(&template)?)
}

/// What the key is called.
#[derive(Default)]
struct Named {
    id: Vec<u8>,
    label: String,
}

impl Named {
    fn read(session: &Session, key: ObjectHandle) -> Result<Self, CallFailure> {
        let mut called = Self::default();
        for attribute in session.get_attributes(key, &[AttributeType::Id, AttributeType::Label])? {
            match attribute {
                Attribute::Id(id) => called.id = id,
                Attribute::Label(label) => called.label = String::from_utf8_lossy(&label).into_owned(),
                _ => {}
            }
        }
        Ok(called)
    }
}

/// Refuses a key that would not sign for us, or not without being asked for a PIN each time.
fn check_usable(session: &Session, key: ObjectHandle) -> Result<(), CallFailure> {
    let wanted = [AttributeType::Token, AttributeType::Sign];
    let read = session.get_attributes(key, &wanted)?;
    if !read.contains(&Attribute::Token(true)) {
        return Err(refused("the key lives in a session, not in the token"));
    }
    if !read.contains(&Attribute::Sign(true)) {
        return Err(refused("the key may not sign (CKA_SIGN is false)"));
    }
    let asked = session.get_attributes(key, &[AttributeType::AlwaysAuthenticate])?;
    if asked.contains(&Attribute::AlwaysAuthenticate(true)) {
        return Err(refused("the key wants the PIN before each signature (CKA_ALWAYS_AUTHENTICATE)"));
    }
    Ok(())
}

/// What the key is; `None` when it is none that could be used here.
fn algorithm(session: &Session, key: ObjectHandle) -> Result<Option<KeyAlgorithm>, CallFailure> {
    let mut algorithm = None;
    for attribute in session.get_attributes(key, &[AttributeType::KeyType])? {
        algorithm = match attribute {
            Attribute::KeyType(KeyType::RSA) => rsa_algorithm(&template::rsa_components(session, key)?.0),
            Attribute::KeyType(KeyType::EC) => curve(session, key)?.filter(|curve| curve.family() == KeyFamily::Ec),
            Attribute::KeyType(KeyType::EC_EDWARDS) => {
                curve(session, key)?.filter(|curve| curve.family() == KeyFamily::EdDsa)
            }
            _ => None,
        };
    }
    Ok(algorithm)
}

fn curve(session: &Session, key: ObjectHandle) -> Result<Option<KeyAlgorithm>, CallFailure> {
    let read = session.get_attributes(key, &[AttributeType::EcParams])?;
    Ok(read.iter().find_map(|attribute| match attribute {
        Attribute::EcParams(params) => curve_of(params),
        _ => None,
    }))
}

/// The public half that a signature of the key verifies by: what the private object
/// itself shows, else a public object of the same `CKA_ID`.
fn proven_spki(
    token: &Token,
    session: &Session,
    private: ObjectHandle,
    request: &GenerateCall,
) -> Result<Vec<u8>, CallFailure> {
    let publics = search(session, ObjectClass::PUBLIC_KEY, &[Attribute::Id(request.id.clone())])?;
    let mut why = refused(format!("the token shows no public half of this {} key; {ACCEPTED}", request.algorithm));
    for object in [private].into_iter().chain(publics) {
        let Some(spki) = template::spki_of(session, object, request.algorithm)? else { continue };
        match keygen::attest_by_signature(token, session, private, request, &spki) {
            Ok(()) => return Ok(spki),
            Err(failure) if failure.class == FailureClass::Refused => why = failure,
            Err(failure) => return Err(failure),
        }
    }
    Err(why)
}

fn refused(detail: impl Into<String>) -> CallFailure {
    CallFailure::new(FailureClass::Refused, detail)
}
