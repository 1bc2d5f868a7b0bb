//! Transactions of key pairs and of the stock.

use super::key_pair_rules::{change, prior_outcome, replace_certificates, reseal, reserve, set_presence};
use crate::store::pools::{on_database, reading, revising};
use crate::store::{
    CertificateReplacement, Commit, IdempotencyClaim, KeyPairChange, LeaseOwner, NewReservation, ReserveOutcome, Store,
    StoreError, TokenPresence, Transition, key_pairs, stock,
};
use strongroom_domain::audit::Event;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{
    KeyAlgorithm, KeyId, KeyName, KeyPair, KeyState, KeyUse, Kid, ProviderKind, RingId, RingKind, SealedKey,
};

impl Store {
    /// Reserves a key pair, unless its ring or its idempotency key says otherwise; a key from stock by
    /// compare-and-set, [`StoreError::Conflict`] when another was faster.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn reserve(&self, new: NewReservation, audit: &[Event]) -> Result<ReserveOutcome, StoreError> {
        on_database!(self, |pools| {
            let mut transaction = pools.begin("reserve").await?;
            let outcome = Box::pin(reserve(transaction.conn(), &new)).await?;
            if let ReserveOutcome::Reserved(_) = outcome {
                transaction.commit(audit).await?;
            }
            Ok(outcome)
        })
    }

    /// The outcome of an earlier request with the same idempotency claim; `None` for a new one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn prior_outcome(
        &self,
        claim: &IdempotencyClaim,
        now: Timestamp,
    ) -> Result<Option<ReserveOutcome>, StoreError> {
        on_database!(self, |pools| {
            let mut snapshot = pools.snapshot("precedent").await?;
            Box::pin(prior_outcome(snapshot.conn(), claim, now)).await
        })
    }

    /// Applies transitions and commits in one transaction; returns the rows in that order.
    /// [`StoreError::Conflict`] when one is not what the caller saw, or the ring would have two Active
    /// keys; [`StoreError::Fenced`].
    ///
    /// Leaving `Reserved` for `Abandoning` also forgets the idempotency key; leaving for
    /// `Destroying`, `PendingDestruction` or `Compromised` also removes the documents that go with the ring when
    /// no visible key is left, and but for `Compromised` is refused with [`StoreError::InUse`] while a document refers to
    /// the ring and no other key is the current one there; `Destroyed` erases the sealed private half. A key that
    /// becomes Active succeeds a suspended one of its ring, and a compromised one that awaits a successor; a public key
    /// that was compromised is [`StoreError::Compromised`].
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn change(&self, wanted: KeyPairChange, audit: &[Event]) -> Result<Vec<KeyPair>, StoreError> {
        on_database!(self, |pools| {
            let mut transaction = pools.begin("change").await?;
            let rows = Box::pin(change(transaction.conn(), &wanted)).await?;
            let _revision = self.revise();
            transaction.commit(audit).await?;
            if rows.iter().any(|pair| pair.state == KeyState::Destroyed && pair.provider == ProviderKind::Local) {
                pools.purge_erased().await;
            }
            Ok(rows)
        })
    }

    /// Commits one reservation.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn commit(&self, commit: Commit, audit: &[Event]) -> Result<KeyPair, StoreError> {
        only(self.change(KeyPairChange { commits: vec![commit], ..KeyPairChange::default() }, audit).await?)
    }

    /// Applies one transition.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn transition(&self, transition: Transition, audit: &[Event]) -> Result<KeyPair, StoreError> {
        only(self.change(KeyPairChange { moves: vec![transition], ..KeyPairChange::default() }, audit).await?)
    }

    /// One key pair, tombstones included.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn pair(&self, id: KeyId) -> Result<Option<KeyPair>, StoreError> {
        reading!(self, "pair", |conn| key_pairs::find(conn, id))
    }

    /// The key pair of an id or a kid, compromised ones and those about to be destroyed included;
    /// [`StoreError::Ambiguous`] when the kid is that of several.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find_by_name(&self, name: &KeyName) -> Result<Option<KeyPair>, StoreError> {
        reading!(self, "named", |conn| key_pairs::find_by_name(conn, name))
    }

    /// The latest key pair of a kid in a ring that was ever committed, tombstones included.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find_even_deleted(&self, ring: &RingId, kid: &Kid) -> Result<Option<KeyPair>, StoreError> {
        reading!(self, "remembered", |conn| key_pairs::find_even_deleted(conn, ring, kid))
    }

    /// The visible key pairs of a ring: Active first, then `PreActive`, then the others, each by generation.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ring(&self, ring: &RingId) -> Result<Vec<KeyPair>, StoreError> {
        reading!(self, "ring", |conn| key_pairs::of_ring(conn, ring))
    }

    /// The key pairs that the plan of a ring is made of, in the same order: the visible ones, those about to be
    /// destroyed, and a compromised one without a successor.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ring_to_plan(&self, ring: &RingId) -> Result<Vec<KeyPair>, StoreError> {
        reading!(self, "ring_to_plan", |conn| key_pairs::of_ring_to_plan(conn, ring))
    }

    /// The current key pairs of every ring of a kind, suspended ones too, by creation time, then id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn active_of_kind(&self, kind: RingKind) -> Result<Vec<KeyPair>, StoreError> {
        reading!(self, "active_of_kind", |conn| key_pairs::active_of_kind(conn, kind))
    }

    /// What reconcile has to finish: `Abandoning`, `Destroying`, and reservations whose lease is over at
    /// `now` or whose owner is a former life of `owner`'s instance.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unfinished(&self, owner: &LeaseOwner, now: Timestamp) -> Result<Vec<KeyPair>, StoreError> {
        reading!(self, "unfinished", |conn| key_pairs::unfinished(conn, owner, now))
    }

    /// A page of every row but tombstones older than `since`, by id, after `after`: what an inventory is compared with.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn page(&self, after: Option<KeyId>, since: Timestamp, limit: u32) -> Result<Vec<KeyPair>, StoreError> {
        reading!(self, "page", |conn| key_pairs::page(conn, after, since, limit))
    }

    /// How many key pairs of a provider there are, tombstones and undone reservations aside.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn count_held_by(&self, provider: ProviderKind) -> Result<i64, StoreError> {
        reading!(self, "held_by", |conn| key_pairs::count_held_by(conn, provider))
    }

    /// Notes whether the token was seen with the key; [`StoreError::Conflict`] when the key is no longer one that
    /// must be there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn set_presence(&self, id: KeyId, presence: TokenPresence, audit: &[Event]) -> Result<(), StoreError> {
        revising!(self, "mark_missing", audit, |conn| set_presence(conn, id, presence))
    }

    /// Replaces the certificates of a visible key pair, by compare-and-set.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn replace_certificates(
        &self,
        replacement: CertificateReplacement,
        audit: &[Event],
    ) -> Result<KeyPair, StoreError> {
        on_database!(self, |pools| {
            let mut transaction = pools.begin("replace_certificates").await?;
            let (pair, dropped) = Box::pin(replace_certificates(transaction.conn(), &replacement)).await?;
            let _revision = self.revise();
            transaction.commit(&[audit, dropped].concat()).await?;
            Ok(pair)
        })
    }

    /// Replaces the sealed private half of a key pair, by compare-and-set.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn reseal(
        &self,
        id: KeyId,
        version: i64,
        sealed: SealedKey,
        audit: &[Event],
    ) -> Result<KeyPair, StoreError> {
        revising!(self, "reseal", audit, |conn| reseal(conn, id, version, &sealed))
    }

    /// The oldest key of an algorithm and a use in stock that was made after `since` and has not been seen missing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next_stocked(
        &self,
        algorithm: KeyAlgorithm,
        key_use: KeyUse,
        since: Timestamp,
    ) -> Result<Option<KeyPair>, StoreError> {
        reading!(self, "next_stocked", |conn| stock::next(conn, algorithm, key_use, since))
    }

    /// The stock, the oldest first, with the reservations that will be stock.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn stock(&self) -> Result<Vec<KeyPair>, StoreError> {
        reading!(self, "stock", |conn| stock::all(conn))
    }
}

/// The one row of a change of one.
fn only(rows: Vec<KeyPair>) -> Result<KeyPair, StoreError> {
    rows.into_iter().next().ok_or_else(|| StoreError::Inconsistent("a change without a row".to_owned()))
}
