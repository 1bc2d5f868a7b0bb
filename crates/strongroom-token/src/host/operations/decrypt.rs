//! Decrypting with one session: what the token can, what a failure means, and whether a
//! handle is that of the key that was meant.

use aws_lc_rs::rsa::{OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use subtle::ConstantTimeEq as _;

use crate::host::error_text::describe;
use crate::host::mechanism::{self, MechanismList};
use crate::host::objects::public_key::RSA_EXPONENT;
use crate::host::session::token::Token;
use crate::protocol::{CallFailure, DecryptCall, FailureClass};
use crate::wire_secret::WireSecret;
use strongroom_domain::clock::random;
use strongroom_domain::key::{DecryptionAlgorithm, KeyFamily};

/// How the token decrypts, the best first. Its list of mechanisms names no hashes (SoftHSM
/// 2.6.1 takes SHA-1 alone, 2026-11-20), so a public key that is no one's is put into a
/// session and encryption begun; a token that will not say is believed to take both.
pub(in crate::host) fn supported_algorithms(mechanisms: &MechanismList, session: &Session) -> Vec<DecryptionAlgorithm> {
    if !mechanism::decrypts(mechanisms) {
        return Vec::new();
    }
    let template = [
        Attribute::Class(ObjectClass::PUBLIC_KEY),
        Attribute::KeyType(KeyType::RSA),
        Attribute::Token(false),
        Attribute::Private(false),
        Attribute::Encrypt(true),
        // 2048 bits, odd: nothing is ever encrypted by it.
        Attribute::Modulus(vec![0xc5; 256]),
        Attribute::PublicExponent(RSA_EXPONENT.to_vec()),
    ];
    let mut able = DecryptionAlgorithm::ALL.to_vec();
    able.reverse();
    if let Ok(key) = session.create_object(&template) {
        // The one that may not be able comes first: what is begun cannot be ended.
        able.retain(|algorithm| !session.encrypt_init(&mechanism::oaep(*algorithm), key).is_err_and(|e| lacks(&e)));
    }
    able
}

/// Refuses what no key of this kind decrypts, before the token sees it.
///
/// # Errors
/// `Unsupported` for keys that are not RSA, `NotDecrypted` for ciphertexts of another
/// length than the modulus (RFC 8017 section 7.1.2, step 1).
pub(in crate::host) fn check(request: &DecryptCall) -> Result<(), CallFailure> {
    if request.key.family() != KeyFamily::Rsa {
        return Err(CallFailure::new(FailureClass::Unsupported, format!("a key {} does not decrypt", request.key)));
    }
    if usize::try_from(request.key.bits() / 8) != Ok(request.ciphertext.len()) {
        return Err(not_decrypted());
    }
    Ok(())
}

/// Decrypts by a handle that was proven.
///
/// # Errors
/// `NotDecrypted`, whatever is wrong with the ciphertext; `Unsupported` when the token
/// lacks the hash; otherwise what the token answered.
pub(in crate::host) fn decrypt(
    token: &Token,
    session: &Session,
    key: ObjectHandle,
    request: &DecryptCall,
) -> Result<WireSecret, CallFailure> {
    let opened = session.decrypt(&mechanism::oaep(request.algorithm), key, &request.ciphertext);
    opened.map(WireSecret::new).map_err(|error| {
        if is_about_ciphertext(&error, || token.is_alive(session)) || is_this_input(&error, token, request) {
            not_decrypted()
        } else {
            failure(error)
        }
    })
}

/// Whether an error that could mean anything is about this ciphertext: the same key opens one of our own
/// in another session. Kryoptic answers a wrong padding with `CKR_DEVICE_ERROR` (1.5.4, 2026-11-28).
fn is_this_input(error: &Error, token: &Token, request: &DecryptCall) -> bool {
    matches!(error, Error::Pkcs11(_, Function::Decrypt))
        && token.session().is_ok_and(|session| {
            let key = token.private_key(&session, &request.id, request.key);
            key.is_ok_and(|key| attest(&session, key, request.algorithm, &request.spki).is_ok())
        })
}

/// Passes when a key opens what was encrypted outside of the token by its public half.
///
/// # Errors
/// `Refused` when it does not: it is another key; `Unsupported` when the token lacks the
/// hash; otherwise what the token answered.
pub(in crate::host) fn attest(
    session: &Session,
    key: ObjectHandle,
    algorithm: DecryptionAlgorithm,
    spki: &[u8],
) -> Result<(), CallFailure> {
    let refused = |why| CallFailure::new(FailureClass::Refused, why);
    let secret = random::<32>().map_err(|error| CallFailure::new(FailureClass::Unavailable, error.to_string()))?;
    let sealed = encrypt(spki, algorithm, &secret).ok_or_else(|| refused("the public half does not encrypt"))?;
    match session.decrypt(&mechanism::oaep(algorithm), key, &sealed).map(WireSecret::new) {
        Ok(opened) if bool::from(opened.expose().ct_eq(&secret)) => Ok(()),
        Err(error) if !is_about_ciphertext(&error, || true) => Err(failure(error)),
        _ => Err(refused("the key does not decrypt for its public half: another has this CKA_ID, or the token errs")),
    }
}

/// Encrypts outside of the token; `None` when the plaintext is too long, or the public half
/// no RSA key.
pub(in crate::host) fn encrypt(spki: &[u8], algorithm: DecryptionAlgorithm, plaintext: &[u8]) -> Option<Vec<u8>> {
    let public = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(spki).ok()?).ok()?;
    let oaep = match algorithm {
        DecryptionAlgorithm::RsaOaep => &OAEP_SHA1_MGF1SHA1,
        DecryptionAlgorithm::RsaOaep256 => &OAEP_SHA256_MGF1SHA256,
    };
    let mut ciphertext = vec![0; public.ciphertext_size()];
    public.encrypt(oaep, plaintext, &mut ciphertext, None).ok()?;
    Some(ciphertext)
}

/// Whether an error says something of the ciphertext: only what comes after the beginning can.
fn is_about_ciphertext(error: &Error, alive: impl Fn() -> bool) -> bool {
    use RvError as Rv;
    let Error::Pkcs11(value, Function::Decrypt) = error else { return false };
    match value {
        Rv::EncryptedDataInvalid
        | Rv::EncryptedDataLenRange
        | Rv::DataInvalid
        | Rv::DataLenRange
        | Rv::ArgumentsBad => true,
        // SoftHSM's answer to a padding that is wrong (2.6.1, 2026-11-21).
        Rv::GeneralError | Rv::FunctionFailed => alive(),
        _ => false,
    }
}

/// Whether a token that begins an operation says that it does not know this hash.
fn lacks(error: &Error) -> bool {
    use RvError as Rv;
    // SoftHSM calls the parameter a bad argument (2.6.1, 2026-11-21).
    matches!(error, Error::Pkcs11(Rv::MechanismInvalid | Rv::MechanismParamInvalid | Rv::ArgumentsBad, _))
}

fn failure(error: Error) -> CallFailure {
    if lacks(&error) { CallFailure::new(FailureClass::Unsupported, describe(&error)) } else { error.into() }
}

fn not_decrypted() -> CallFailure {
    CallFailure::new(FailureClass::NotDecrypted, "the ciphertext does not decrypt")
}
