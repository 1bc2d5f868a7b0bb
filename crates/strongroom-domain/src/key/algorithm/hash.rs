//! Digests.

use aws_lc_rs::digest;
use const_oid::ObjectIdentifier;
use serde::{Deserialize, Serialize};

/// A digest of the SHA-2 family (FIPS 180-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HashAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

/// A row of the table of hashes.
pub(super) struct HashRow {
    pub(super) name: &'static str,
    pub(super) output_len: usize,
    pub(super) oid: ObjectIdentifier,
    pub(super) implementation: &'static digest::Algorithm,
}

impl HashAlgorithm {
    /// Every hash, weakest first.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// The first word of JCA names: `SHA256`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// Length of the digest in bytes.
    #[must_use]
    pub const fn output_len(self) -> usize {
        self.row().output_len
    }

    /// The object identifier (RFC 5754 section 2).
    #[must_use]
    pub const fn oid(self) -> ObjectIdentifier {
        self.row().oid
    }

    /// The implementation in software.
    #[must_use]
    pub const fn implementation(self) -> &'static digest::Algorithm {
        self.row().implementation
    }

    /// Digest of `message`.
    #[must_use]
    pub fn digest(self, message: &[u8]) -> Vec<u8> {
        digest::digest(self.implementation(), message).as_ref().to_vec()
    }
}
