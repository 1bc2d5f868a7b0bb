//! Compromise: a key leaves every key set at once and never signs again, and another takes its place.

use std::sync::Arc;
use std::time::Duration;

use super::Rotation;
use super::plan::{first_waiting, is_succeeded_here};
use super::successor::SuccessorChanges;
use crate::auth::{Caller, policy};
use crate::failpoint::{self, Failpoint};
use crate::services::lifecycle::{InitialState, NewRingKey, Placement, RingChange, RingChanged, StateChange};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyName, KeyPair, KeyState, RingId};

const REASON: &str = "the key was compromised";

/// A key's compromise.
#[derive(Clone, Debug)]
pub struct CompromiseKey {
    pub name: KeyName,
    /// Time allowed for the making of a successor; without one the key is compromised all the same.
    pub deadline: Duration,
}

/// Outcome of a compromise.
#[derive(Clone, Debug)]
pub struct Compromised {
    pub key: KeyPair,
    /// The key that signs in its ring now.
    pub active: Option<KeyPair>,
    /// Why a ring that was left without a key has none yet, in words.
    pub without_successor: Option<String>,
    /// Until when verifiers may still trust the key, because they keep a key set that has it.
    pub cached_until: Timestamp,
}

impl Rotation {
    /// Compromises a key: it leaves every key set and never signs again. Where it was the current key of its ring, the
    /// waiting successor, or else a new key, becomes Active in the same transaction, without lead.
    ///
    /// Where no successor can be made now, the key is compromised without one, and sweeps make one as soon as they
    /// can. A key that is compromised already stays as it is.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Conflict` when the key is about to be destroyed or changed meanwhile, and for the
    /// kid of several;
    /// `ProviderUnavailable` when the store is. Whenever there is an error, nothing was changed.
    pub async fn compromise(self: &Arc<Self>, who: &Caller, request: CompromiseKey) -> Result<Compromised, Error> {
        let work = |rotation: Arc<Self>, who| async move { rotation.compromise_here(&who, request).await };
        self.keyring.detached.run_for(self, who, work).await
    }

    /// [`Self::compromise`] in the task of its caller.
    async fn compromise_here(&self, who: &Caller, request: CompromiseKey) -> Result<Compromised, Error> {
        let pair = self.keyring.named_for(who, policy::Action::CompromiseKey, &request.name).await?;
        let ring = pair.ring.clone().ok_or_else(|| Error::new(ErrorKind::Conflict, "the key is in no ring"))?;
        if pair.state == KeyState::Compromised {
            return self.compromised(pair, &ring, None).await;
        }
        if pair.state == KeyState::PendingDestruction {
            let message = "the key is PendingDestruction: it signs nothing; restore it first";
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        failpoint::hit(Failpoint::CompromiseBegin).await?;
        let to = |pair: &KeyPair, to| StateChange { pair: pair.clone(), to, reason: REASON.to_owned() };
        let mut state_changes = vec![to(&pair, KeyState::Compromised)];
        let mut successor = Ok(None);
        if pair.is_current() {
            let keys = self.store.ring(&ring).await?;
            match first_waiting(&keys) {
                Some(waiting) => state_changes.push(to(waiting, KeyState::Active)),
                None => successor = self.replacement(&ring, &pair).await.map(Some),
            }
        }
        let (changed, failure) = self.change_compromised(who, &request, &ring, state_changes, successor).await?;
        // What is committed stays, whatever a test wants here.
        let _ = failpoint::hit(Failpoint::CompromiseCommit).await;
        let moved = changed.moved.into_iter().find(|moved| moved.id == pair.id);
        let moved = moved.ok_or_else(|| {
            Error::new(ErrorKind::Internal, "internal error").with_source("a compromised key has no row")
        })?;
        self.compromised(moved, &ring, failure).await
    }

    /// Commits the state changes with a successor, or without one where it cannot be made; why, in the second place.
    async fn change_compromised(
        &self,
        who: &Caller,
        request: &CompromiseKey,
        ring: &RingId,
        state_changes: Vec<StateChange>,
        successor: Result<Option<NewRingKey>, Error>,
    ) -> Result<(RingChanged, Option<Error>), Error> {
        let alone = RingChange {
            ring: ring.clone(),
            placement: Placement::Successor,
            keys: Vec::new(),
            state_changes,
            reason: REASON.to_owned(),
            fence: None,
            deadline: request.deadline,
        };
        let failure = match successor {
            Ok(None) => None,
            Ok(Some(new)) => {
                let both = RingChange { keys: vec![new], ..alone.clone() };
                match self.keyring.change_ring(who, both).await {
                    Ok(changed) => return Ok((changed, None)),
                    Err(failure) => Some(failure),
                }
            }
            Err(failure) => Some(failure),
        };
        if let Some(failure) = &failure {
            tracing::warn!(ring = %ring, error = %failure, "a key is compromised without a successor");
        }
        // A key that is no longer trusted must not sign on because no other can be made.
        Ok((self.keyring.change_ring(who, alone).await?, failure))
    }

    /// The new key that takes the place of a compromised one at once.
    async fn replacement(&self, ring: &RingId, lost: &KeyPair) -> Result<NewRingKey, Error> {
        let changes = SuccessorChanges::of(None, self.policies.settings(ring).await?);
        self.successor(ring, lost, changes, InitialState::Active)
    }

    async fn compromised(&self, key: KeyPair, ring: &RingId, failure: Option<Error>) -> Result<Compromised, Error> {
        let active = self.store.ring(ring).await?.into_iter().find(|pair| pair.state == KeyState::Active);
        let without_successor = (active.is_none() && key.awaits_successor).then(|| {
            let why = failure.map(|failure| format!(": {}", failure.public())).unwrap_or_default();
            let then = if is_succeeded_here(&key) { "a sweep will make one" } else { "sweeps make none" };
            format!("no successor could be made; {then}{why}")
        });
        let cached_until = key.compromised_at.unwrap_or_else(|| self.clock.now()).plus(self.policies.max_age());
        Ok(Compromised { key, active, without_successor, cached_until })
    }
}
