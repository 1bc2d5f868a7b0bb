//! Signing with one session: what goes into the token, and whether what comes out is a
//! signature of the key that was meant.

use std::borrow::Cow;

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;

use crate::host::mechanism::{self, MechanismList};
use crate::key::SignInput;
use crate::protocol::{CallFailure, FailureClass, SignCall};
use strongroom_domain::key::{HashAlgorithm, KeyAlgorithm, SignatureAlgorithm};

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
    let Some(hash) = request.algorithm.hash() else {
        let SignInput::Message(message) = &request.input else { return false };
        return UnparsedPublicKey::new(&signature::ED25519, &request.spki).verify(message, signature).is_ok();
    };
    let (algorithm, kind): (&'static dyn VerificationAlgorithm, _) = match (request.algorithm, request.key) {
        (SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256), _) => {
            (&signature::RSA_PKCS1_2048_8192_SHA256, &digest::SHA256)
        }
        (SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha384), _) => {
            (&signature::RSA_PKCS1_2048_8192_SHA384, &digest::SHA384)
        }
        (SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha512), _) => {
            (&signature::RSA_PKCS1_2048_8192_SHA512, &digest::SHA512)
        }
        (SignatureAlgorithm::RsaPss(HashAlgorithm::Sha256), _) => {
            (&signature::RSA_PSS_2048_8192_SHA256, &digest::SHA256)
        }
        (SignatureAlgorithm::RsaPss(HashAlgorithm::Sha384), _) => {
            (&signature::RSA_PSS_2048_8192_SHA384, &digest::SHA384)
        }
        (SignatureAlgorithm::RsaPss(HashAlgorithm::Sha512), _) => {
            (&signature::RSA_PSS_2048_8192_SHA512, &digest::SHA512)
        }
        (_, KeyAlgorithm::P256) => (&signature::ECDSA_P256_SHA256_FIXED, &digest::SHA256),
        (_, KeyAlgorithm::P384) => (&signature::ECDSA_P384_SHA384_FIXED, &digest::SHA384),
        (_, _) => (&signature::ECDSA_P521_SHA512_FIXED, &digest::SHA512),
    };
    let mut hashed = digest_of(&request.input, hash);
    if matches!(request.algorithm, SignatureAlgorithm::Ecdsa(_)) {
        // ECDSA signs an integer (FIPS 186-5 section 6.4.1): the curve's own hash names
        // the algorithm here, and a longer or shorter digest is fitted to its length.
        hashed = Cow::Owned(field_integer(&hashed, kind.output_len()));
    }
    Digest::import_less_safe(&hashed, kind)
        .and_then(|digest| UnparsedPublicKey::new(algorithm, &request.spki).verify_digest(&digest, signature))
        .is_ok()
}

/// What the raw mechanism takes.
fn prepared(request: &SignCall) -> Cow<'_, [u8]> {
    let input = &request.input;
    match request.algorithm {
        SignatureAlgorithm::Ed25519 => match input {
            SignInput::Message(message) | SignInput::Digest(message) => Cow::Borrowed(message),
        },
        SignatureAlgorithm::RsaPkcs1(hash) => Cow::Owned(digest_info(hash, &digest_of(input, hash))),
        SignatureAlgorithm::RsaPss(hash) => digest_of(input, hash),
        SignatureAlgorithm::Ecdsa(hash) => {
            let digest = digest_of(input, hash);
            // Tokens should cut a digest to the order's length themselves; not all do.
            Cow::Owned(digest.iter().copied().take(order_length(request.key)).collect())
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
    let (total, arc, length) = match hash {
        HashAlgorithm::Sha256 => (0x31, 0x01, 0x20),
        HashAlgorithm::Sha384 => (0x41, 0x02, 0x30),
        HashAlgorithm::Sha512 => (0x51, 0x03, 0x40),
    };
    let mut der =
        vec![0x30, total, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, arc, 0x05, 0x00];
    der.extend_from_slice(&[0x04, length]);
    der.extend_from_slice(digest);
    der
}

/// The leftmost bytes of a digest, or as many zeros before it as are wanting.
fn field_integer(digest: &[u8], length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length.saturating_sub(digest.len())];
    bytes.extend(digest.iter().take(length));
    bytes
}

const fn order_length(key: KeyAlgorithm) -> usize {
    match key {
        KeyAlgorithm::P256 => 32,
        KeyAlgorithm::P384 => 48,
        _ => 66,
    }
}

fn unsupported(detail: impl Into<String>) -> CallFailure {
    CallFailure::new(FailureClass::Unsupported, detail)
}
