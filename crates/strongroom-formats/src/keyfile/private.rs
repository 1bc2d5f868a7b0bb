//! One private key: from the forms it is written in to canonical PKCS#8, with the public
//! half that follows from it.

use aws_lc_rs::agreement;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RsaKeyPair};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION};
use der::asn1::{AnyRef, BitStringRef, OctetStringRef};
use der::{Decode, Sequence, Tag, Tagged};
use spki::AlgorithmIdentifierRef;
use zeroize::Zeroizing;

use super::{KeyFileError, broken};
use crate::x509::{rsa_algorithm, rsa_bits};
use strongroom_domain::key::{EcCurve, KeyAlgorithm, RsaPrivateKey, SpkiDer};
use strongroom_domain::secret::Secret;

const ACCEPTED: &str = "RSA of 2048, 3072 or 4096 bits, EC on P-256, P-384 or P-521, and Ed25519 are accepted";

/// A private key that has been understood.
pub(super) struct PrivateKey {
    pub(super) pkcs8: Secret,
    pub(super) algorithm: KeyAlgorithm,
    pub(super) spki: SpkiDer,
}

/// RFC 5915 section 3.
#[derive(Sequence)]
struct EcPrivateKey<'a> {
    version: u8,
    private_key: &'a OctetStringRef,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    parameters: Option<AnyRef<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    public_key: Option<BitStringRef<'a>>,
}

/// Reads `PrivateKeyInfo` or `OneAsymmetricKey` (RFC 5958 section 2).
pub(super) fn from_pkcs8(der: &[u8]) -> Result<PrivateKey, KeyFileError> {
    let unreadable = |_| broken("PKCS#8 key");
    let fields = Vec::<AnyRef<'_>>::from_der(der).map_err(unreadable)?;
    let [_version, algorithm, key, more @ ..] = fields.as_slice() else { return Err(broken("PKCS#8 key")) };
    let algorithm: AlgorithmIdentifierRef<'_> = algorithm.decode_as().map_err(unreadable)?;
    let key = key.decode_as::<&OctetStringRef>().map_err(unreadable)?.as_bytes();
    match algorithm.oid {
        RSA_ENCRYPTION => from_pkcs1(key),
        ID_EC_PUBLIC_KEY => from_sec1(key, algorithm.parameters),
        other => {
            let unsupported = || KeyFileError::UnsupportedKey(format!("a key of the algorithm {other}: {ACCEPTED}"));
            let algorithm = KeyAlgorithm::on_edwards_curve(other).ok_or_else(unsupported)?;
            let is_public = |tag: Tag| matches!(tag, Tag::ContextSpecific { number, .. } if number.value() == 1);
            // An IMPLICIT bit string: its first byte counts unused bits.
            let public = more.iter().find(|field| is_public(field.tag())).map(|field| field.value());
            from_seed(algorithm, key, public.and_then(<[u8]>::split_first).map(|(_, point)| point))
        }
    }
}

/// Reads `RSAPrivateKey` (RFC 8017 appendix A.1.2).
pub(super) fn from_pkcs1(der: &[u8]) -> Result<PrivateKey, KeyFileError> {
    let key = RsaPrivateKey::from_der(der).map_err(|_| broken("RSA key"))?;
    let unsupported = |what: String| KeyFileError::UnsupportedKey(format!("{what}: {ACCEPTED}"));
    let algorithm = rsa_algorithm(&key.modulus)
        .ok_or_else(|| unsupported(format!("an RSA key of {} bits", rsa_bits(&key.modulus))))?;
    if key.version != 0 || key.other_primes.is_some() {
        return Err(unsupported("an RSA key of more than two primes".to_owned()));
    }
    // FIPS 186-5 section A.1.1 asks for more than 2^16; beyond 33 bits nobody can verify.
    let exponent = key.public_exponent.as_bytes();
    if !(3..=4).contains(&exponent.len()) {
        let advice = "exponents from 65537 to 32 bits are accepted";
        return Err(KeyFileError::UnsupportedKey(format!("an RSA key with an unusual public exponent: {advice}")));
    }
    let pair = RsaKeyPair::from_der(der).map_err(contradiction)?;
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().map_err(contradiction)?;
    let spki = pair.public_key().as_der().map_err(contradiction)?;
    understood(algorithm, pkcs8.as_ref(), spki.as_ref())
}

/// Reads `ECPrivateKey` (RFC 5915 section 3); its curve stands in it or in the PKCS#8 around it.
pub(super) fn from_sec1(der: &[u8], parameters: Option<AnyRef<'_>>) -> Result<PrivateKey, KeyFileError> {
    let key = EcPrivateKey::from_der(der).map_err(|_| broken("EC key"))?;
    let parameters = parameters.or(key.parameters).ok_or_else(|| broken("EC key without its curve"))?;
    let curve = parameters.decode_as::<ObjectIdentifier>();
    let curve = curve.map_err(|_| KeyFileError::UnsupportedKey(format!("a curve without a name: {ACCEPTED}")))?;
    let foreign = || KeyFileError::UnsupportedKey(format!("a key on the curve {curve}: {ACCEPTED}"));
    let algorithm = KeyAlgorithm::on_curve(curve).ok_or_else(foreign)?;
    let curve = algorithm.curve().ok_or_else(foreign)?;
    let scalar = fixed_width(key.private_key.as_bytes(), curve)?;
    let public = agreement::PrivateKey::from_private_key(curve.agreement, &scalar).map_err(contradiction)?;
    let public = public.compute_public_key().map_err(contradiction)?;
    // A compressed point agrees when its coordinate does: the other one follows.
    let agrees = |stored: &[u8]| match stored.first() {
        Some(4) => stored == public.as_ref(),
        Some(2 | 3) => public.as_ref().get(1..stored.len()) == stored.get(1..),
        _ => false,
    };
    if !key.public_key.is_none_or(|stored| stored.as_bytes().is_some_and(agrees)) {
        return Err(contradiction(()));
    }
    let pair = EcdsaKeyPair::from_private_key_and_public_key(curve.signing, &scalar, public.as_ref());
    let pair = pair.map_err(contradiction)?;
    let pkcs8 = pair.to_pkcs8v1().map_err(contradiction)?;
    let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(contradiction)?;
    understood(algorithm, pkcs8.as_ref(), spki.as_ref())
}

/// Reads `CurvePrivateKey` of Ed25519 (RFC 8410 section 7).
fn from_seed(algorithm: KeyAlgorithm, key: &[u8], public: Option<&[u8]>) -> Result<PrivateKey, KeyFileError> {
    let seed = <&OctetStringRef>::from_der(key).map_err(|_| broken("Ed25519 key"))?;
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_bytes()).map_err(|_| broken("Ed25519 key"))?;
    if public.is_some_and(|public| public != pair.public_key().as_ref()) {
        return Err(contradiction(()));
    }
    let pkcs8 = pair.to_pkcs8v1().map_err(contradiction)?;
    let spki = pair.public_key().as_der().map_err(contradiction)?;
    understood(algorithm, pkcs8.as_ref(), spki.as_ref())
}

/// Some writers leave out leading zeros, some write one too many.
fn fixed_width(scalar: &[u8], curve: &EcCurve) -> Result<Zeroizing<Vec<u8>>, KeyFileError> {
    let leading = scalar.iter().take_while(|byte| **byte == 0).count();
    let (_, digits) = scalar.split_at(leading);
    let padding = curve.scalar_len.checked_sub(digits.len()).ok_or_else(|| broken("EC key"))?;
    let mut fixed = Zeroizing::new(vec![0; padding]);
    fixed.reserve_exact(digits.len());
    fixed.extend_from_slice(digits);
    Ok(fixed)
}

fn understood(algorithm: KeyAlgorithm, pkcs8: &[u8], spki: &[u8]) -> Result<PrivateKey, KeyFileError> {
    let spki = SpkiDer::parse(spki.to_vec()).map_err(contradiction)?;
    Ok(PrivateKey { pkcs8: Secret::new(pkcs8.to_vec()), algorithm, spki })
}

/// Also where the library refuses without saying why.
fn contradiction<T>(_: T) -> KeyFileError {
    KeyFileError::Malformed("the parts of the private key contradict each other".to_owned())
}
