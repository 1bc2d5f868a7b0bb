//! Deletion: committed first, carried out afterwards.

use std::sync::Arc;

use super::Keyring;
use super::lookup::not_found;
use super::reservation::transition;
use crate::auth::{Caller, Task, policy};
use crate::failpoint::{self, Failpoint};
use crate::store::{DocumentKind, KeyPairChange, StoreError};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyName, KeyOrigin, KeyPair, KeyState, ProviderKind, RingId};

impl Keyring {
    /// Commits the deletion of every key pair of a ring; destruction in the token follows.
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
        let moves = pairs.iter().map(|pair| transition(pair, KeyState::Destroying, now)).collect();
        let event = |pair| self.event(who, Action::DeleteCommitted, pair, pair.state.to_string());
        let events: Vec<Event> = pairs.iter().map(event).collect();
        let change = KeyPairChange { moves, ..KeyPairChange::default() };
        self.commit_change(change, events).await.map_err(|failure| ring_error(ring, failure))?;
        let _ = failpoint::hit(Failpoint::DeleteCommit).await;
        Ok(())
    }

    /// Commits the deletion of one key pair; destruction in its provider follows.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `InUse`; `Conflict` for the Active key of a ring that has
    /// others, and for the kid of several.
    pub async fn delete_key(self: &Arc<Self>, who: &Caller, name: &KeyName) -> Result<(), Error> {
        let pair = self.named_for(who, policy::Action::DeleteKey, name).await?;
        if let Some(ring) = pair.ring.as_ref().filter(|_| pair.is_current())
            && self.store.ring(ring).await?.len() > 1
        {
            let message = format!("the key is the Active one of {ring}, which has others; activate one of them first");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let event = self.event(who, Action::DeleteCommitted, &pair, pair.state.to_string());
        let moves = vec![transition(&pair, KeyState::Destroying, self.clock.now())];
        let removed = self.commit_change(KeyPairChange { moves, ..KeyPairChange::default() }, vec![event]).await;
        removed.map_err(|failure| match &pair.ring {
            Some(ring) => ring_error(ring, failure),
            None => failure.into(),
        })?;
        Ok(())
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
