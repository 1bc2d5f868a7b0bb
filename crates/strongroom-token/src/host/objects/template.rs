//! Attributes of a key pair: what is asked for, and what is read back as proof.

use cryptoki::object::{Attribute, AttributeType, ObjectHandle};
use cryptoki::session::Session;

use super::public_key::{RSA_EXPONENT, ec_params, ec_spki, rsa_spki};
use crate::protocol::{CallFailure, FailureClass, GenerateCall};
use strongroom_domain::key::{KeyAlgorithm, KeyFamily, KeyUse};

/// What is read back of a private key.
const PROVEN: [AttributeType; 14] = [
    AttributeType::Token,
    AttributeType::Private,
    AttributeType::Local,
    AttributeType::Sensitive,
    AttributeType::AlwaysSensitive,
    AttributeType::Extractable,
    AttributeType::NeverExtractable,
    AttributeType::Sign,
    AttributeType::Decrypt,
    AttributeType::Unwrap,
    AttributeType::SignRecover,
    AttributeType::Derive,
    AttributeType::Id,
    AttributeType::Label,
];

/// The template of the public half of a pair that is generated.
pub(in crate::host) fn public(request: &GenerateCall) -> Vec<Attribute> {
    let mut template = public_uses(request);
    match ec_params(request.algorithm) {
        Some(params) => template.push(Attribute::EcParams(params)),
        None => template.extend([
            Attribute::ModulusBits(u64::from(request.algorithm.bits()).into()),
            Attribute::PublicExponent(RSA_EXPONENT.to_vec()),
        ]),
    }
    template
}

/// What a public half may be used for and is found by, however it came about.
pub(in crate::host) fn public_uses(request: &GenerateCall) -> Vec<Attribute> {
    let decrypts = request.key_use == KeyUse::Decrypt;
    vec![
        Attribute::Token(true),
        Attribute::Private(false),
        Attribute::Verify(!decrypts),
        Attribute::Encrypt(decrypts),
        Attribute::Wrap(false),
        Attribute::Id(request.id.clone()),
        Attribute::Label(request.label.clone().into_bytes()),
    ]
}

/// The template of the private half. Usages that are not wanted are denied by name:
/// leaving them out would leave them to the token (SoftHSM grants them).
pub(in crate::host) fn private(request: &GenerateCall) -> Vec<Attribute> {
    let decrypts = request.key_use == KeyUse::Decrypt;
    vec![
        Attribute::Token(true),
        Attribute::Private(true),
        Attribute::Sensitive(true),
        Attribute::Extractable(false),
        Attribute::Sign(!decrypts),
        Attribute::Decrypt(decrypts),
        Attribute::Unwrap(false),
        Attribute::SignRecover(false),
        Attribute::Derive(false),
        Attribute::Id(request.id.clone()),
        Attribute::Label(request.label.clone().into_bytes()),
    ]
}

/// How a key came into the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::host) enum ExpectedOrigin {
    Born,
    Imported,
}

/// Reads a private key back that was made or brought in here; the proof in words.
///
/// # Errors
/// `Refused` when it is not as it was asked for.
pub(in crate::host) fn attest(
    session: &Session,
    key: ObjectHandle,
    request: &GenerateCall,
    origin: ExpectedOrigin,
) -> Result<String, CallFailure> {
    let read = session.get_attributes(key, &PROVEN)?;
    let has = |attribute: Attribute| read.contains(&attribute);
    let (decrypts, imported) = (request.key_use == KeyUse::Decrypt, origin == ExpectedOrigin::Imported);
    let granted = if decrypts { Attribute::Decrypt(true) } else { Attribute::Sign(true) };
    let demanded = [
        ("in the token", has(Attribute::Token(true))),
        ("private", has(Attribute::Private(true))),
        ("local", imported || has(Attribute::Local(true))),
        ("sensitive", has(Attribute::Sensitive(true))),
        ("always sensitive", imported || has(Attribute::AlwaysSensitive(true))),
        ("not extractable", has(Attribute::Extractable(false))),
        ("never extractable", imported || has(Attribute::NeverExtractable(true))),
        ("of the use asked for", has(granted)),
        // A usage that the token does not know of is not granted.
        ("of no other use", !has(if decrypts { Attribute::Sign(true) } else { Attribute::Decrypt(true) })),
        ("unable to unwrap", !has(Attribute::Unwrap(true))),
        ("unable to sign with recovery", !has(Attribute::SignRecover(true))),
        ("unable to derive", !has(Attribute::Derive(true))),
        ("of the CKA_ID asked for", has(Attribute::Id(request.id.clone()))),
        ("of the label asked for", has(Attribute::Label(request.label.clone().into_bytes()))),
    ];
    let wanting: Vec<&str> = demanded.iter().filter(|(_, holds)| !holds).map(|(word, _)| *word).collect();
    if !wanting.is_empty() {
        return Err(refused(format!("the key is not {}", wanting.join(", not "))));
    }
    Ok(match origin {
        ExpectedOrigin::Born => format!("local, always-sensitive, never-extractable, {}", request.key_use.name()),
        ExpectedOrigin::Imported => format!("imported: {}", attribute_names(&read)),
    })
}

/// What a token says of a private key, whether good or bad.
///
/// # Errors
/// What the token answered.
pub(in crate::host) fn describe(session: &Session, key: ObjectHandle) -> Result<String, CallFailure> {
    Ok(attribute_names(&session.get_attributes(key, &PROVEN)?))
}

fn attribute_names(read: &[Attribute]) -> String {
    let facts = [
        ("local", Attribute::Local(true)),
        ("sensitive", Attribute::Sensitive(true)),
        ("always-sensitive", Attribute::AlwaysSensitive(true)),
        ("extractable", Attribute::Extractable(true)),
        ("never-extractable", Attribute::NeverExtractable(true)),
    ];
    let uses = [
        ("sign", Attribute::Sign(true)),
        ("decrypt", Attribute::Decrypt(true)),
        ("unwrap", Attribute::Unwrap(true)),
        ("sign-recover", Attribute::SignRecover(true)),
        ("derive", Attribute::Derive(true)),
    ];
    let facts = facts.map(|(word, fact)| format!("{}{word}", if read.contains(&fact) { "" } else { "not " }));
    let uses = uses.into_iter().filter(|(_, granted)| read.contains(granted)).map(|(word, _)| word.to_owned());
    facts.into_iter().chain(uses).collect::<Vec<_>>().join(", ")
}

/// The SubjectPublicKeyInfo of a new public key.
///
/// # Errors
/// `Refused` when its attributes are not those of the algorithm asked for.
pub(in crate::host) fn spki(
    session: &Session,
    key: ObjectHandle,
    request: &GenerateCall,
) -> Result<Vec<u8>, CallFailure> {
    let algorithm = request.algorithm;
    spki_of(session, key, algorithm)?.ok_or_else(|| refused(format!("the new public key is no {algorithm} key")))
}

/// The SubjectPublicKeyInfo that the attributes of one object give; `None` where they are
/// absent or not those of a key of `algorithm`.
///
/// # Errors
/// What the token answered.
pub(in crate::host) fn spki_of(
    session: &Session,
    key: ObjectHandle,
    algorithm: KeyAlgorithm,
) -> Result<Option<Vec<u8>>, CallFailure> {
    if algorithm.family() == KeyFamily::Rsa {
        let (modulus, exponent) = rsa_components(session, key)?;
        return Ok(rsa_spki(algorithm, &modulus, &exponent));
    }
    let point = session.get_attributes(key, &[AttributeType::EcPoint])?.into_iter().find_map(|read| match read {
        Attribute::EcPoint(point) => Some(point),
        _ => None,
    });
    Ok(ec_spki(algorithm, &point.unwrap_or_default()))
}

/// `CKA_MODULUS` and `CKA_PUBLIC_EXPONENT`, empty where absent.
///
/// # Errors
/// What the token answered.
pub(in crate::host) fn rsa_components(session: &Session, key: ObjectHandle) -> Result<(Vec<u8>, Vec<u8>), CallFailure> {
    let mut parts = (Vec::new(), Vec::new());
    for read in session.get_attributes(key, &[AttributeType::Modulus, AttributeType::PublicExponent])? {
        match read {
            Attribute::Modulus(modulus) => parts.0 = modulus,
            Attribute::PublicExponent(exponent) => parts.1 = exponent,
            _ => {}
        }
    }
    Ok(parts)
}

fn refused(detail: String) -> CallFailure {
    CallFailure::new(FailureClass::Refused, detail)
}
