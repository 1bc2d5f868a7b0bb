//! What is remembered: key pairs, their certificates, requests seen, the audit trail.
//!
//! Owns rows and transactions. Does not know providers, principals beyond their names,
//! or what a certificate says. SQLite embedded; PostgreSQL later by the same SQL text.
//!
//! Invariants: one method is one transaction together with its audit events; a state
//! moves only along [`State::may_become`] and only by compare-and-set on the row's
//! version; the epoch grows with each transition; a tombstone is never removed.

mod idempotency;
mod key_pairs;
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
    CertificateDer, KeyAlgorithm, KeyId, KeyPair, KeyUse, Kid, Locator, Origin, ProviderKind, RingId, RingKind,
    SignatureAlgorithm, SpkiDer, State, StoreId,
};

pub use sql::SqlStore;

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

    /// The store-wide count of transitions.
    async fn epoch(&self) -> Result<i64, StoreError>;

    /// Reserves a key pair, unless its ring or its idempotency key says otherwise.
    async fn reserve(&self, new: NewReservation, audit: &[Event]) -> Result<Reserve, StoreError>;

    /// Makes a reservation real. [`StoreError::Conflict`] when it was lost meanwhile.
    async fn commit(&self, commit: Commit, audit: &[Event]) -> Result<KeyPair, StoreError>;

    /// Moves a key pair; leaving `Reserved` for `Abandoning` also forgets its idempotency key.
    async fn transition(&self, transition: Transition, audit: &[Event]) -> Result<KeyPair, StoreError>;

    /// One key pair, tombstones included.
    async fn pair(&self, id: KeyId) -> Result<Option<KeyPair>, StoreError>;

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

    /// Writes audit events that belong to no change of a row.
    async fn record(&self, audit: &[Event]) -> Result<(), StoreError>;

    /// Up to `limit` audit events with their numbers, which grow, from the first one above `after`.
    async fn audit(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>, StoreError>;
}
