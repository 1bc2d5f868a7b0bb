//! Sealing by RSA, for tokens without AES: OAEP under one key of the token, signed by
//! another, because OAEP authenticates nothing.

use cryptoki::object::{ObjectClass, ObjectHandle};
use cryptoki::session::Session;

use super::{Method, SealingKey, does_not_open, find, judge, new_id};
use crate::host::mechanism;
use crate::host::objects::{
    inventory,
    public_key::rsa_algorithm,
    template::{self, ExpectedOrigin},
};
use crate::host::operations::{decrypt, keygen, sign};
use crate::host::session::token::Token;
use crate::key::SignInput;
use crate::protocol::{CallFailure, FailureClass, GenerateCall, SignCall};
use crate::wire_secret::WireSecret;
use strongroom_domain::key::{DecryptionAlgorithm, KeyAlgorithm, KeyUse};

/// Prefix of the signed message (domain separation): a signature over a sealed blob is valid for nothing
/// else.
const DOMAIN: &[u8] = b"strongroom sealed by RSA-OAEP\0";

/// The sealing key of a label whose twin signs; a new pair of pairs where there is none.
///
/// # Errors
/// `Refused` when a new one is not as asked for, or what the token answered.
pub(super) fn key(token: &Token, session: &Session, label: &str) -> Result<SealingKey, CallFailure> {
    for key in find(session, ObjectClass::PRIVATE_KEY, label)? {
        let algorithm = algorithm(session, key.handle)?;
        let twin = signing_key(session, label, &key.id)?;
        if let (Some(algorithm), Some(twin)) = (algorithm, twin) {
            let (sealing, signing) = requests(label, &key.id, algorithm);
            if template::attest(session, key.handle, &sealing, ExpectedOrigin::Born).is_ok()
                && template::attest(session, twin, &signing, ExpectedOrigin::Born).is_ok()
            {
                return Ok(key);
            }
        }
        tracing::warn!(label, "a sealing key of the token is not fit to seal and is passed over");
    }
    make(token, session, label)
}

/// Encrypts outside of the token, where the secret is, and signs inside.
///
/// # Errors
/// `Unsupported` when the secret is too long, or what the token answered.
pub(super) fn seal(
    method: Method,
    token: &Token,
    session: &Session,
    key: &SealingKey,
    label: &str,
    bound: &[u8],
    secret: &[u8],
) -> Result<Vec<u8>, CallFailure> {
    let (_, spki) = public(session, key.handle)?;
    let mut sealed = decrypt::encrypt(&spki, algorithm_of(method), secret)
        .ok_or_else(|| CallFailure::new(FailureClass::Unsupported, "the secret is too long for RSA-OAEP"))?;
    let twin = signing_key(session, label, &key.id)?.ok_or_else(does_not_open)?;
    let request = signing(session, twin, key, bound, &sealed)?;
    sealed.extend(sign::sign(session, twin, &token.mechanisms, &request)?);
    Ok(sealed)
}

/// Opens what [`seal`] sealed, once its signature has verified.
///
/// # Errors
/// `Refused` when it does not open, or what the token answered.
pub(super) fn open(
    method: Method,
    token: &Token,
    session: &Session,
    key: &SealingKey,
    label: &str,
    bound: &[u8],
    body: &[u8],
) -> Result<WireSecret, CallFailure> {
    let Some(twin) = signing_key(session, label, &key.id)? else { return Err(token.not_found_failure(session)) };
    // Both keys are of one length, and so are ciphertext and signature.
    let (sealed, signature) = body.split_at(body.len() / 2);
    let request = signing(session, twin, key, bound, sealed)?;
    if !sign::verifies(&request, signature) {
        return Err(does_not_open());
    }
    let opened = session.decrypt(&mechanism::oaep(algorithm_of(method)), key.handle, sealed);
    opened.map(WireSecret::new).map_err(|error| judge(token, session, error))
}

/// Makes both pairs, or leaves neither.
fn make(token: &Token, session: &Session, label: &str) -> Result<SealingKey, CallFailure> {
    let Some(algorithm) = mechanism::sealing_rsa(&token.mechanisms) else {
        return Err(CallFailure::new(FailureClass::Unsupported, "the token makes no RSA keys to seal with"));
    };
    let id = new_id()?;
    let (sealing, signing) = requests(label, &id, algorithm);
    // The one that is searched for comes last: where it is, its twin is.
    for request in [&signing, &sealing] {
        if let Err(failure) = keygen::generate(token, session, request) {
            inventory::destroy(session, &id, &sealing.label)?;
            inventory::destroy(session, &id, &signing.label)?;
            return Err(failure);
        }
    }
    let mut made = find(session, ObjectClass::PRIVATE_KEY, label)?.into_iter();
    made.find(|key| key.id == id).ok_or_else(|| token.not_found_failure(session))
}

fn algorithm_of(method: Method) -> DecryptionAlgorithm {
    if method == Method::OaepSha256 { DecryptionAlgorithm::RsaOaep256 } else { DecryptionAlgorithm::RsaOaep }
}

fn requests(label: &str, id: &[u8], algorithm: KeyAlgorithm) -> (GenerateCall, GenerateCall) {
    let request = |label, key_use| GenerateCall { id: id.to_vec(), label, algorithm, key_use };
    (request(label.to_owned(), KeyUse::Decrypt), request(signing_label(label), KeyUse::Sign))
}

fn signing_label(label: &str) -> String {
    format!("{label}:sign")
}

fn signing_key(session: &Session, label: &str, id: &[u8]) -> Result<Option<ObjectHandle>, CallFailure> {
    let found = find(session, ObjectClass::PRIVATE_KEY, &signing_label(label))?;
    Ok(found.into_iter().find(|key| key.id == id).map(|key| key.handle))
}

/// What the twin signs. Its public half is read from the private object, which nobody
/// writes to a token without being logged in.
fn signing(
    session: &Session,
    twin: ObjectHandle,
    key: &SealingKey,
    bound: &[u8],
    sealed: &[u8],
) -> Result<SignCall, CallFailure> {
    let (algorithm, spki) = public(session, twin)?;
    let message = [DOMAIN, bound, sealed].concat();
    Ok(SignCall {
        id: key.id.clone(),
        key: algorithm,
        spki,
        algorithm: algorithm.default_signature_algorithm(),
        input: SignInput::Message(message),
    })
}

fn algorithm(session: &Session, key: ObjectHandle) -> Result<Option<KeyAlgorithm>, CallFailure> {
    Ok(rsa_algorithm(&template::rsa_components(session, key)?.0))
}

fn public(session: &Session, key: ObjectHandle) -> Result<(KeyAlgorithm, Vec<u8>), CallFailure> {
    let algorithm = algorithm(session, key)?.ok_or_else(does_not_open)?;
    Ok((algorithm, template::spki_of(session, key, algorithm)?.ok_or_else(does_not_open)?))
}
