//! Asks a token for what it must not give: `token-probe MODULE TOKEN-LABEL CKA-ID-IN-HEX`.
//!
//! The PIN comes in `TOKEN_PROBE_PIN`. Prints what the token said to reading the private
//! value (`value: Sensitive`) and to wrapping the key under an AES key made for the
//! purpose (`wrap: KeyUnextractable`, or `wrap: gave 48 bytes`).

use std::error::Error;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::Error as TokenError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [module, label, id] = args.as_slice() else {
        return Err("usage: token-probe MODULE TOKEN-LABEL CKA-ID-IN-HEX".into());
    };
    let session = logged_in(module, label)?;
    let key = private_key(&session, id)?;
    println!("value: {}", value_of(&session, key)?);
    println!("wrap: {}", wrapped(&session, key)?);
    Ok(())
}

fn logged_in(module: &str, label: &str) -> Result<Session, Box<dyn Error>> {
    let token = Pkcs11::new(module)?;
    token.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK))?;
    let slot = token
        .get_slots_with_token()?
        .into_iter()
        .find(|slot| token.get_token_info(*slot).is_ok_and(|info| info.label() == label))
        .ok_or("no token has this label")?;
    let session = token.open_rw_session(slot)?;
    session.login(UserType::User, Some(&AuthPin::new(std::env::var("TOKEN_PROBE_PIN")?.into())))?;
    Ok(session)
}

fn private_key(session: &Session, id: &str) -> Result<ObjectHandle, Box<dyn Error>> {
    let digits: Vec<char> = id.chars().collect();
    let bytes: Result<Vec<u8>, _> =
        digits.chunks(2).map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16)).collect();
    let found = session.find_objects(&[Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Id(bytes?)])?;
    match found.as_slice() {
        [key] => Ok(*key),
        keys => Err(format!("{} private keys have this id", keys.len()).into()),
    }
}

/// What the token says to reading the attribute that is the secret of this type of key.
fn value_of(session: &Session, key: ObjectHandle) -> Result<String, Box<dyn Error>> {
    let kind = session.get_attributes(key, &[AttributeType::KeyType])?;
    let secret = if kind.contains(&Attribute::KeyType(KeyType::RSA)) {
        AttributeType::PrivateExponent
    } else {
        AttributeType::Value
    };
    let answers = session.get_attribute_info(key, &[secret])?;
    Ok(answers.first().map_or_else(|| "no answer".to_owned(), |answer| format!("{answer:?}")))
}

/// What the token says to wrapping the key.
fn wrapped(session: &Session, key: ObjectHandle) -> Result<String, Box<dyn Error>> {
    let template = [Attribute::Token(false), Attribute::ValueLen(32.into()), Attribute::Wrap(true)];
    let wrapping = session.generate_key(&Mechanism::AesKeyGen, &template)?;
    Ok(match session.wrap_key(&Mechanism::AesKeyWrapPad, wrapping, key) {
        Ok(bytes) => format!("gave {} bytes", bytes.len()),
        Err(TokenError::Pkcs11(code, _)) => format!("{code:?}"),
        Err(other) => other.to_string(),
    })
}
