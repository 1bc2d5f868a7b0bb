//! The module alone, in a child process: it reads its configuration from the environment.

use std::error::Error;
use std::time::{Duration, Instant};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use super::load::cpu_seconds;
use super::per_second;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The OID of P-256 (RFC 5480 section 2.1.1.1) in DER.
const P256: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Does what `arguments` say, on the token that they name, and prints figures:
/// `generate MODULE LABEL ALGORITHM SIZE SECONDS` a rate;
/// `sign MODULE LABEL THREADS SECONDS` a rate, and CPU microseconds for one, by the token's one signing key;
/// `fill MODULE LABEL COUNT` nothing; `open MODULE LABEL` seconds of `C_Initialize`.
///
/// # Errors
/// When the token does not do as it is told.
pub(crate) fn work(arguments: &[String]) -> Outcome<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [what, module, label, rest @ ..] = arguments.as_slice() else { return Err("what, module, label".into()) };
    let module = Pkcs11::new(module)?;
    let start = Instant::now();
    module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let opened = start.elapsed();
    let mut slots = module.get_slots_with_token()?.into_iter();
    let slot = slots.find(|slot| module.get_token_info(*slot).is_ok_and(|info| info.label() == *label));
    let slot = slot.ok_or("no such token")?;
    let session = module.open_rw_session(slot)?;
    session.login(UserType::User, Some(&AuthPin::new(std::env::var("TOKEN_PIN")?.into())))?;
    match (*what, rest) {
        ("generate", [algorithm, size, seconds]) => {
            let (rsa, size, span) = (*algorithm == "RSA", size.parse()?, Duration::from_secs(seconds.parse()?));
            println!("{}", rate(span, |turn| generate(&session, rsa, size, turn).map(drop))?);
        }
        ("sign", [threads, seconds]) => {
            let (threads, span) = (threads.parse()?, Duration::from_secs(seconds.parse()?));
            sign_by_threads(&module, slot, &session, threads, span)?;
        }
        ("fill", [count]) => {
            for turn in 0..count.parse()? {
                generate(&session, false, 256, turn)?;
            }
        }
        ("open", []) => println!("{}", opened.as_secs_f64()),
        _ => return Err("generate, sign, fill or open".into()),
    }
    Ok(())
}

fn sign_by_threads(module: &Pkcs11, slot: Slot, session: &Session, threads: usize, span: Duration) -> Outcome<()> {
    let (key, kind) = signing_key(session)?;
    let sessions = (0..threads).map(|_| module.open_ro_session(slot)).collect::<Result<Vec<_>, _>>()?;
    let (before, start) = (cpu_seconds(std::process::id()), Instant::now());
    let signed: Vec<_> = std::thread::scope(|scope| {
        let sign = |session: Session| {
            let (mechanism, input) = way(kind);
            let mut signed = 0;
            while start.elapsed() < span {
                session.sign(&mechanism, key, &input)?;
                signed += 1;
            }
            Ok::<usize, cryptoki::error::Error>(signed)
        };
        let signers: Vec<_> = sessions.into_iter().map(|session| scope.spawn(move || sign(session))).collect();
        signers.into_iter().map(|signer| signer.join().expect("a signer")).collect()
    });
    let elapsed = start.elapsed();
    let signed: usize = signed.into_iter().sum::<Result<usize, _>>()?;
    let micros = (cpu_seconds(std::process::id()) - before) * 1e6 / per_second(signed, Duration::from_secs(1));
    println!("{} {micros}", per_second(signed, elapsed));
    Ok(())
}

/// The token's one key that signs.
fn signing_key(session: &Session) -> Outcome<(ObjectHandle, KeyType)> {
    let wanted = [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Sign(true)];
    let key = *session.find_objects(&wanted)?.first().ok_or("no key that signs")?;
    match session.get_attributes(key, &[AttributeType::KeyType])?.first() {
        Some(Attribute::KeyType(kind)) => Ok((key, *kind)),
        _ => Err("a key without a type".into()),
    }
}

/// How a key of a type signs, and what.
fn way(kind: KeyType) -> (Mechanism<'static>, Vec<u8>) {
    match kind {
        // DigestInfo of SHA-256 (RFC 8017 section 9.2) is 51 bytes long; any 51 bytes cost the same.
        KeyType::RSA => (Mechanism::RsaPkcs, vec![0x5a; 51]),
        KeyType::EC_EDWARDS => (Mechanism::Eddsa(EddsaParams::new(EddsaSignatureScheme::Pure)), vec![0x5a; 32]),
        _ => (Mechanism::Ecdsa, vec![0x5a; 32]),
    }
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
    let id = vec![Attribute::Id(turn.to_be_bytes().to_vec()), Attribute::Label(b"bench".to_vec())];
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
        public.push(Attribute::EcParams(P256.to_vec()));
        Mechanism::EccKeyPairGen
    };
    session.generate_key_pair(&mechanism, &public, &private).map(|(_, private)| private)
}
