//! Making a key pair and proving it, or leaving nothing behind.

use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use super::decrypt;
use super::sign;
use crate::failpoint::{self, Failpoint};
use crate::host::mechanism;
use crate::host::objects::template::{self, ExpectedOrigin};
use crate::host::session::token::Token;
use crate::key::SignInput;
use crate::protocol::{CallFailure, FailureClass, GenerateCall, SignCall};
use strongroom_domain::key::{KeyFamily, KeyUse};

const NO_DECRYPTION: &str = "the token does not decrypt by RSA-OAEP";

/// A pair that was made and proven.
pub(in crate::host) struct TokenKeyPair {
    pub(in crate::host) private: ObjectHandle,
    pub(in crate::host) spki: Vec<u8>,
    pub(in crate::host) attestation: String,
}

/// Makes a key pair and proves it. After an error something may have been left in the
/// token: the caller destroys what carries the locator and label.
///
/// # Errors
/// `Unsupported`, `Refused` when the proof fails, or what the token answered.
pub(in crate::host) fn generate(
    token: &Token,
    session: &Session,
    request: &GenerateCall,
) -> Result<TokenKeyPair, CallFailure> {
    let way = mechanism::key_pair(request.algorithm);
    let (public, private) = session.generate_key_pair(&way, &template::public(request), &template::private(request))?;
    let attestation = template::attest(session, private, request, ExpectedOrigin::Born)?;
    let spki = template::spki(session, public, request)?;
    attest_pair(token, session, private, request, &spki)?;
    failpoint::hit(Failpoint::GenerateAfter)?;
    Ok(TokenKeyPair { private, spki, attestation })
}

/// Reads a key back that was made here earlier; with `trial` it also signs.
///
/// # Errors
/// `Refused` when it is not as it was made, or not the key of this public half.
pub(in crate::host) fn attest_again(
    token: &Token,
    session: &Session,
    private: ObjectHandle,
    request: &GenerateCall,
    spki: &[u8],
    trial: bool,
) -> Result<String, CallFailure> {
    let attestation = template::attest(session, private, request, template::ExpectedOrigin::Born)?;
    let shown = template::spki_of(session, private, request.algorithm)?;
    if shown.as_ref().is_some_and(|shown| shown != spki) {
        return Err(CallFailure::new(FailureClass::Refused, "the key shows another public half"));
    }
    // A private object that shows no public half (of a curve, mostly) is judged by its signature alone.
    if trial || shown.is_none() {
        attest_by_signature(token, session, private, request, spki)?;
    }
    Ok(attestation)
}

/// Refuses what this token will not make.
///
/// # Errors
/// `Unsupported`.
pub(in crate::host) fn check(token: &Token, request: &GenerateCall) -> Result<(), CallFailure> {
    let algorithm = request.algorithm;
    if request.key_use == KeyUse::Decrypt && token.decryptions.is_empty() {
        return Err(CallFailure::new(FailureClass::Unsupported, NO_DECRYPTION));
    }
    if request.key_use == KeyUse::Decrypt && algorithm.family() != KeyFamily::Rsa {
        return Err(CallFailure::new(FailureClass::Unsupported, format!("a key {algorithm} does not decrypt")));
    }
    if mechanism::algorithms(&token.mechanisms).iter().any(|(known, _)| *known == algorithm) {
        Ok(())
    } else {
        Err(CallFailure::new(FailureClass::Unsupported, format!("the token makes no {algorithm} keys")))
    }
}

/// Whether the halves belong together.
///
/// # Errors
/// `Refused` when they do not; or what the token answered.
pub(in crate::host) fn attest_pair(
    token: &Token,
    session: &Session,
    private: ObjectHandle,
    request: &GenerateCall,
    spki: &[u8],
) -> Result<(), CallFailure> {
    match request.key_use {
        KeyUse::Sign => attest_by_signature(token, session, private, request, spki),
        KeyUse::Decrypt => attest_by_decryption(token, session, private, spki),
    }
}

/// One signature that the public half verifies: the halves belong together, and the key
/// works. Some tokens make keys that they cannot use (tpm2-pkcs11 1.9 with P-521,
/// 2026-11-20); beside the generation a signature costs nothing.
///
/// # Errors
/// `Refused` when it does not verify; or what the token answered.
pub(in crate::host) fn attest_by_signature(
    token: &Token,
    session: &Session,
    private: ObjectHandle,
    request: &GenerateCall,
    spki: &[u8],
) -> Result<(), CallFailure> {
    let able = mechanism::algorithms(&token.mechanisms).into_iter().find(|(key, _)| *key == request.algorithm);
    let Some(algorithm) = able.and_then(|(_, signatures)| signatures.first().copied()) else {
        return Err(CallFailure::new(FailureClass::Unsupported, "the token has no mechanism to sign with"));
    };
    let trial = SignCall {
        id: request.id.clone(),
        key: request.algorithm,
        spki: spki.to_vec(),
        algorithm,
        // Not a text that anybody else would want signed.
        input: SignInput::Message(format!("strongroom proof of possession {}", request.label).into_bytes()),
    };
    let signature = sign::sign(session, private, &token.mechanisms, &trial)?;
    if sign::verifies(&trial, &signature) {
        Ok(())
    } else {
        Err(CallFailure::new(FailureClass::Refused, "the key's signature does not verify"))
    }
}

/// One decryption of what the public half has encrypted.
fn attest_by_decryption(
    token: &Token,
    session: &Session,
    private: ObjectHandle,
    spki: &[u8],
) -> Result<(), CallFailure> {
    let able = token.decryptions.first().copied();
    let algorithm = able.ok_or_else(|| CallFailure::new(FailureClass::Unsupported, NO_DECRYPTION))?;
    decrypt::attest(session, private, algorithm, spki)
}
