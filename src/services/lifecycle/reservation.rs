//! A reservation: a row that precedes its key and ends in commit or abandonment.

use std::sync::Arc;

use super::creation::{RingUpdate, with_reason};
use super::delete::ring_error;
use super::{InitialState, Keyring, RingChanged, StateChange};
use crate::auth::Caller;
use crate::store::{Commit, KeyPairChange, StoreError, Transition};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::Error;
use strongroom_domain::key::{CertificateDer, KeyId, KeyOrigin, KeyPair, KeyState, Kid, SealedKey, SpkiDer};

/// A row in state `Reserved` that this task owns. Consumed by [`Keyring::into_commit`] or
/// [`Keyring::abandon`]; what a crash leaves behind is reconciled.
#[derive(Debug)]
pub(in crate::services) struct Reservation {
    pub(in crate::services) pair: KeyPair,
    pub(super) who: Caller,
    /// Whether the provider may hold objects of this key.
    pub(in crate::services) may_hold_key: bool,
    /// The repeated attestation of a key from stock.
    pub(super) attestation: Option<String>,
}

/// Input of the commit of a reservation.
pub(super) struct CommitInput {
    pub(super) initial_state: InitialState,
    pub(super) kid: Kid,
    pub(super) spki: SpkiDer,
    pub(super) sealed: Option<SealedKey>,
    pub(super) certificates: Vec<CertificateDer>,
    /// For the audit trail.
    pub(super) attestation: String,
}

impl CommitInput {
    fn into_commit(self, pair: &KeyPair, now: Timestamp) -> Commit {
        Commit {
            id: pair.id,
            version: pair.version,
            state: if self.initial_state == InitialState::Active { KeyState::Active } else { KeyState::PreActive },
            active_if_none: self.initial_state == InitialState::ActiveIfNone,
            kid: self.kid,
            spki: self.spki,
            sealed: self.sealed,
            certificates: self.certificates,
            now,
        }
    }
}

impl Reservation {
    pub(in crate::services) fn new(pair: KeyPair, who: &Caller) -> Self {
        Self { pair, who: who.clone(), may_hold_key: false, attestation: None }
    }

    /// A reservation whose key comes from stock.
    pub(super) fn with_stocked_key(self, attestation: String) -> Self {
        Self { may_hold_key: true, attestation: Some(attestation), ..self }
    }

    pub(in crate::services) fn event(&self, keyring: &Keyring, action: Action, detail: String) -> Event {
        keyring.event(&self.who, action, &self.pair, detail)
    }
}

impl Keyring {
    /// Commits reservations together with the state changes of their update, or returns them with the
    /// error.
    pub(super) async fn commit(
        self: &Arc<Self>,
        who: &Caller,
        update: &RingUpdate,
        reservations: Vec<Reservation>,
        finished: Vec<CommitInput>,
    ) -> Result<RingChanged, (Vec<Reservation>, Error)> {
        let now = self.clock.now();
        let mut events: Vec<Event> =
            update.state_changes.iter().map(|step| self.state_change_event(who, step)).collect();
        let mut change = KeyPairChange { fence: update.fence, ..KeyPairChange::default() };
        change.moves = update.state_changes.iter().map(|step| self.transition(&step.pair, step.to, now)).collect();
        for (reservation, finished) in reservations.iter().zip(finished) {
            let pair = &reservation.pair;
            let (provider, kid, attestation) = (pair.provider.name(), &finished.kid, &finished.attestation);
            let detail = with_reason(format!("{provider} {} kid {kid}; {attestation}", pair.algorithm), update);
            events.push(reservation.event(self, created_action(pair.origin), detail));
            change.commits.push(finished.into_commit(pair, now));
        }
        change.documents.clone_from(&update.documents.writes);
        events.extend(update.documents.events.iter().cloned());
        let first_made = change.moves.len();
        match self.commit_change(change, events).await {
            Ok(mut moved) => {
                let made = moved.split_off(first_made);
                Ok(RingChanged { created: made, moved, replayed: false })
            }
            Err(failure) => Err((reservations, ring_error(&update.ring, failure))),
        }
    }

    /// Commits the transition of one key pair.
    pub(super) async fn move_one(self: &Arc<Self>, step: Transition, event: Event) -> Result<KeyPair, StoreError> {
        let change = KeyPairChange { moves: vec![step], ..KeyPairChange::default() };
        let lost = || StoreError::Inconsistent("a key that was moved has no row".to_owned());
        self.commit_change(change, vec![event]).await?.pop().ok_or_else(lost)
    }

    /// Commits a change; reads the rows back when the outcome is unknown. What it destroys is soon looked after.
    pub(in crate::services) async fn commit_change(
        self: &Arc<Self>,
        change: KeyPairChange,
        events: Vec<Event>,
    ) -> Result<Vec<KeyPair>, StoreError> {
        let keyring = Arc::clone(self);
        let destroys = change.moves.iter().any(|step| step.to == KeyState::Destroying);
        let committed = self.detached.run(async move {
            let committed = keyring.commit_here(change, &events).await;
            if destroys && committed.is_ok() {
                keyring.reconcile_soon(false);
            }
            Ok(committed)
        });
        committed.await.unwrap_or_else(|failure| Err(StoreError::Inconsistent(failure.to_string())))
    }

    /// [`Self::commit_change`] in the task of its caller.
    async fn commit_here(&self, change: KeyPairChange, events: &[Event]) -> Result<Vec<KeyPair>, StoreError> {
        let moved: Vec<_> = change.moves.iter().map(|step| (step.id, step.version)).collect();
        let made: Vec<_> = change.commits.iter().map(|commit| (commit.id, commit.version)).collect();
        match self.store.change(change, events).await {
            Err(failure @ StoreError::Unknown(_)) => {
                let mut rows = Vec::new();
                // A change is atomic: either every row has a new version, or none has.
                for (id, version) in moved.into_iter().chain(made) {
                    match self.read_back(id).await {
                        Some(pair) if pair.version > version && pair.kid.is_some() => rows.push(pair),
                        _ => return Err(failure),
                    }
                }
                Ok(rows)
            }
            outcome => outcome,
        }
    }

    fn state_change_event(&self, who: &Caller, step: &StateChange) -> Event {
        let action = match step.to {
            KeyState::Active => Action::Activated,
            KeyState::Deactivated => Action::Deactivated,
            KeyState::Suspended => Action::Suspended,
            KeyState::Compromised => Action::Compromised,
            KeyState::PendingDestruction => Action::DestructionScheduled,
            _ => Action::DeleteCommitted,
        };
        self.event(who, action, &step.pair, step.reason.clone())
    }

    /// The transition of a pair at the version that the caller saw; one into `PendingDestruction` ends with the window
    /// of the pair's provider.
    pub(super) fn transition(&self, pair: &KeyPair, to: KeyState, now: Timestamp) -> Transition {
        let destroy_at = (to == KeyState::PendingDestruction).then(|| now.plus(self.keys.window(pair.provider)));
        Transition { destroy_at, ..transition(pair, to, now) }
    }

    /// Undoes a reservation: claims the row, destroys the key's objects, leaves a tombstone. Reconcile
    /// finishes an interrupted undo.
    pub(in crate::services) async fn abandon(&self, reservation: Reservation, why: &Error) {
        let event = reservation.event(self, Action::Abandoned, why.to_string());
        let pair = &reservation.pair;
        match self.transition_to(pair, KeyState::Abandoning, event).await {
            Ok(pair) => {
                let undone = if reservation.may_hold_key {
                    self.finish_destruction(&pair).await
                } else {
                    self.write_tombstone(&pair, 0).await
                };
                if let Err(failure) = undone {
                    tracing::warn!(key = %pair.id, error = %failure, "a reservation is undone later");
                    self.reconcile_soon(false);
                }
            }
            // Another daemon claimed the row, or the store is down; the lease will end.
            Err(failure) => {
                tracing::warn!(key = %pair.id, error = %failure, "a reservation could not be abandoned");
                self.reconcile_soon(false);
            }
        }
    }

    /// Reads back a row whose commit has an unknown outcome.
    pub(super) async fn read_back(&self, id: KeyId) -> Option<KeyPair> {
        for wait in [0, 100, 400, 1600, 6400] {
            tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
            if let Ok(pair) = self.store.pair(id).await {
                return pair;
            }
        }
        None
    }
}

/// The audit action of a commit.
const fn created_action(origin: KeyOrigin) -> Action {
    match origin {
        KeyOrigin::Generated => Action::Created,
        KeyOrigin::Imported => Action::Imported,
        KeyOrigin::Linked => Action::Linked,
    }
}

/// The transition of a pair at the version that the caller saw. Only web keys may be reactivated; the
/// store checks it.
pub(super) fn transition(pair: &KeyPair, to: KeyState, now: Timestamp) -> Transition {
    let reactivate = pair.state == KeyState::Deactivated && to == KeyState::Active;
    Transition { id: pair.id, version: pair.version, to, reactivate, unpublished: false, destroy_at: None, now }
}
