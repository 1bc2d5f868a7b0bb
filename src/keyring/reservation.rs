//! A reservation: a row that precedes its key, and ends in one of two ways.

use super::Keyring;
use crate::audit::{Action, Event};
use crate::auth::Principal;
use crate::error::Error;
use crate::key::{CertificateDer, KeyId, KeyPair, Kid, Origin, SealedKey, SpkiDer, State};
use crate::store::{Commit, StoreError};

/// A row in state `Reserved` that this task owns. Consumed by [`Keyring::commit`] or
/// [`Keyring::abandon`]; what a crash leaves behind is reconciled.
#[derive(Debug)]
pub(super) struct Reservation {
    pub(super) pair: KeyPair,
    pub(super) who: Principal,
    pub(super) request_id: Option<String>,
    /// Whether the provider may hold something of it.
    pub(super) may_hold_key: bool,
}

/// What a reservation becomes when it is committed.
pub(super) struct Finished {
    pub(super) kid: Kid,
    pub(super) spki: SpkiDer,
    pub(super) sealed: Option<SealedKey>,
    pub(super) certificates: Vec<CertificateDer>,
    /// For the audit trail.
    pub(super) proof: String,
}

impl Reservation {
    pub(super) fn new(pair: KeyPair, who: &Principal, request_id: Option<&String>) -> Self {
        Self { pair, who: who.clone(), request_id: request_id.cloned(), may_hold_key: false }
    }

    pub(super) fn event(&self, keyring: &Keyring, action: Action, detail: String) -> Event {
        Event { request_id: self.request_id.clone(), ..keyring.event(&self.who, action, &self.pair, detail) }
    }
}

impl Keyring {
    /// Makes a reservation real, or gives it back with the reason.
    pub(super) async fn commit(
        &self,
        reservation: Reservation,
        finished: Finished,
    ) -> Result<KeyPair, (Reservation, Error)> {
        let pair = &reservation.pair;
        let detail = format!("{} {} kid {}; {}", pair.provider.name(), pair.algorithm, finished.kid, finished.proof);
        let event = reservation.event(self, made(pair.origin), detail);
        let commit = Commit {
            id: pair.id,
            version: pair.version,
            state: State::Active,
            kid: finished.kid,
            spki: finished.spki,
            sealed: finished.sealed,
            certificates: finished.certificates,
            now: self.clock.now(),
        };
        match self.store.commit(commit, &[event]).await {
            Ok(pair) => Ok(pair),
            Err(failure @ StoreError::Unknown(_)) => match self.settle(pair.id).await {
                // What has a kid was committed once.
                Some(settled) if settled.kid.is_some() => Ok(settled),
                _ => Err((reservation, failure.into())),
            },
            Err(failure) => Err((reservation, failure.into())),
        }
    }

    /// Undoes a reservation: wins the row, destroys what was made, leaves a tombstone.
    /// What cannot be finished now is left to reconcile.
    pub(super) async fn abandon(&self, reservation: Reservation, why: &Error) {
        let event = reservation.event(self, Action::Abandoned, why.to_string());
        let pair = &reservation.pair;
        match self.move_to(pair, State::Abandoning, event).await {
            Ok(pair) => {
                let undone =
                    if reservation.may_hold_key { self.finish(&pair).await } else { self.bury(&pair, 0).await };
                if let Err(failure) = undone {
                    tracing::warn!(key = %pair.id, error = %failure, "a reservation is undone later");
                    self.reconcile_soon(false);
                }
            }
            // Somebody else took it, or the store is down: its lease will end.
            Err(failure) => {
                tracing::warn!(key = %pair.id, error = %failure, "a reservation could not be abandoned");
                self.reconcile_soon(false);
            }
        }
    }

    /// Reads back a row whose commit has an unknown outcome.
    pub(super) async fn settle(&self, id: KeyId) -> Option<KeyPair> {
        for wait in [0, 100, 400, 1600, 6400] {
            tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
            if let Ok(pair) = self.store.pair(id).await {
                return pair;
            }
        }
        None
    }
}

/// What the trail calls a commit.
const fn made(origin: Origin) -> Action {
    match origin {
        Origin::Generated => Action::Created,
        Origin::Imported => Action::Imported,
        Origin::Linked => Action::Linked,
    }
}
