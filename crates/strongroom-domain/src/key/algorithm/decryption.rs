//! How RSA keys decrypt.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A way of decrypting with an RSA key: OAEP with MGF1 of the same hash and an empty label
/// (RFC 8017 section 7.1, RFC 7518 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum DecryptionAlgorithm {
    /// With SHA-1.
    RsaOaep,
    /// With SHA-256.
    RsaOaep256,
}

impl DecryptionAlgorithm {
    /// Every way of decrypting.
    pub const ALL: [Self; 2] = [Self::RsaOaep, Self::RsaOaep256];

    /// The JOSE name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RsaOaep => "RSA-OAEP",
            Self::RsaOaep256 => "RSA-OAEP-256",
        }
    }

    /// The algorithm of a JOSE name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }
}

impl fmt::Display for DecryptionAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
