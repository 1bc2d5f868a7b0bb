//! What JOSE calls the ways of signing.

use strongroom_domain::key::{KeyAlgorithm, KeyParameters, SignatureAlgorithm};

/// The JOSE name of signing so with a key of this kind (RFC 7518 section 3.1, RFC 8037
/// section 3.1); `None` where JOSE has none, as for P-256 with SHA-384.
#[must_use]
pub fn algorithm_name(key: KeyAlgorithm, algorithm: SignatureAlgorithm) -> Option<&'static str> {
    algorithm.jose_name(key)
}

/// What a JOSE name means for a key of this kind; also `Ed25519` of RFC 9864.
#[must_use]
pub fn algorithm_of(key: KeyAlgorithm, name: &str) -> Option<SignatureAlgorithm> {
    if matches!(key.parameters(), KeyParameters::EdDsa(curve) if curve.name == name) {
        return Some(key.default_signature_algorithm());
    }
    key.signature_algorithms().into_iter().find(|algorithm| algorithm_name(key, *algorithm) == Some(name))
}
