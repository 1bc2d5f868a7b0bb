//! The store: key pairs, certificates, idempotency claims, settings and the audit trail.
//!
//! Owns rows and transactions. Does not know providers, principals beyond their names,
//! or what a certificate says. SQLite embedded; PostgreSQL later by the same SQL text.
//!
//! Invariants: one method is one transaction together with its audit events; a state
//! moves only along [`KeyState::may_become`] and only by compare-and-set on the row's
//! version; the epoch grows with each change of a row that caches must see; a tombstone is
//! never removed, nor a master key; what is destroyed is overwritten.

mod audit_trail;
mod documents;
mod epoch_cache;
mod idempotency;
mod key_pairs;
mod master_keys;
mod meta;
mod migrations;
mod records;
mod request;
mod rings;
mod sql;
mod sqlite;
mod states;
mod stock;
#[cfg(test)]
mod tests;
mod timer;

use std::time::Duration;
use strongroom_domain::error::{Error, ErrorKind};

use async_trait::async_trait;

use strongroom_domain::audit::Event;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{
    CertificateDer, KeyAlgorithm, KeyId, KeyName, KeyPair, KeyState, KeyUse, Kid, ProviderKind, RingId, RingKind,
    SealedKey, StoreId,
};

pub use epoch_cache::{EPOCH_VALID_FOR, EpochCache, EpochReading, poll_epoch};
pub use request::{
    Agenda, Commit, DueRing, IdempotencyClaim, KeyPairChange, LeaseOwner, NewReservation, Placement, ReserveOutcome,
    SweepLease, Transition,
};
pub use sql::{ReadOnlyOpen, SqlStore};

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

/// The store: rows and transactions.
#[async_trait]
pub trait Store: Send + Sync {
    /// The identity of this store, made at its birth.
    fn id(&self) -> StoreId;

    /// HMAC-SHA-256 of a request body under a key of this store.
    fn fingerprint(&self, body: &[u8]) -> [u8; 32];

    /// Passes when the store can be read and written.
    async fn ping(&self) -> Result<(), StoreError>;

    /// The store-wide count of commits, transitions, marks of missing keys, replaced
    /// certificates and seals, and changes of documents.
    async fn epoch(&self) -> Result<i64, StoreError>;

    /// Grows with each change to key pairs and documents that was made through this handle, before the method that
    /// made it returns: what was read at another revision may be outdated.
    fn revision(&self) -> u64;

    /// The outcome of an earlier request with the same idempotency claim; `None` for a new one.
    async fn prior_outcome(
        &self,
        claim: &IdempotencyClaim,
        now: Timestamp,
    ) -> Result<Option<ReserveOutcome>, StoreError>;

    /// Reserves a key pair, unless its ring or its idempotency key says otherwise; a key from stock by
    /// compare-and-set, [`StoreError::Conflict`] when another was faster.
    async fn reserve(&self, new: NewReservation, audit: &[Event]) -> Result<ReserveOutcome, StoreError>;

    /// Applies transitions and commits in one transaction; returns the rows in that order.
    /// [`StoreError::Conflict`] when one is not what the caller saw, or the ring would have two Active
    /// keys; [`StoreError::Fenced`].
    ///
    /// Leaving `Reserved` for `Abandoning` also forgets the idempotency key; leaving for
    /// `Destroying` also removes the documents that go with the ring when no visible key is
    /// left, and is refused with [`StoreError::InUse`] while a document refers to the ring
    /// and no other key is the current one there; `Destroyed` erases the sealed private half. A key that
    /// becomes Active succeeds a suspended one of its ring, and a compromised one that awaits a successor; a public
    /// key that was compromised is [`StoreError::Compromised`].
    async fn change(&self, change: KeyPairChange, audit: &[Event]) -> Result<Vec<KeyPair>, StoreError>;

    /// Commits one reservation.
    async fn commit(&self, commit: Commit, audit: &[Event]) -> Result<KeyPair, StoreError> {
        only(self.change(KeyPairChange { commits: vec![commit], ..KeyPairChange::default() }, audit).await?)
    }

    /// Applies one transition.
    async fn transition(&self, transition: Transition, audit: &[Event]) -> Result<KeyPair, StoreError> {
        only(self.change(KeyPairChange { moves: vec![transition], ..KeyPairChange::default() }, audit).await?)
    }

    /// One key pair, tombstones included.
    async fn pair(&self, id: KeyId) -> Result<Option<KeyPair>, StoreError>;

    /// The visible or compromised key pair of an id or a kid; [`StoreError::Ambiguous`] when the kid is that of several.
    async fn find_by_name(&self, name: &KeyName) -> Result<Option<KeyPair>, StoreError>;

    /// The visible key pairs of a ring: Active first, then `PreActive`, then the others, each by generation.
    async fn ring(&self, ring: &RingId) -> Result<Vec<KeyPair>, StoreError>;

    /// The visible key pairs of a ring, in the same order, and a compromised one that none has followed yet.
    async fn ring_to_plan(&self, ring: &RingId) -> Result<Vec<KeyPair>, StoreError>;

    /// The latest key pair of a kid in a ring that was ever committed, tombstones included.
    async fn find_even_deleted(&self, ring: &RingId, kid: &Kid) -> Result<Option<KeyPair>, StoreError>;

    /// Up to `limit` rings with a visible key pair, by id, after `after`.
    async fn rings(&self, after: Option<&RingId>, limit: u32) -> Result<Vec<RingId>, StoreError>;

    /// Up to `limit` rings that a sweep has to look at, the longest due first. A ring is due
    /// after each change of its visible key pairs, of their certificates and of the documents about it.
    async fn due_rings(&self, now: Timestamp, limit: u32) -> Result<Vec<DueRing>, StoreError>;

    /// Notes when a ring has to be looked at next, unless it has changed since; whether it was noted.
    async fn set_ring_due(&self, ring: &DueRing, due: Option<Timestamp>) -> Result<bool, StoreError>;

    /// Makes every ring of a kind due: its policy has changed.
    async fn make_kind_due(&self, kind: RingKind) -> Result<(), StoreError>;

    /// What awaits the sweeps at `now`.
    async fn agenda(&self, now: Timestamp) -> Result<Agenda, StoreError>;

    /// Takes the right to sweep for `lease`; `None` while another has it. What the same life
    /// held is taken over, what a former life of its instance held too.
    async fn lease_sweep(
        &self,
        owner: &LeaseOwner,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<SweepLease>, StoreError>;

    /// Gives the right to sweep back, noting that a sweep came to its end `at`, if it did;
    /// [`StoreError::Fenced`] when it was lost.
    async fn end_sweep(&self, fence: i64, at: Option<Timestamp>, audit: &[Event]) -> Result<(), StoreError>;

    /// The current key pairs of every ring of a kind, suspended ones too, by creation time, then id.
    async fn active_of_kind(&self, kind: RingKind) -> Result<Vec<KeyPair>, StoreError>;

    /// The oldest key of an algorithm and a use in stock that was made after `since` and has not been seen missing.
    async fn next_stocked(
        &self,
        algorithm: KeyAlgorithm,
        key_use: KeyUse,
        since: Timestamp,
    ) -> Result<Option<KeyPair>, StoreError>;

    /// The stock, the oldest first, with the reservations that will be stock.
    async fn stock(&self) -> Result<Vec<KeyPair>, StoreError>;

    /// What reconcile has to finish: `Abandoning`, `Destroying`, and reservations whose lease is over at
    /// `now` or whose owner is a former life of `owner`'s instance.
    async fn unfinished(&self, owner: &LeaseOwner, now: Timestamp) -> Result<Vec<KeyPair>, StoreError>;

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
        drop_rotation_settings: Option<Event>,
        audit: &[Event],
    ) -> Result<KeyPair, StoreError>;

    /// How many key pairs of a provider there are, tombstones and undone reservations aside.
    async fn count_held_by(&self, provider: ProviderKind) -> Result<i64, StoreError>;

    /// Replaces the sealed private half of a key pair, by compare-and-set.
    async fn reseal(&self, id: KeyId, version: i64, sealed: SealedKey, audit: &[Event]) -> Result<KeyPair, StoreError>;

    /// Every master key, by version.
    async fn master_keys(&self) -> Result<Vec<MasterKey>, StoreError>;

    /// Adds a master key; [`StoreError::Conflict`] when its version is taken.
    async fn add_master_key(&self, master: MasterKey, audit: &[Event]) -> Result<(), StoreError>;

    /// The lowest version of a master key that a key may be sealed under; only growing.
    async fn oldest_master(&self) -> Result<i64, StoreError>;

    /// Retires the master keys below a version for ever, unless a key is sealed under one of them; whether it did.
    /// Commits and resealing under a retired one are [`StoreError::Unavailable`].
    async fn retire_masters(&self, below: i64, audit: &[Event]) -> Result<bool, StoreError>;

    /// One document.
    async fn document(&self, kind: DocumentKind, id: &str) -> Result<Option<StoredDocument>, StoreError>;

    /// Every document of a kind, by id.
    async fn documents(&self, kind: DocumentKind) -> Result<Vec<StoredDocument>, StoreError>;

    /// The kinds and ids of the documents that refer to a ring, those of its own apart.
    async fn referring_documents(&self, ring: &RingId) -> Result<Vec<(DocumentKind, String)>, StoreError>;

    /// Keeps a document with the rings that it refers to; with `new`, only if there is none of its id.
    async fn put_document(
        &self,
        document: StoredDocument,
        references: &[RingId],
        new: bool,
        audit: &[Event],
    ) -> Result<PutOutcome, StoreError>;

    /// Removes a document; whether there was one.
    async fn delete_document(&self, kind: DocumentKind, id: &str, audit: &[Event]) -> Result<bool, StoreError>;

    /// Writes audit events that belong to no change of a row.
    async fn record(&self, audit: &[Event]) -> Result<(), StoreError>;

    /// Up to `limit` audit events with their numbers, which grow, from the first one above `after`.
    async fn audit(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>, StoreError>;
}

/// The one row of a change of one.
fn only(rows: Vec<KeyPair>) -> Result<KeyPair, StoreError> {
    rows.into_iter().next().ok_or_else(|| StoreError::Inconsistent("a change without a row".to_owned()))
}
