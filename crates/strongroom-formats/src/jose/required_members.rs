//! The members of a JWK that make up its public key: the one place that knows them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1};
use const_oid::db::rfc8410::ID_ED_25519;
use der::asn1::UintRef;
use der::{Decode, Sequence};
use spki::SubjectPublicKeyInfoRef;

use strongroom_domain::key::SpkiDer;

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
            let (curve, width) = match spki.algorithm.parameters_oid().ok()? {
                SECP_256_R_1 => ("P-256", 32),
                SECP_384_R_1 => ("P-384", 48),
                SECP_521_R_1 => ("P-521", 66),
                _ => return None,
            };
            // An uncompressed point (SEC 1 section 2.3.3).
            let point = key.strip_prefix(&[4]).filter(|point| point.len() == 2 * width)?;
            let (x, y) = point.split_at(width);
            let (crv, kty) = (curve.to_owned(), "EC".to_owned());
            Some(vec![("crv", crv), ("kty", kty), ("x", base64url(x)), ("y", base64url(y))])
        }
        ID_ED_25519 if key.len() == 32 => {
            Some(vec![("crv", "Ed25519".to_owned()), ("kty", "OKP".to_owned()), ("x", base64url(key))])
        }
        _ => None,
    }
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
