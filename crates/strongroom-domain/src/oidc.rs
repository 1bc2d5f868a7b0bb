//! Positions of keys in the settings of OAuth and `OpenID` Connect.

use serde::{Deserialize, Serialize};

use crate::key::{KeyAlgorithm, KeyFamily};

/// A type of key with a position of its own in each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OidcKeyType {
    P256,
    P384,
    P521,
    Rsa,
}

impl OidcKeyType {
    /// Every type, in the order of the settings.
    pub const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::Rsa];

    /// Whether a key of the algorithm is of this type.
    #[must_use]
    pub fn fits(self, algorithm: KeyAlgorithm) -> bool {
        let curve = match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Rsa => return algorithm.family() == KeyFamily::Rsa,
        };
        algorithm.curve().is_some_and(|found| found.name == curve)
    }
}

/// Keys with one purpose, one of each type at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OidcKeyGroup {
    /// Keys that sign tokens of every issuer without a key set of its own.
    Signing,
    /// Keys that decrypt.
    Decryption,
    /// Keys that sign tokens of the issuers of an additional key set.
    AdditionalSet,
}

/// Whether a key is in use or was, before its successor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OidcKeySlot {
    Active,
    Previous,
}

/// Position of a key in the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OidcKeyPlace {
    pub group: OidcKeyGroup,
    pub key_type: OidcKeyType,
    pub slot: OidcKeySlot,
}
