//! What JOSE calls the ways of signing.

use strongroom_domain::key::{HashAlgorithm, KeyAlgorithm, KeyFamily, SignatureAlgorithm};

/// The JOSE name of signing so with a key of this kind (RFC 7518 section 3.1, RFC 8037
/// section 3.1); `None` where JOSE has none, as for P-256 with SHA-384.
#[must_use]
pub const fn algorithm_name(key: KeyAlgorithm, algorithm: SignatureAlgorithm) -> Option<&'static str> {
    use HashAlgorithm::{Sha256, Sha384, Sha512};
    use SignatureAlgorithm::{Ecdsa, Ed25519, RsaPkcs1, RsaPss};
    if !algorithm.fits(key) {
        return None;
    }
    Some(match (algorithm, key) {
        (RsaPkcs1(Sha256), _) => "RS256",
        (RsaPkcs1(Sha384), _) => "RS384",
        (RsaPkcs1(Sha512), _) => "RS512",
        (RsaPss(Sha256), _) => "PS256",
        (RsaPss(Sha384), _) => "PS384",
        (RsaPss(Sha512), _) => "PS512",
        (Ecdsa(Sha256), KeyAlgorithm::P256) => "ES256",
        (Ecdsa(Sha384), KeyAlgorithm::P384) => "ES384",
        (Ecdsa(Sha512), KeyAlgorithm::P521) => "ES512",
        (Ed25519, _) => "EdDSA",
        (Ecdsa(_), _) => return None,
    })
}

/// What a JOSE name means for a key of this kind; also `Ed25519` of RFC 9864.
#[must_use]
pub fn algorithm_of(key: KeyAlgorithm, name: &str) -> Option<SignatureAlgorithm> {
    if name == "Ed25519" && matches!(key.family(), KeyFamily::Ed25519) {
        return Some(SignatureAlgorithm::Ed25519);
    }
    key.signature_algorithms().into_iter().find(|algorithm| algorithm_name(key, *algorithm) == Some(name))
}
