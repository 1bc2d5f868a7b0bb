//! The module alone: no daemon.

use std::error::Error;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

use super::per_second;

/// Operations a second.
pub(crate) struct Rates {
    pub(crate) generate: f64,
    /// On one session.
    pub(crate) sign: f64,
    /// On two sessions, a thread each.
    pub(crate) sign_by_two: f64,
}

/// Measures the token that `arguments` name: module, token label, key algorithm, size.
///
/// # Errors
/// When the token does not do as it is told.
pub(crate) fn measure(arguments: &[String], span: Duration) -> Result<Rates, Box<dyn Error>> {
    let [module, label, algorithm, size] = arguments else { return Err("module, label, algorithm, size".into()) };
    let token = Pkcs11::new(module)?;
    token.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let mut slots = token.get_slots_with_token()?.into_iter();
    let slot = slots.find(|slot| token.get_token_info(*slot).is_ok_and(|info| info.label() == label));
    let slot = slot.ok_or("no such token")?;
    let session = token.open_rw_session(slot)?;
    session.login(UserType::User, Some(&AuthPin::new(std::env::var("TOKEN_PIN")?.into())))?;

    let rsa = algorithm == "RSA";
    let bits = size.parse()?;
    let key = generate(&session, rsa, bits, 0)?;
    let generate_rate = rate(span, |turn| generate(&session, rsa, bits, turn).map(drop))?;
    let sign_rate = sign(&session, key, rsa, span)?;
    let second = token.open_rw_session(slot)?;
    let sign_by_two = std::thread::scope(|scope| {
        let signers = [session, second].map(|session| scope.spawn(move || sign(&session, key, rsa, span)));
        signers.into_iter().map(|signer| signer.join().expect("a signer")).sum::<Result<f64, _>>()
    })?;
    Ok(Rates { generate: generate_rate, sign: sign_rate, sign_by_two })
}

/// How often a session signs in a second.
fn sign(session: &Session, key: ObjectHandle, rsa: bool, span: Duration) -> Result<f64, cryptoki::error::Error> {
    let (mechanism, input) = if rsa {
        // DigestInfo of SHA-256 (RFC 8017 section 9.2) is 51 bytes long; any 51 bytes cost the same.
        (Mechanism::RsaPkcs, vec![0x5a; 51])
    } else {
        (Mechanism::Ecdsa, vec![0x5a; 32])
    };
    rate(span, |_| session.sign(&mechanism, key, &input).map(drop))
}

/// How often `action` is done in a second, measured for `span`.
fn rate<E>(span: Duration, mut action: impl FnMut(u32) -> Result<(), E>) -> Result<f64, E> {
    let start = Instant::now();
    let mut done = 0;
    while start.elapsed() < span {
        done += 1;
        action(done)?;
    }
    Ok(per_second(usize::try_from(done).unwrap_or(0), start.elapsed()))
}

/// A key pair by the template of the daemon.
pub(crate) fn generate(
    session: &Session,
    rsa: bool,
    bits: u64,
    turn: u32,
) -> Result<ObjectHandle, cryptoki::error::Error> {
    let id = vec![Attribute::Id(turn.to_be_bytes().to_vec()), Attribute::Label(b"sr:bench".to_vec())];
    let mut public = id.clone();
    public.extend([Attribute::Token(true), Attribute::Verify(true), Attribute::Encrypt(false), Attribute::Wrap(false)]);
    let mut private = id;
    private.extend([Attribute::Token(true), Attribute::Private(true), Attribute::Sensitive(true)]);
    private.extend([Attribute::Extractable(false), Attribute::Sign(true), Attribute::Decrypt(false)]);
    private.extend([Attribute::Unwrap(false), Attribute::SignRecover(false), Attribute::Derive(false)]);
    let mechanism = if rsa {
        public.extend([Attribute::ModulusBits(bits.into()), Attribute::PublicExponent(vec![1, 0, 1])]);
        Mechanism::RsaPkcsKeyPairGen
    } else {
        // The OID of P-256 (RFC 5480 section 2.1.1.1) in DER.
        public.push(Attribute::EcParams(vec![0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]));
        Mechanism::EccKeyPairGen
    };
    session.generate_key_pair(&mechanism, &public, &private).map(|(_, private)| private)
}
