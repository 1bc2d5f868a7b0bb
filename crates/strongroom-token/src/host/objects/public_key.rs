//! Public halves: from a token's attributes to SubjectPublicKeyInfo (RFC 5280 section
//! 4.1.2.7, RFC 5480, RFC 8017 appendix A.1, RFC 8410), and back to `CKA_EC_PARAMS`.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION};
use der::asn1::{Any, BitString, Null, PrintableStringRef, UintRef};
use der::{Encode, Sequence};
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use strongroom_domain::key::{KeyAlgorithm, KeyFamily, KeyParameters};

/// `CKA_PUBLIC_EXPONENT` of every RSA key that is made: 65537.
pub(in crate::host) const RSA_EXPONENT: [u8; 3] = [1, 0, 1];

/// The DER object identifier that a generation's `CKA_EC_PARAMS` names a curve by; `None`
/// for RSA.
pub(in crate::host) fn ec_params(algorithm: KeyAlgorithm) -> Option<Vec<u8>> {
    curve(algorithm)?.to_der().ok()
}

/// The algorithm of a `CKA_EC_PARAMS`, which names the curve by object identifier or, for
/// Ed25519, by a `PrintableString` (PKCS#11 section 6.3.5).
pub(in crate::host) fn curve_of(params: &[u8]) -> Option<KeyAlgorithm> {
    KeyAlgorithm::all().find(|algorithm| {
        let named = || curve_name(*algorithm).is_some_and(|name| name == params);
        ec_params(*algorithm).is_some_and(|known| known == params) || named()
    })
}

fn curve_name(algorithm: KeyAlgorithm) -> Option<Vec<u8>> {
    match algorithm.parameters() {
        KeyParameters::EdDsa(curve) => PrintableStringRef::new(curve.pkcs11_name).ok()?.to_der().ok(),
        KeyParameters::Rsa(_) | KeyParameters::Ec(_) => None,
    }
}

/// The algorithm of a `CKA_MODULUS`.
pub(in crate::host) fn rsa_algorithm(modulus: &[u8]) -> Option<KeyAlgorithm> {
    let bytes = UintRef::new(modulus).ok()?.as_bytes().len();
    KeyAlgorithm::rsa(u32::try_from(bytes * 8).ok()?)
}

/// The SubjectPublicKeyInfo of `CKA_MODULUS` and `CKA_PUBLIC_EXPONENT`; `None` unless the
/// modulus is as long as `algorithm` says and the exponent is 65537.
pub(in crate::host) fn rsa_spki(algorithm: KeyAlgorithm, modulus: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
    let modulus = UintRef::new(modulus).ok()?;
    let exponent = UintRef::new(exponent).ok()?;
    let top = modulus.as_bytes().first()?;
    let bytes = usize::try_from(algorithm.bits() / 8).ok()?;
    let sound = algorithm.family() == KeyFamily::Rsa
        && modulus.as_bytes().len() == bytes
        && top.leading_zeros() == 0
        && exponent.as_bytes() == RSA_EXPONENT;
    let key = RsaPublicKey { modulus, exponent }.to_der().ok().filter(|_| sound)?;
    info(RSA_ENCRYPTION, Some(Any::encode_from(&Null).ok()?), &key)
}

/// The SubjectPublicKeyInfo of a `CKA_EC_POINT`; `None` when it is no point of the curve
/// in a form that tokens are known to use.
pub(in crate::host) fn ec_spki(algorithm: KeyAlgorithm, attribute: &[u8]) -> Option<Vec<u8>> {
    let (oid, parameters) = match algorithm.parameters() {
        KeyParameters::Ec(curve) => (ID_EC_PUBLIC_KEY, Some(Any::encode_from(&curve.oid).ok()?)),
        KeyParameters::EdDsa(curve) => (curve.oid, None),
        KeyParameters::Rsa(_) => return None,
    };
    info(oid, parameters, ec_point(algorithm, attribute)?)
}

/// The bare point in a `CKA_EC_POINT`, which tokens give bare or in a DER OCTET STRING.
///
/// Told apart by length, because a bare uncompressed point begins with the tag of an
/// OCTET STRING. tpm2-pkcs11 1.9 leaves the long form out of P-521's length (04 85 04 ..,
/// 2026-11-20): accepted too.
fn ec_point(algorithm: KeyAlgorithm, attribute: &[u8]) -> Option<&[u8]> {
    let (length, form) = match algorithm.parameters() {
        KeyParameters::Ec(curve) => (curve.point_len(), Some(0x04)),
        KeyParameters::EdDsa(curve) => (curve.point_len, None),
        KeyParameters::Rsa(_) => return None,
    };
    let point = match attribute {
        bare if bare.len() == length => bare,
        [0x04, 0x81, n, point @ ..] | [0x04, n, point @ ..] if usize::from(*n) == length && point.len() == length => {
            point
        }
        _ => return None,
    };
    (form.is_none() || point.first().copied() == form).then_some(point)
}

const fn curve(algorithm: KeyAlgorithm) -> Option<ObjectIdentifier> {
    match algorithm.parameters() {
        KeyParameters::Ec(curve) => Some(curve.oid),
        KeyParameters::EdDsa(curve) => Some(curve.oid),
        KeyParameters::Rsa(_) => None,
    }
}

fn info(oid: ObjectIdentifier, parameters: Option<Any>, key: &[u8]) -> Option<Vec<u8>> {
    let algorithm = AlgorithmIdentifier { oid, parameters };
    SubjectPublicKeyInfo { algorithm, subject_public_key: BitString::from_bytes(key).ok()? }.to_der().ok()
}

/// RFC 8017 appendix A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}
