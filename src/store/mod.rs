//! What is remembered: key pairs, their certificates, requests seen, the audit trail.
//!
//! Owns rows and transactions. Does not know providers, principals beyond their names,
//! or what a certificate says. SQLite embedded; PostgreSQL later by the same SQL text.
//!
//! Invariants: one method is one transaction together with its audit events; a state
//! moves only along [`State::may_become`] and only by compare-and-set on the row's
//! version; the epoch grows with each change of a row that caches must see; a tombstone is
//! never removed, nor a master key; what is destroyed is overwritten.

mod documents;
mod idempotency;
mod key_pairs;
mod master_keys;
mod meta;
mod migrations;
mod records;
mod sql;
mod sqlite;
#[cfg(test)]
mod tests;
mod trail;

use std::time::Duration;

use async_trait::async_trait;

use crate::audit::Event;
use crate::clock::Timestamp;
use crate::key::{
    CertificateDer, KeyAlgorithm, KeyId, KeyName, KeyPair, KeyUse, Kid, Locator, Origin, ProviderKind, RingId,
    RingKind, SealedKey, SignatureAlgorithm, SpkiDer, State, StoreId,
};

pub use sql::{Looked, SqlStore};

/// The daemon that owns a reservation: an instance, and one life of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Stays the same over restarts.
    pub instance: String,
    /// New at each start.
    pub life: String,
}

/// A key pair that is about to be made.
#[derive(Clone, Debug)]
pub struct NewReservation {
    pub id: KeyId,
    pub ring: Option<RingId>,
    pub provider: ProviderKind,
    pub locator: Locator,
    pub origin: Origin,
    pub key_use: KeyUse,
    pub algorithm: KeyAlgorithm,
    pub signature_algorithm: SignatureAlgorithm,
    pub permitted: Vec<SignatureAlgorithm>,
    pub owner: Owner,
    pub now: Timestamp,
    /// How long nobody else may undo it.
    pub lease: Duration,
    pub idempotency: Option<IdempotencyClaim>,
}

/// A client's `Idempotency-Key` with the request that it belongs to.
#[derive(Clone, Debug)]
pub struct IdempotencyClaim {
    pub principal: String,
    pub route: String,
    pub key: String,
    /// By [`Store::fingerprint`]; the body itself is not kept.
    pub fingerprint: [u8; 32],
    pub expires: Timestamp,
}

/// What became of a wish to reserve.
#[derive(Clone, Debug)]
pub enum Reserve {
    /// A new row, in state `Reserved`.
    New(Box<KeyPair>),
    /// The same request succeeded before with this key.
    Replay(KeyId),
    /// The same request succeeded before, with a key that was deleted since.
    Deleted,
    /// The same request is running.
    InProgress,
    /// The same idempotency key came with another body.
    Mismatch,
    /// The ring has a key already.
    RingExists,
}

/// What a reservation becomes.
#[derive(Clone, Debug)]
pub struct Commit {
    pub id: KeyId,
    /// The version that the reservation had.
    pub version: i64,
    /// `Stocked`, `PreActive` or `Active`.
    pub state: State,
    pub kid: Kid,
    pub spki: SpkiDer,
    /// The private half of a `Local` key.
    pub sealed: Option<SealedKey>,
    pub certificates: Vec<CertificateDer>,
    pub now: Timestamp,
}

/// A move of one key pair.
#[derive(Clone, Copy, Debug)]
pub struct Transition {
    pub id: KeyId,
    /// The version that the caller saw.
    pub version: i64,
    pub to: State,
    /// Web keys only: back from `Deactivated` to `Active`.
    pub reactivate: bool,
    pub now: Timestamp,
}

/// What a document is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DocumentKind {
    /// The one document that says which key pairs serve TLS; refers to `sslServer:` rings.
    SslSettings,
    /// When and how a ring's key is succeeded; its id is the ring's, with which it goes.
    RotationSettings,
    /// A trusted certificate authority.
    TrustedCa,
}

impl DocumentKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::SslSettings, Self::RotationSettings, Self::TrustedCa];

    /// The stable name that is stored.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SslSettings => "ssl-settings",
            Self::RotationSettings => "rotation-settings",
            Self::TrustedCa => "trusted-ca",
        }
    }
}

/// A document of the catalog: JSON that only the catalog reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub kind: DocumentKind,
    pub id: String,
    pub body: String,
    pub updated_at: Timestamp,
}

/// What became of a wish to keep a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
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
    Forbidden { from: State, to: State },
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

/// The memory of the daemon.
#[async_trait]
pub trait Store: Send + Sync {
    /// The identity of this store, made at its birth.
    fn id(&self) -> StoreId;

    /// HMAC-SHA-256 of a request body under a key of this store.
    fn fingerprint(&self, body: &[u8]) -> [u8; 32];

    /// Passes when the store can be read and written.
    async fn ping(&self) -> Result<(), StoreError>;

    /// The store-wide count of commits, transitions, marks of missing keys, and replaced
    /// certificates and seals.
    async fn epoch(&self) -> Result<i64, StoreError>;

    /// Grows with each change to key pairs that was made through this handle, before the method that
    /// made it returns: what was read at another revision may be outdated.
    fn revision(&self) -> u64;

    /// What the same idempotency claim led to before; `None` when it is new.
    async fn precedent(&self, claim: &IdempotencyClaim, now: Timestamp) -> Result<Option<Reserve>, StoreError>;

    /// Reserves a key pair, unless its ring or its idempotency key says otherwise.
    async fn reserve(&self, new: NewReservation, audit: &[Event]) -> Result<Reserve, StoreError>;

    /// Makes a reservation real. [`StoreError::Conflict`] when it was lost meanwhile.
    async fn commit(&self, commit: Commit, audit: &[Event]) -> Result<KeyPair, StoreError>;

    /// Moves a key pair; leaving `Reserved` for `Abandoning` also forgets its idempotency key;
    /// leaving for `Destroying` also removes the ring's rotation settings when no visible key
    /// is left, and is refused with [`StoreError::InUse`] while a document refers to the ring
    /// and no other key is Active there;
    /// `Destroyed` erases the sealed private half.
    async fn transition(&self, transition: Transition, audit: &[Event]) -> Result<KeyPair, StoreError>;

    /// One key pair, tombstones included.
    async fn pair(&self, id: KeyId) -> Result<Option<KeyPair>, StoreError>;

    /// The visible key pair of an id or a kid; [`StoreError::Ambiguous`] when the kid is that of several.
    async fn named(&self, name: &KeyName) -> Result<Option<KeyPair>, StoreError>;

    /// The visible key pairs of a ring: Active first, then `PreActive`, then Deactivated, each by generation.
    async fn ring(&self, ring: &RingId) -> Result<Vec<KeyPair>, StoreError>;

    /// The Active key pairs of every ring of a kind, by creation time, then id.
    async fn active_of_kind(&self, kind: RingKind) -> Result<Vec<KeyPair>, StoreError>;

    /// What reconcile has to finish: `Abandoning`, `Destroying`, and reservations whose lease is over at
    /// `now` or whose owner is a former life of `owner`'s instance.
    async fn unfinished(&self, owner: &Owner, now: Timestamp) -> Result<Vec<KeyPair>, StoreError>;

    /// A page of every row but tombstones older than `since`, by id, after `after`: what an inventory is compared with.
    async fn page(&self, after: Option<KeyId>, since: Timestamp, limit: u32) -> Result<Vec<KeyPair>, StoreError>;

    /// Notes that the token was seen with or without the key: `None` it is there, else since when it is not and
    /// whether that is established. [`StoreError::Conflict`] when the key is no longer one that must be there.
    async fn mark_missing(
        &self,
        id: KeyId,
        since: Option<(Timestamp, bool)>,
        audit: &[Event],
    ) -> Result<(), StoreError>;

    /// Replaces the certificates of a visible key pair, by compare-and-set; with `void` it also removes
    /// the rotation settings of its ring, where there are some, and writes that event.
    async fn replace_certificates(
        &self,
        id: KeyId,
        version: i64,
        certificates: Vec<CertificateDer>,
        void: Option<Event>,
        audit: &[Event],
    ) -> Result<KeyPair, StoreError>;

    /// How many key pairs of a provider there are, tombstones and undone reservations aside.
    async fn held_by(&self, provider: ProviderKind) -> Result<i64, StoreError>;

    /// Replaces the sealed private half of a key pair, by compare-and-set.
    async fn reseal(&self, id: KeyId, version: i64, sealed: SealedKey, audit: &[Event]) -> Result<KeyPair, StoreError>;

    /// Every master key, by version.
    async fn master_keys(&self) -> Result<Vec<MasterKey>, StoreError>;

    /// Adds a master key; [`StoreError::Conflict`] when its version is taken.
    async fn add_master_key(&self, master: MasterKey, audit: &[Event]) -> Result<(), StoreError>;

    /// One document.
    async fn document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, StoreError>;

    /// Every document of a kind, by id.
    async fn documents(&self, kind: DocumentKind) -> Result<Vec<Document>, StoreError>;

    /// Keeps a document with the rings that it refers to; with `new`, only if there is none of its id.
    async fn put_document(
        &self,
        document: Document,
        references: &[RingId],
        new: bool,
        audit: &[Event],
    ) -> Result<Put, StoreError>;

    /// Removes a document; whether there was one.
    async fn delete_document(&self, kind: DocumentKind, id: &str, audit: &[Event]) -> Result<bool, StoreError>;

    /// Writes audit events that belong to no change of a row.
    async fn record(&self, audit: &[Event]) -> Result<(), StoreError>;

    /// Up to `limit` audit events with their numbers, which grow, from the first one above `after`.
    async fn audit(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>, StoreError>;
}
