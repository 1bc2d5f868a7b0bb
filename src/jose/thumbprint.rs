//! The thumbprint of a public key (RFC 7638), which is its kid.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1};
use const_oid::db::rfc8410::ID_ED_25519;
use der::asn1::UintRef;
use der::{Decode, Sequence};
use spki::SubjectPublicKeyInfoRef;

use crate::key::{Hash, Kid, SpkiDer};

/// A public key that no JWK of ours can express.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an RSA, P-256, P-384, P-521 or Ed25519 public key")]
pub struct NoJwk;

/// The SHA-256 thumbprint of a public key in base64url.
///
/// # Errors
/// When the key is of another kind, or its encoding is not that of its kind.
pub fn thumbprint(spki: &SpkiDer) -> Result<Kid, NoJwk> {
    let spki = SubjectPublicKeyInfoRef::try_from(spki.as_bytes()).map_err(|_| NoJwk)?;
    let members = required_members(&spki).ok_or(NoJwk)?;
    Kid::parse(URL_SAFE_NO_PAD.encode(Hash::Sha256.digest(members.as_bytes()))).map_err(|_| NoJwk)
}

/// `RSAPublicKey` (RFC 8017 appendix A.1.1).
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// The JSON object that is hashed: the required members of the kind in lexicographic
/// order, without blanks (RFC 7638 section 3.2, RFC 8037 section 2). No value needs an
/// escape.
fn required_members(spki: &SubjectPublicKeyInfoRef<'_>) -> Option<String> {
    let key = spki.subject_public_key.as_bytes()?;
    match spki.algorithm.oid {
        RSA_ENCRYPTION => {
            let rsa = RsaPublicKey::from_der(key).ok()?;
            let (e, n) = (base64url(rsa.exponent.as_bytes()), base64url(rsa.modulus.as_bytes()));
            Some(format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#))
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
            let (x, y) = (base64url(x), base64url(y));
            Some(format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#))
        }
        ID_ED_25519 if key.len() == 32 => Some(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, base64url(key))),
        _ => None,
    }
}

fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
