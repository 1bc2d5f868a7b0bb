//! The key pair: one asymmetric key with its public half, its certificates and a state.

use serde::{Deserialize, Serialize};

use super::{
    CertificateDer, KeyAlgorithm, KeyId, KeyState, Kid, Locator, RingId, SealedKey, SignatureAlgorithm, SpkiDer,
};
use crate::clock::Timestamp;

/// Who holds the private half (on the wire: `cryptoProvider`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ProviderKind {
    /// A PKCS#11 token.
    Hsm,
    /// This daemon, sealed at rest.
    Local,
}

impl ProviderKind {
    /// The stable name, stored and on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hsm => "HSM",
            Self::Local => "LOCAL",
        }
    }

    /// The provider of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Hsm, Self::Local].into_iter().find(|kind| kind.name() == name)
    }
}

/// What the private half may do; fixed at creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyUse {
    /// Signs.
    Sign,
    /// Decrypts.
    Decrypt,
}

impl KeyUse {
    /// The stable name that is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Decrypt => "decrypt",
        }
    }

    /// The use of a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Sign, Self::Decrypt].into_iter().find(|kind| kind.name() == name)
    }
}

/// How the private half came to its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyOrigin {
    /// Born there.
    Generated,
    /// Brought in from outside.
    Imported,
    /// Another's key that was there before: never destroyed by us.
    Linked,
}

impl KeyOrigin {
    /// The stable name that is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Imported => "imported",
            Self::Linked => "linked",
        }
    }

    /// The origin of a stored name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Generated, Self::Imported, Self::Linked].into_iter().find(|origin| origin.name() == name)
    }
}

/// One key pair as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    pub id: KeyId,
    /// The ring, absent for stock.
    pub ring: Option<RingId>,
    /// Position in the ring: 1 for the first key, one more for each successor.
    pub generation: i64,
    pub state: KeyState,
    /// When the token was first seen without the key; `missing` once seen twice.
    pub missing_since: Option<Timestamp>,
    pub missing: bool,
    pub provider: ProviderKind,
    pub locator: Locator,
    /// The private half of a `Local` key; absent for keys in a token, and once destroyed.
    pub sealed: Option<SealedKey>,
    pub origin: KeyOrigin,
    pub key_use: KeyUse,
    pub algorithm: KeyAlgorithm,
    /// The default signature algorithm, and that of a self-signed certificate.
    pub signature_algorithm: SignatureAlgorithm,
    /// Every algorithm that the key may sign with; fixed at creation.
    pub permitted: Vec<SignatureAlgorithm>,
    /// Absent until the key is committed.
    pub kid: Option<Kid>,
    /// Absent until the key is committed.
    pub spki: Option<SpkiDer>,
    /// The leaf first, then its issuers; empty where none was asked for.
    pub certificates: Vec<CertificateDer>,
    pub created_at: Timestamp,
    pub activated_at: Option<Timestamp>,
    pub deactivated_at: Option<Timestamp>,
    /// The state that a `Suspended` key is reinstated to: `PreActive`, `Active` or `Deactivated`; kept in
    /// `PendingDestruction`.
    pub suspended_from: Option<KeyState>,
    /// Whether a `Suspended` key is left out of the key sets.
    pub unpublished: bool,
    /// When the key became known as compromised; kept on its tombstone.
    pub compromised_at: Option<Timestamp>,
    /// Whether the key was the current one of its ring when it was compromised, and none has followed it yet.
    pub awaits_successor: bool,
    /// When a key in `PendingDestruction` is to be destroyed.
    pub destroy_at: Option<Timestamp>,
    /// When its deletion was committed.
    pub deleted_at: Option<Timestamp>,
    pub destroyed_at: Option<Timestamp>,
    /// Counts changes of the row: what a compare-and-set compares.
    pub version: i64,
}

impl KeyPair {
    /// The certificate of the key itself.
    #[must_use]
    pub fn leaf(&self) -> Option<&CertificateDer> {
        self.certificates.first()
    }

    /// Whether the key is the one that signs in its ring, or would if it were not `Suspended`. A ring has one at most.
    #[must_use]
    pub fn is_current(&self) -> bool {
        match self.state {
            KeyState::Suspended => self.suspended_from == Some(KeyState::Active),
            state => state == KeyState::Active,
        }
    }
}
