//! Signing with one session: what goes into the token, and whether what comes out is a
//! signature of the key that was meant.

use std::borrow::Cow;

use aws_lc_rs::digest::Digest;
use aws_lc_rs::signature::UnparsedPublicKey;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use crate::host::mechanism::{self, MechanismList};
use crate::host::session::token::Token;
use crate::key::SignInput;
use crate::options::SignatureVerification;
use crate::protocol::{CallFailure, FailureClass, SignCall};
use strongroom_domain::key::{HashAlgorithm, SignatureScheme};

/// One of so many signatures is verified where they are sampled.
const SAMPLE: u32 = 64;
/// What is signed where nobody asked for anything.
const OWN_INPUT: &[u8] = b"strongroom: does this token sign?";

/// Signs a request that was [`check`]ed by the raw mechanism, or by the hashing one where
/// the token lacks the raw one and the message is there.
///
/// # Errors
/// `Unsupported` when neither will do; otherwise what the token answered.
pub(in crate::host) fn sign(
    session: &Session,
    key: ObjectHandle,
    mechanisms: &MechanismList,
    request: &SignCall,
) -> Result<Vec<u8>, CallFailure> {
    let algorithm = request.algorithm;
    let raw = mechanism::raw(algorithm);
    if mechanism::signs(mechanisms, &raw) {
        return Ok(session.sign(&raw, key, &prepared(request))?);
    }
    let hashing = mechanism::hashing(algorithm);
    match &request.input {
        SignInput::Message(message) if mechanism::signs(mechanisms, &hashing) => {
            Ok(session.sign(&hashing, key, message)?)
        }
        _ => Err(unsupported(format!("the token has no mechanism for {algorithm} of this input"))),
    }
}

/// Refuses what would not make sense to any token; some crash on it.
///
/// # Errors
/// `Unsupported` when key, algorithm and input do not go together.
pub(in crate::host) fn check(request: &SignCall) -> Result<(), CallFailure> {
    let SignCall { key, algorithm, .. } = request;
    if !algorithm.fits(*key) {
        return Err(unsupported(format!("a key {key} does not sign {algorithm}")));
    }
    match (&request.input, algorithm.hash()) {
        (SignInput::Digest(_), None) => Err(unsupported(format!("{algorithm} signs messages, not digests"))),
        (SignInput::Digest(digest), Some(hash)) if digest.len() != hash.output_len() => {
            Err(unsupported(format!("a digest of {} bytes is none of {algorithm}", digest.len())))
        }
        _ => Ok(()),
    }
}

/// Whether `signature` is one of the request by the key of its SubjectPublicKeyInfo.
pub(in crate::host) fn verifies(request: &SignCall, signature: &[u8]) -> bool {
    let SignCall { algorithm, input, spki, .. } = request;
    let (verification, digest, kind) = match (algorithm.hash(), request.key.curve()) {
        // ECDSA signs an integer (FIPS 186-5 section 6.4.1): the curve's own hash names
        // the algorithm here, and a longer or shorter digest is fitted to its length.
        (Some(hash), Some(curve)) => {
            let fitted = field_integer(&digest_of(input, hash), curve.hash.output_len());
            (curve.verification, Cow::Owned(fitted), curve.hash)
        }
        (hash, None) => {
            let Some(verification) = algorithm.verification(None) else { return false };
            let Some(hash) = hash else {
                let SignInput::Message(message) = input else { return false };
                return UnparsedPublicKey::new(verification, spki).verify(message, signature).is_ok();
            };
            (verification, digest_of(input, hash), hash)
        }
        (None, Some(_)) => return false,
    };
    Digest::import_less_safe(&digest, kind.implementation())
        .and_then(|digest| UnparsedPublicKey::new(verification, spki).verify_digest(&digest, signature))
        .is_ok()
}

/// A signature of our own in the way of another: it shows whether a token works that failed others.
pub(in crate::host) fn own(request: &SignCall) -> SignCall {
    let input = match request.algorithm.hash() {
        Some(hash) => SignInput::Digest(hash.digest(OWN_INPUT)),
        None => SignInput::Message(OWN_INPUT.to_vec()),
    };
    SignCall { input, ..request.clone() }
}

/// Whether a session makes a signature that verifies.
pub(in crate::host) fn works(token: &Token, session: &Session, request: &SignCall) -> bool {
    let signed = token
        .private_key(session, &request.id, request.key)
        .and_then(|handle| sign(session, handle, &token.mechanisms, request));
    signed.is_ok_and(|signature| verifies(request, &signature))
}

/// Whether a signature is verified that is no handle's first, as the `count`-th of its session.
pub(in crate::host) const fn is_verified(verification: SignatureVerification, count: u32) -> bool {
    match verification {
        SignatureVerification::Every => true,
        SignatureVerification::Sampled => count.is_multiple_of(SAMPLE),
        SignatureVerification::First => false,
    }
}

/// What the raw mechanism takes.
fn prepared(request: &SignCall) -> Cow<'_, [u8]> {
    let input = &request.input;
    match request.algorithm.scheme() {
        SignatureScheme::EdDsa => match input {
            SignInput::Message(message) | SignInput::Digest(message) => Cow::Borrowed(message),
        },
        SignatureScheme::RsaPkcs1(hash) => Cow::Owned(digest_info(hash, &digest_of(input, hash))),
        SignatureScheme::RsaPss(hash) => digest_of(input, hash),
        SignatureScheme::Ecdsa(hash) => {
            let digest = digest_of(input, hash);
            // Tokens should cut a digest to the order's length themselves; not all do.
            Cow::Owned(
                digest.iter().copied().take(request.key.curve().map_or(usize::MAX, |curve| curve.scalar_len)).collect(),
            )
        }
    }
}

fn digest_of(input: &SignInput, hash: HashAlgorithm) -> Cow<'_, [u8]> {
    match input {
        SignInput::Message(message) => Cow::Owned(hash.digest(message)),
        SignInput::Digest(digest) => Cow::Borrowed(digest),
    }
}

/// The `DigestInfo` of a digest in DER (RFC 8017 section 9.2, note 1).
pub(in crate::host) fn digest_info(hash: HashAlgorithm, digest: &[u8]) -> Vec<u8> {
    // Lengths of one byte: the digests of SHA-2 have 64 bytes at most.
    let length = u8::try_from(hash.output_len()).unwrap_or(u8::MAX);
    let oid = hash.oid();
    let mut der = vec![0x30, length.saturating_add(17), 0x30, 0x0d, 0x06, 0x09];
    der.extend_from_slice(oid.as_bytes());
    der.extend_from_slice(&[0x05, 0x00, 0x04, length]);
    der.extend_from_slice(digest);
    der
}

/// The leftmost bytes of a digest, or as many zeros before it as are wanting.
fn field_integer(digest: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.saturating_sub(digest.len())];
    bytes.extend(digest.iter().take(length));
    bytes
}

fn unsupported(detail: impl Into<String>) -> CallFailure {
    CallFailure::new(FailureClass::Unsupported, detail)
}
