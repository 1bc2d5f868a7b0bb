//! The store: key pairs, certificates, idempotency claims, settings and the audit trail.
//!
//! Owns rows and transactions. Does not know providers, principals beyond their names,
//! or what a certificate says. SQLite embedded, or PostgreSQL, by the same SQL text.
//!
//! Invariants: one method is one transaction together with its audit events; a state
//! moves only along [`KeyState::may_become`] and only by compare-and-set on the row's
//! version; the epoch grows with each change of a row that caches must see; a tombstone is
//! never removed, nor a master key; what is destroyed is overwritten.

mod audit_trail;
pub mod backup;
mod documents;
mod epoch_cache;
mod handle;
mod idempotency;
mod key_pairs;
mod master_keys;
mod meta;
mod migrations;
mod pools;
mod postgres;
mod records;
mod request;
mod rings;
mod seam;
mod session;
mod sqlite;
mod states;
mod stock;
#[cfg(test)]
mod tests;
mod timer;
mod transactions;

use strongroom_domain::error::{Error, ErrorKind};

use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{KeyId, KeyState, RingId};

pub use epoch_cache::{EPOCH_VALID_FOR, EpochCache, EpochReading, poll_epoch};
pub use handle::{ReadOnlyOpen, Store};
pub use request::{
    Agenda, CertificateReplacement, Commit, DueRing, IdempotencyClaim, KeyPairChange, LeaseOwner, NewReservation,
    Placement, ReserveOutcome, RotationSettingsChange, SweepLease, TokenPresence, Transition,
};

/// What a document is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentKind {
    /// The one document that says which key pairs serve TLS; refers to `sslServer:` rings.
    SslSettings,
    /// When and how a ring's key is succeeded; its id is the ring's, with which it goes.
    RotationSettings,
    /// A trusted certificate authority.
    TrustedCa,
    /// How often a ring's key is succeeded by itself; its id is the ring's, with which it goes.
    RotationPeriod,
    /// What a ring permits; its id is the ring's, with which it goes.
    RingSettings,
    /// A connection that was declared; its keys are those of the ring `connection:{id}`.
    Connection,
    /// The one document that says which key pairs sign OAuth and `OpenID` Connect tokens.
    OidcSettings,
    /// Key pairs that sign the tokens of some issuers.
    AdditionalKeySet,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::SslSettings,
        Self::RotationSettings,
        Self::TrustedCa,
        Self::RotationPeriod,
        Self::RingSettings,
        Self::Connection,
        Self::OidcSettings,
        Self::AdditionalKeySet,
    ];

    /// The stable name that is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SslSettings => "ssl-settings",
            Self::RotationSettings => "rotation-settings",
            Self::TrustedCa => "trusted-ca",
            Self::RotationPeriod => "rotation-period",
            Self::RingSettings => "ring-settings",
            Self::Connection => "connection",
            Self::OidcSettings => "oidc-settings",
            Self::AdditionalKeySet => "additional-key-set",
        }
    }

    /// Whether it is about one ring, whose id is its own and with whose last key it goes.
    #[must_use]
    pub const fn is_of_a_ring(self) -> bool {
        matches!(self, Self::RotationSettings | Self::RotationPeriod | Self::RingSettings)
    }
}

/// A document of the catalog: JSON that only the catalog reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDocument {
    pub kind: DocumentKind,
    pub id: String,
    pub body: String,
    pub updated_at: Timestamp,
}

/// Outcome of writing a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    Done,
    /// It refers to a ring that has no Active key; nothing was changed.
    NoSuchRing(RingId),
    /// It was to be new and there is one of this id; nothing was changed.
    Exists,
}

/// A master key of the provider `Local`, sealed by a token or a key file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterKey {
    /// Counts from 1; the highest seals new keys.
    pub version: i64,
    pub sealed: Vec<u8>,
    pub created_at: Timestamp,
}

/// A store's failure.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was changed; it may work later.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// The row is not what the caller saw.
    #[error("the row has changed")]
    Conflict,
    /// The state machine forbids it.
    #[error("a key that is {from} cannot become {to}")]
    Forbidden { from: KeyState, to: KeyState },
    /// The public key was compromised before: it never comes back.
    #[error("the key was compromised")]
    Compromised,
    /// Another sweeper has begun since.
    #[error("another sweeper has begun")]
    Fenced,
    /// Documents refer to the key's ring: their kinds and ids.
    #[error("the key's ring is referred to")]
    InUse(Vec<(DocumentKind, String)>),
    /// A kid that several key pairs have.
    #[error("the kid names several key pairs")]
    Ambiguous(Vec<KeyId>),
    /// A row that this program cannot have written.
    #[error("the store holds what it should not: {0}")]
    Inconsistent(String),
    /// The commit was sent and its answer lost: read the row back.
    #[error("the outcome of the transaction is unknown: {0}")]
    Unknown(String),
}

impl From<StoreError> for Error {
    fn from(failure: StoreError) -> Self {
        if let StoreError::Ambiguous(keys) = &failure {
            let ids: Vec<String> = keys.iter().map(ToString::to_string).collect();
            let public = format!("the kid names several key pairs; name one by its id: {}", ids.join(", "));
            return Self::new(ErrorKind::Conflict, public).with_source(failure);
        }
        let (kind, public) = match &failure {
            StoreError::Unavailable(_) | StoreError::Unknown(_) => {
                (ErrorKind::ProviderUnavailable, "the store is unavailable")
            }
            StoreError::Ambiguous(_) | StoreError::Conflict => {
                (ErrorKind::Conflict, "the key pair was changed meanwhile")
            }
            StoreError::Compromised => (ErrorKind::Conflict, "this key was compromised: it never comes back"),
            StoreError::Fenced => (ErrorKind::Conflict, "another sweep has begun"),
            StoreError::Forbidden { .. } => (ErrorKind::Conflict, "the key pair's state does not allow this"),
            StoreError::InUse(_) => (ErrorKind::InUse, "the key pair is in use"),
            StoreError::Inconsistent(_) => (ErrorKind::Internal, "internal error"),
        };
        Self::new(kind, public).with_source(failure)
    }
}
