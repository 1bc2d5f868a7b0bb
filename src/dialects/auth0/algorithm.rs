//! The seven signing algorithms of connection keys.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use strongroom_domain::key::{KeyAlgorithm, SignatureAlgorithm};
use strongroom_formats::jose;

/// How a connection's key signs, by its name in JOSE (RFC 7518 section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(super) enum SigningAlg {
    #[default]
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    ES256,
    ES384,
}

impl SigningAlg {
    const ALL: [(Self, &'static str); 7] = [
        (Self::RS256, "RS256"),
        (Self::RS384, "RS384"),
        (Self::RS512, "RS512"),
        (Self::PS256, "PS256"),
        (Self::PS384, "PS384"),
        (Self::ES256, "ES256"),
        (Self::ES384, "ES384"),
    ];

    /// The algorithm of a name; else what is wrong with it, and what would be accepted.
    pub(super) fn named(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|(_, known)| *known == name).map(|(algorithm, _)| algorithm);
        known.ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name).join(", ");
            format!("No enum match for: {name}; it must be one of {names}")
        })
    }

    /// The key that it takes, and how that key signs; RSA keys are of the size `rsa`.
    pub(super) fn algorithms(self, rsa: KeyAlgorithm) -> (KeyAlgorithm, SignatureAlgorithm) {
        let named = |key| {
            let meant = |(algorithm, name)| jose::algorithm_of(key, name).filter(|_| algorithm == self);
            Some((key, Self::ALL.into_iter().find_map(meant)?))
        };
        let found = named(rsa).or_else(|| KeyAlgorithm::all().find_map(named));
        found.unwrap_or((rsa, rsa.default_signature_algorithm()))
    }
}
