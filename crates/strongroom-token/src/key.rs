//! Keys as callers name them, and what a token says of them.

use serde::{Deserialize, Serialize};
use strongroom_domain::key::{DecryptionAlgorithm, KeyAlgorithm, KeyUse, Locator, SignatureAlgorithm, SpkiDer};

/// A key pair to be made.
#[derive(Clone, Debug)]
pub struct KeyTemplate {
    /// What the key will be found by (`CKA_ID`).
    pub locator: Locator,
    /// `CKA_LABEL`.
    pub label: String,
    pub algorithm: KeyAlgorithm,
    pub key_use: KeyUse,
}

/// A key that was made and read back.
#[derive(Clone, Debug)]
pub struct ProvenKey {
    pub spki: SpkiDer,
    /// Proven attributes of the private half, as text for the audit trail: `local, always-sensitive,
    /// never-extractable, sign`.
    pub attestation: String,
}

/// An existing key: its locator and its expected public half.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TokenKey {
    pub locator: Locator,
    pub algorithm: KeyAlgorithm,
    pub spki: SpkiDer,
}

/// A key that already exists in the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExistingKey {
    pub locator: Locator,
    pub algorithm: KeyAlgorithm,
    pub spki: SpkiDer,
    /// Attributes that the token reports, as text for the audit trail.
    pub attestation: String,
}

/// What is signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum SignInput {
    /// The message; the provider hashes it.
    Message(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The digest by the algorithm's hash.
    Digest(#[serde(with = "serde_bytes")] Vec<u8>),
}

/// Result of a destruction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DestroyedObjects {
    /// Objects removed: 0 when none was left.
    pub objects: u32,
}

/// One object, or one pair of objects, that a token holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenObject {
    /// Absent on half-made objects.
    pub locator: Option<Locator>,
    pub label: String,
    pub has_private: bool,
    pub has_public: bool,
    /// An object without `CKA_ID` or public components.
    pub incomplete: bool,
}

/// What a token, or another holder of private keys, can do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// What it can generate, and how such a key can sign.
    pub algorithms: Vec<(KeyAlgorithm, Vec<SignatureAlgorithm>)>,
    /// How an RSA key can decrypt.
    pub decryptions: Vec<DecryptionAlgorithm>,
}

impl Capabilities {
    /// How a key of `algorithm` can sign; `None` when it cannot be generated.
    #[must_use]
    pub fn signatures_of(&self, algorithm: KeyAlgorithm) -> Option<&[SignatureAlgorithm]> {
        self.algorithms.iter().find(|(a, _)| *a == algorithm).map(|(_, signatures)| signatures.as_slice())
    }

    /// Permitted signature algorithms of a new key: the usual ones of `algorithm` and the one asked for, as far
    /// as the provider can. A provider whose capabilities are unknown excludes nothing.
    #[must_use]
    pub fn permitted(
        capabilities: Option<&Self>,
        algorithm: KeyAlgorithm,
        asked: SignatureAlgorithm,
    ) -> Vec<SignatureAlgorithm> {
        let able = capabilities.and_then(|capabilities| capabilities.signatures_of(algorithm));
        let usual = algorithm.usual_signature_algorithms();
        let mut permitted = algorithm.signature_algorithms();
        permitted.retain(|signature| usual.contains(signature) || *signature == asked);
        permitted.retain(|signature| able.is_none_or(|able| able.contains(signature)));
        permitted
    }
}
