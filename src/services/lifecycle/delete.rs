//! Deletion: committed first, carried out at once or when a window ends.

use std::sync::Arc;
use std::time::Duration;

use super::Keyring;
use super::lookup::not_found;
use super::reservation::transition;
use crate::auth::{Caller, Task, policy};
use crate::failpoint::{self, Failpoint};
use crate::store::{DocumentKind, KeyPairChange, StoreError, Transition};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyName, KeyOrigin, KeyPair, KeyState, ProviderKind, RingId};

impl Keyring {
    /// The state that deletion brings a key pair to: `PendingDestruction` where its provider has a window. A linked
    /// key is none of the daemon's to destroy, and is let go at once.
    fn state_after_deletion(&self, pair: &KeyPair) -> KeyState {
        if pair.origin == KeyOrigin::Linked || self.keys.window(pair.provider).is_zero() {
            KeyState::Destroying
        } else {
            KeyState::PendingDestruction
        }
    }

    /// Commits the deletion of every key pair of a ring; destruction in the token follows, at once or when the window
    /// ends.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `InUse`.
    pub async fn delete(self: &Arc<Self>, who: &Caller, ring: &RingId) -> Result<(), Error> {
        policy::allow(who, policy::Action::DeleteRing, ring)?;
        let pairs = self.store.ring(ring).await?;
        if pairs.is_empty() {
            return Err(not_found(ring));
        }
        let now = self.clock.now();
        let (moves, events) = pairs.iter().map(|pair| self.deletion(who, pair, now)).unzip();
        let change = KeyPairChange { moves, ..KeyPairChange::default() };
        self.commit_change(change, events).await.map_err(|failure| ring_error(ring, failure))?;
        let _ = failpoint::hit(Failpoint::DeleteCommit).await;
        Ok(())
    }

    /// Commits the deletion of one key pair; destruction in its provider follows, at once or when the window ends. A
    /// key that is deleted already stays as it is.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `InUse`; `Conflict` for the Active key of a ring that has
    /// others, and for the kid of several.
    pub async fn delete_key(self: &Arc<Self>, who: &Caller, name: &KeyName) -> Result<(), Error> {
        let pair = self.named_for(who, policy::Action::DeleteKey, name).await?;
        if pair.state == KeyState::PendingDestruction {
            return Ok(());
        }
        let step = self.transition(&pair, self.state_after_deletion(&pair), self.clock.now());
        self.remove(who, &pair, step).await.map(drop)
    }

    /// Schedules the destruction of a key pair: it leaves its ring and every key set now, is destroyed when `window`
    /// ends, or that of its provider's keys, and can be restored until then.
    ///
    /// # Errors
    /// Those of [`Keyring::delete_key`]; `Conflict` for a key whose destruction is scheduled.
    pub async fn schedule_destruction(
        self: &Arc<Self>,
        who: &Caller,
        name: &KeyName,
        window: Option<Duration>,
    ) -> Result<KeyPair, Error> {
        let pair = self.named_for(who, policy::Action::DeleteKey, name).await?;
        if pair.state == KeyState::PendingDestruction {
            return Err(Error::new(ErrorKind::Conflict, "the key is PendingDestruction; restore it first"));
        }
        let (now, window) = (self.clock.now(), window.unwrap_or_else(|| self.keys.window(pair.provider)));
        let step = transition(&pair, KeyState::PendingDestruction, now);
        self.remove(who, &pair, Transition { destroy_at: Some(now.plus(window)), ..step }).await
    }

    /// Cancels the scheduled destruction of a key pair: it is `Suspended`, in no key set, until it is reinstated; or
    /// `Compromised`, if it was.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Conflict` for a key whose destruction is not scheduled, and for the kid of several.
    pub async fn restore(self: &Arc<Self>, who: &Caller, name: &KeyName) -> Result<KeyPair, Error> {
        let pair = self.named_for(who, policy::Action::RestoreKey, name).await?;
        if pair.state != KeyState::PendingDestruction {
            let message = format!("the key is {}: only one in PendingDestruction can be restored", pair.state);
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let to = if pair.compromised_at.is_some() { KeyState::Compromised } else { KeyState::Suspended };
        let event = self.event(who, Action::Restored, &pair, to.to_string());
        let step = transition(&pair, to, self.clock.now());
        Ok(self.move_one(Transition { unpublished: true, ..step }, event).await?)
    }

    /// Destroys a key pair now, whatever its window.
    ///
    /// # Errors
    /// Those of [`Keyring::delete_key`].
    pub async fn destroy(self: &Arc<Self>, who: &Caller, name: &KeyName) -> Result<(), Error> {
        let pair = self.named_for(who, policy::Action::DestroyKey, name).await?;
        let step = transition(&pair, KeyState::Destroying, self.clock.now());
        self.remove(who, &pair, step).await.map(drop)
    }

    /// Commits that one key pair leaves its ring.
    async fn remove(self: &Arc<Self>, who: &Caller, pair: &KeyPair, step: Transition) -> Result<KeyPair, Error> {
        if let Some(ring) = pair.ring.as_ref().filter(|_| pair.is_current())
            && self.store.ring(ring).await?.len() > 1
        {
            let message = format!("the key is the Active one of {ring}, which has others; activate one of them first");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let event = self.deletion_event(who, pair, &step);
        let removed = self.move_one(step, event).await.map_err(|failure| match &pair.ring {
            Some(ring) => ring_error(ring, failure),
            None => failure.into(),
        })?;
        let _ = failpoint::hit(Failpoint::DeleteCommit).await;
        Ok(removed)
    }

    /// The transition by which a key pair is deleted at `now`, and its audit event.
    pub(in crate::services) fn deletion(&self, who: &Caller, pair: &KeyPair, now: Timestamp) -> (Transition, Event) {
        let step = self.transition(pair, self.state_after_deletion(pair), now);
        (step, self.deletion_event(who, pair, &step))
    }

    fn deletion_event(&self, who: &Caller, pair: &KeyPair, step: &Transition) -> Event {
        match step.destroy_at {
            Some(at) => {
                let detail = format!("{}; destroyed at {at} unless it is restored", pair.state);
                self.event(who, Action::DestructionScheduled, pair, detail)
            }
            None => self.event(who, Action::DeleteCommitted, pair, pair.state.to_string()),
        }
    }

    /// Destroys the key of a row in `Abandoning` or `Destroying` and leaves a tombstone.
    pub(in crate::services) async fn finish_destruction(&self, pair: &KeyPair) -> Result<(), Error> {
        let objects = match self.providers.get(pair.provider) {
            _ if pair.origin == KeyOrigin::Linked => 0,
            Some(provider) => provider.destroy(&pair.locator, &self.store.id().label(pair.id)).await?.objects,
            // Only the store holds it; the tombstone erases it.
            None if pair.provider == ProviderKind::Local => 0,
            None => return self.provider_of(pair).map(drop),
        };
        failpoint::hit(Failpoint::DeleteDestroy).await?;
        self.write_tombstone(pair, objects).await
    }

    /// Turns a row whose provider holds no objects of it into a tombstone.
    pub(super) async fn write_tombstone(&self, pair: &KeyPair, objects: u32) -> Result<(), Error> {
        let detail = format!("{} {} objects removed", pair.provider.name(), objects);
        let event = self.event(&Caller::daemon(Task::Reconcile), Action::Destroyed, pair, detail);
        self.transition_to(pair, KeyState::Destroyed, event).await?;
        Ok(())
    }

    pub(in crate::services) async fn transition_to(
        &self,
        pair: &KeyPair,
        to: KeyState,
        event: Event,
    ) -> Result<KeyPair, StoreError> {
        self.store.transition(transition(pair, to, self.clock.now()), &[event]).await
    }
}

/// Maps a store error to a domain error that names the documents referring to the ring.
pub(super) fn ring_error(ring: &RingId, failure: StoreError) -> Error {
    let StoreError::InUse(users) = &failure else { return failure.into() };
    let named = |(kind, id): &(DocumentKind, String)| match kind {
        DocumentKind::AdditionalKeySet => format!("{} '{id}'", title(*kind)),
        kind => title(*kind).to_owned(),
    };
    let users: Vec<_> = users.iter().map(named).collect();
    let message =
        format!("The key pair with ID '{}' is in use by {} and cannot be deleted.", ring.name(), users.join(", "));
    Error::new(ErrorKind::InUse, message).with_source(failure)
}

const fn title(kind: DocumentKind) -> &'static str {
    match kind {
        DocumentKind::SslSettings => "the SSL server settings",
        DocumentKind::RotationSettings => "its rotation settings",
        DocumentKind::TrustedCa => "a trusted CA",
        DocumentKind::RotationPeriod => "its rotation period",
        DocumentKind::RingSettings => "its settings",
        DocumentKind::Connection => "a connection",
        DocumentKind::OidcSettings => "the OAuth and OpenID Connect keys",
        DocumentKind::AdditionalKeySet => "the additional key set",
    }
}
