//! Key algorithms and what they can do: sign and decrypt, each a closed set.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A digest of the SHA-2 family (FIPS 180-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HashAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl HashAlgorithm {
    /// Every hash, weakest first.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// Length of the digest in bytes.
    #[must_use]
    pub const fn output_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Digest of `message`.
    #[must_use]
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        use aws_lc_rs::digest;
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message).as_ref().to_vec()
    }
}

/// The family of a key algorithm, as JWK's `kty` and the dialects tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyFamily {
    Rsa,
    Ec,
    Ed25519,
}

/// An algorithm that a key pair can have, size included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum KeyAlgorithm {
    Rsa2048,
    Rsa3072,
    Rsa4096,
    P256,
    P384,
    P521,
    Ed25519,
}

impl KeyAlgorithm {
    /// Every key algorithm, by family and size.
    pub const ALL: [Self; 7] =
        [Self::Rsa2048, Self::Rsa3072, Self::Rsa4096, Self::P256, Self::P384, Self::P521, Self::Ed25519];

    /// The family.
    #[must_use]
    pub const fn family(self) -> KeyFamily {
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => KeyFamily::Rsa,
            Self::P256 | Self::P384 | Self::P521 => KeyFamily::Ec,
            Self::Ed25519 => KeyFamily::Ed25519,
        }
    }

    /// Size in bits: the RSA modulus, or the order of the curve's field.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Rsa2048 => 2048,
            Self::Rsa3072 => 3072,
            Self::Rsa4096 => 4096,
            Self::P256 | Self::Ed25519 => 256,
            Self::P384 => 384,
            Self::P521 => 521,
        }
    }

    /// The stable name that is stored and logged.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
            Self::P256 => "p-256",
            Self::P384 => "p-384",
            Self::P521 => "p-521",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The algorithm of a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.name() == name)
    }

    /// Signature algorithms that a key of this kind can make, the default first.
    ///
    /// The default of an EC key follows its curve (RFC 7518 section 3.4).
    #[must_use]
    pub fn signature_algorithms(self) -> Vec<SignatureAlgorithm> {
        use SignatureAlgorithm::{Ecdsa, Ed25519, RsaPkcs1, RsaPss};
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => {
                HashAlgorithm::ALL.map(RsaPkcs1).into_iter().chain(HashAlgorithm::ALL.map(RsaPss)).collect()
            }
            Self::P256 => {
                vec![Ecdsa(HashAlgorithm::Sha256), Ecdsa(HashAlgorithm::Sha384), Ecdsa(HashAlgorithm::Sha512)]
            }
            Self::P384 => {
                vec![Ecdsa(HashAlgorithm::Sha384), Ecdsa(HashAlgorithm::Sha256), Ecdsa(HashAlgorithm::Sha512)]
            }
            Self::P521 => {
                vec![Ecdsa(HashAlgorithm::Sha512), Ecdsa(HashAlgorithm::Sha256), Ecdsa(HashAlgorithm::Sha384)]
            }
            Self::Ed25519 => vec![Ed25519],
        }
    }

    /// What a pair signs with unless it is asked for more: RSA in both schemes, EC with the
    /// hash of its curve.
    #[must_use]
    pub fn usual_signature_algorithms(self) -> Vec<SignatureAlgorithm> {
        match self.family() {
            KeyFamily::Rsa => self.signature_algorithms(),
            KeyFamily::Ec | KeyFamily::Ed25519 => vec![self.default_signature_algorithm()],
        }
    }

    /// The signature algorithm used where none is asked for.
    #[must_use]
    pub const fn default_signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256),
            Self::P256 => SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha256),
            Self::P384 => SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha384),
            Self::P521 => SignatureAlgorithm::Ecdsa(HashAlgorithm::Sha512),
            Self::Ed25519 => SignatureAlgorithm::Ed25519,
        }
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A way of signing: scheme and hash.
///
/// PSS uses MGF1 with the same hash and a salt as long as the digest (RFC 8017
/// section 9.1, RFC 7518 section 3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    RsaPkcs1(HashAlgorithm),
    RsaPss(HashAlgorithm),
    Ecdsa(HashAlgorithm),
    Ed25519,
}

impl SignatureAlgorithm {
    /// Every signature algorithm.
    pub const ALL: [Self; 10] = [
        Self::RsaPkcs1(HashAlgorithm::Sha256),
        Self::RsaPkcs1(HashAlgorithm::Sha384),
        Self::RsaPkcs1(HashAlgorithm::Sha512),
        Self::RsaPss(HashAlgorithm::Sha256),
        Self::RsaPss(HashAlgorithm::Sha384),
        Self::RsaPss(HashAlgorithm::Sha512),
        Self::Ecdsa(HashAlgorithm::Sha256),
        Self::Ecdsa(HashAlgorithm::Sha384),
        Self::Ecdsa(HashAlgorithm::Sha512),
        Self::Ed25519,
    ];

    /// The JCA standard name, which is also the name that is stored.
    #[must_use]
    pub const fn jca_name(self) -> &'static str {
        match self {
            Self::RsaPkcs1(HashAlgorithm::Sha256) => "SHA256withRSA",
            Self::RsaPkcs1(HashAlgorithm::Sha384) => "SHA384withRSA",
            Self::RsaPkcs1(HashAlgorithm::Sha512) => "SHA512withRSA",
            Self::RsaPss(HashAlgorithm::Sha256) => "SHA256withRSAandMGF1",
            Self::RsaPss(HashAlgorithm::Sha384) => "SHA384withRSAandMGF1",
            Self::RsaPss(HashAlgorithm::Sha512) => "SHA512withRSAandMGF1",
            Self::Ecdsa(HashAlgorithm::Sha256) => "SHA256withECDSA",
            Self::Ecdsa(HashAlgorithm::Sha384) => "SHA384withECDSA",
            Self::Ecdsa(HashAlgorithm::Sha512) => "SHA512withECDSA",
            Self::Ed25519 => "Ed25519",
        }
    }

    /// The algorithm of a JCA standard name.
    #[must_use]
    pub fn from_jca_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|a| a.jca_name() == name)
    }

    /// The hash that is applied to the message, `None` where the scheme hashes itself.
    #[must_use]
    pub const fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::RsaPkcs1(hash) | Self::RsaPss(hash) | Self::Ecdsa(hash) => Some(hash),
            Self::Ed25519 => None,
        }
    }

    /// Whether a key of `algorithm` can sign this way.
    #[must_use]
    pub const fn fits(self, algorithm: KeyAlgorithm) -> bool {
        matches!(
            (self, algorithm.family()),
            (Self::RsaPkcs1(_) | Self::RsaPss(_), KeyFamily::Rsa)
                | (Self::Ecdsa(_), KeyFamily::Ec)
                | (Self::Ed25519, KeyFamily::Ed25519)
        )
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.jca_name())
    }
}

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
