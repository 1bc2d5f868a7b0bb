//! The members of a JWK that make up its public key: the one place that knows them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION};
use der::asn1::UintRef;
use der::{Decode, Sequence};
use spki::SubjectPublicKeyInfoRef;

use strongroom_domain::key::{EcCurve, KeyAlgorithm, KeyParameters, SpkiDer};

/// A public key that no JWK of ours can express.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RSA, P-256, P-384, P-521 or Ed25519 public key")]
pub struct UnsupportedKey;

/// Names and values in lexicographic order of the names (RFC 7638 section 3.2, RFC 8037
/// section 2); no value needs an escape.
pub(super) type Members = Vec<(&'static str, String)>;

/// The required members of a public key (RFC 7518 section 6, RFC 8037 section 2).
pub(super) fn required_members(spki: &SpkiDer) -> Result<Members, UnsupportedKey> {
    let spki = SubjectPublicKeyInfoRef::try_from(spki.as_bytes()).map_err(|_| UnsupportedKey)?;
    members(&spki).ok_or(UnsupportedKey)
}

/// `RSAPublicKey` (RFC 8017 appendix A.1.1).
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

fn members(spki: &SubjectPublicKeyInfoRef<'_>) -> Option<Members> {
    let key = spki.subject_public_key.as_bytes()?;
    match spki.algorithm.oid {
        RSA_ENCRYPTION => {
            let rsa = RsaPublicKey::from_der(key).ok()?;
            let (e, n) = (base64url(rsa.exponent.as_bytes()), base64url(rsa.modulus.as_bytes()));
            Some(vec![("e", e), ("kty", "RSA".to_owned()), ("n", n)])
        }
        ID_EC_PUBLIC_KEY => {
            let curve = EcCurve::of(spki.algorithm.parameters_oid().ok()?)?;
            // An uncompressed point (SEC 1 section 2.3.3).
            let point = key.strip_prefix(&[4]).filter(|point| point.len() == 2 * curve.scalar_len)?;
            let (x, y) = point.split_at(curve.scalar_len);
            let (crv, kty) = (curve.name.to_owned(), "EC".to_owned());
            Some(vec![("crv", crv), ("kty", kty), ("x", base64url(x)), ("y", base64url(y))])
        }
        other => match KeyAlgorithm::on_edwards_curve(other)?.parameters() {
            KeyParameters::EdDsa(curve) if key.len() == curve.point_len => {
                Some(vec![("crv", curve.name.to_owned()), ("kty", "OKP".to_owned()), ("x", base64url(key))])
            }
            _ => None,
        },
    }
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
