//! Transactions of key pairs and of the stock.

use crate::store::{
    Commit, DocumentKind, IdempotencyClaim, KeyPairChange, LeaseOwner, NewReservation, Placement, ReserveOutcome,
    Store, StoreError, Transition, documents, idempotency, key_pairs, meta, sqlite, stock,
};
use strongroom_domain::audit::Event;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{
    CertificateDer, KeyAlgorithm, KeyId, KeyName, KeyPair, KeyState, KeyUse, Kid, ProviderKind, RingId, RingKind,
    SealedKey,
};

impl Store {
    /// Reserves a key pair, unless its ring or its idempotency key says otherwise; a key from stock by
    /// compare-and-set, [`StoreError::Conflict`] when another was faster.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn reserve(&self, new: NewReservation, audit: &[Event]) -> Result<ReserveOutcome, StoreError> {
        let mut writing = self.begin("reserve").await?;
        if let Some(claim) = &new.idempotency {
            idempotency::forget_expired(&mut writing.tx, new.now).await?;
            if let Some(precedent) = idempotency::prior_outcome(&mut writing.tx, claim, new.now).await? {
                return Ok(precedent);
            }
        }
        let generation = match &new.ring {
            Some(ring) => {
                let occupancy = key_pairs::occupancy(&mut writing.tx, ring).await?;
                match new.placement {
                    Placement::NewRing if occupancy.taken => return Ok(ReserveOutcome::RingExists),
                    Placement::Successor if occupancy.expected => return Ok(ReserveOutcome::SuccessorPending),
                    Placement::NewRing | Placement::Successor | Placement::Additional => {}
                }
                occupancy.latest + 1
            }
            // Stock has no place in a ring yet.
            None => 0,
        };
        let pair = match new.stock {
            Some(version) => stock::claim(&mut writing.tx, &new, version, generation).await?,
            None => key_pairs::insert(&mut writing.tx, &new, generation).await?,
        };
        if let Some(claim) = &new.idempotency {
            idempotency::remember(&mut writing.tx, claim, new.id).await?;
        }
        writing.commit(audit).await?;
        Ok(ReserveOutcome::Reserved(Box::new(pair)))
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
        idempotency::prior_outcome(&mut self.view("precedent").await?.conn, claim, now).await
    }

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
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn change(&self, wanted: KeyPairChange, audit: &[Event]) -> Result<Vec<KeyPair>, StoreError> {
        let mut writing = self.begin("change").await?;
        if let Some(fence) = wanted.fence {
            meta::check_fence(&mut writing.tx, fence).await?;
        }
        let mut rows = Vec::with_capacity(wanted.moves.len() + wanted.commits.len());
        for transition in wanted.moves {
            rows.push(key_pairs::transition(&mut writing.tx, transition).await?);
        }
        for commit in &wanted.commits {
            rows.push(key_pairs::commit(&mut writing.tx, commit).await?);
        }
        // Their successors have joined by now.
        let compromised = rows.iter().filter(|pair| pair.state == KeyState::Compromised);
        for ring in compromised.filter_map(|pair| pair.ring.as_ref()) {
            documents::delete_with_last_key(&mut writing.tx, ring).await?;
        }
        self.revised(writing.commit(audit).await)?;
        if rows.iter().any(|pair| pair.state == KeyState::Destroyed && pair.provider == ProviderKind::Local) {
            // What was erased from the file still stands in its log.
            sqlite::truncate_wal(&self.writer).await;
        }
        Ok(rows)
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
        key_pairs::find(&mut self.view("pair").await?.conn, id).await
    }

    /// The visible or compromised key pair of an id or a kid; [`StoreError::Ambiguous`] when the kid is that of several.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find_by_name(&self, name: &KeyName) -> Result<Option<KeyPair>, StoreError> {
        key_pairs::find_by_name(&mut self.view("named").await?.conn, name).await
    }

    /// The latest key pair of a kid in a ring that was ever committed, tombstones included.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find_even_deleted(&self, ring: &RingId, kid: &Kid) -> Result<Option<KeyPair>, StoreError> {
        key_pairs::find_even_deleted(&mut self.view("remembered").await?.conn, ring, kid).await
    }

    /// The visible key pairs of a ring: Active first, then `PreActive`, then the others, each by generation.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ring(&self, ring: &RingId) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::of_ring(&mut self.view("ring").await?.conn, ring).await
    }

    /// The visible key pairs of a ring, in the same order, and a compromised one that none has followed yet.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn ring_to_plan(&self, ring: &RingId) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::of_ring_to_plan(&mut self.view("ring_to_plan").await?.conn, ring).await
    }

    /// The current key pairs of every ring of a kind, suspended ones too, by creation time, then id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn active_of_kind(&self, kind: RingKind) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::active_of_kind(&mut self.view("active_of_kind").await?.conn, kind).await
    }

    /// What reconcile has to finish: `Abandoning`, `Destroying`, and reservations whose lease is over at
    /// `now` or whose owner is a former life of `owner`'s instance.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unfinished(&self, owner: &LeaseOwner, now: Timestamp) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::unfinished(&mut self.view("unfinished").await?.conn, owner, now).await
    }

    /// A page of every row but tombstones older than `since`, by id, after `after`: what an inventory is compared with.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn page(&self, after: Option<KeyId>, since: Timestamp, limit: u32) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::page(&mut self.view("page").await?.conn, after, since, limit).await
    }

    /// How many key pairs of a provider there are, tombstones and undone reservations aside.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn count_held_by(&self, provider: ProviderKind) -> Result<i64, StoreError> {
        key_pairs::count_held_by(&mut self.view("held_by").await?.conn, provider).await
    }

    /// Notes that the token was seen with or without the key: `None` it is there, else since when it is not and
    /// whether that is established. [`StoreError::Conflict`] when the key is no longer one that must be there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn mark_missing(
        &self,
        id: KeyId,
        since: Option<(Timestamp, bool)>,
        audit: &[Event],
    ) -> Result<(), StoreError> {
        let mut writing = self.begin("mark_missing").await?;
        key_pairs::mark_missing(&mut writing.tx, id, since).await?;
        self.revised(writing.commit(audit).await)
    }

    /// Replaces the certificates of a visible key pair, by compare-and-set; with `void` it also removes
    /// the rotation settings of its ring, where there are some, and writes that event.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn replace_certificates(
        &self,
        id: KeyId,
        version: i64,
        certificates: Vec<CertificateDer>,
        drop_rotation_settings: Option<Event>,
        audit: &[Event],
    ) -> Result<KeyPair, StoreError> {
        let mut writing = self.begin("replace_certificates").await?;
        let pair = key_pairs::replace_certificates(&mut writing.tx, id, version, &certificates).await?;
        let mut audit = audit.to_vec();
        if let (Some(event), Some(ring)) = (drop_rotation_settings, &pair.ring)
            && documents::delete(&mut writing.tx, DocumentKind::RotationSettings, &ring.to_string()).await?
        {
            audit.push(event);
        }
        self.revised(writing.commit(&audit).await)?;
        Ok(pair)
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
        let mut writing = self.begin("reseal").await?;
        let pair = key_pairs::reseal(&mut writing.tx, id, version, &sealed).await?;
        self.revised(writing.commit(audit).await)?;
        Ok(pair)
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
        stock::next(&mut self.view("next_stocked").await?.conn, algorithm, key_use, since).await
    }

    /// The stock, the oldest first, with the reservations that will be stock.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn stock(&self) -> Result<Vec<KeyPair>, StoreError> {
        stock::all(&mut self.view("stock").await?.conn).await
    }
}

/// The one row of a change of one.
fn only(rows: Vec<KeyPair>) -> Result<KeyPair, StoreError> {
    rows.into_iter().next().ok_or_else(|| StoreError::Inconsistent("a change without a row".to_owned()))
}
