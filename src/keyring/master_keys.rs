//! Master keys of the provider `Local`: made once, unsealed at start, rotated on command.
//!
//! The store holds them sealed and the provider knows how they open; this service brings
//! the two together, because they never meet.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{broken_seal, not_of_a_row};
use crate::audit::{Action, Event};
use crate::auth::Principal;
use crate::clock::{Clock, Timestamp};
use crate::error::{Error, Kind};
use crate::key::{KeyId, KeyPair, ProviderKind};
use crate::provider::local::LocalProvider;
use crate::provider::{KeyRef, ProviderError};
use crate::store::{MasterKey, Store, StoreError};

/// Between looks for master keys that another daemon, or a command, has made.
pub const REFRESH_EVERY: Duration = Duration::from_secs(5);
/// Rows read from the store at a time.
const PAGE: u32 = 500;

/// What a rotation has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Keys that were sealed anew.
    pub keys: usize,
    /// Keys that do not open, by id.
    pub broken: Vec<KeyId>,
}

/// The service over master keys.
pub struct MasterKeys {
    store: Arc<dyn Store>,
    local: Arc<LocalProvider>,
    clock: Arc<dyn Clock>,
}

impl MasterKeys {
    /// A service over a store and its provider of software keys.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, local: Arc<LocalProvider>, clock: Arc<dyn Clock>) -> Self {
        Self { store, local, clock }
    }

    /// Unseals the store's master keys; makes the first one where there is none.
    ///
    /// # Errors
    /// `ProviderUnavailable` when one does not open now.
    pub async fn unlock(&self) -> Result<(), Error> {
        let mut masters = self.store.master_keys().await?;
        if masters.is_empty() {
            if let Err(failure) = self.add(1).await {
                // One that the store has lost must seal nothing more.
                self.local.unlock(&[]).await?;
                return Err(failure);
            }
            masters = self.store.master_keys().await?;
        }
        let sealed: Vec<_> = masters.into_iter().map(|master| (master.version, master.sealed)).collect();
        Ok(self.local.unlock(&sealed).await?)
    }

    /// Unseals at once, when a key asks for it, and by the clock, until `stop` says so.
    pub async fn keep_unlocked(&self, mut stop: watch::Receiver<bool>) {
        let mut last = None;
        loop {
            let outcome = self.unlock().await.err().map(|failure| failure.to_string());
            if let Some(failure) = outcome.as_ref().filter(|_| outcome != last) {
                tracing::warn!(error = %failure, "LOCAL keys are locked");
            }
            last = outcome;
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.local.master_wanted() => {}
                () = tokio::time::sleep(REFRESH_EVERY) => {}
            }
        }
    }

    /// Makes a new master key, which seals every LOCAL key from now on, and gives its version.
    /// The former ones stay in the store: daemons that have not yet heard of it use them.
    ///
    /// # Errors
    /// `ProviderUnavailable` when it cannot be sealed; `Conflict` when another rotation was faster.
    pub async fn renew(&self) -> Result<i64, Error> {
        self.unlock().await?;
        let latest = self.store.master_keys().await?.last().map_or(0, |master| master.version);
        if !self.add(latest + 1).await? {
            return Err(Error::new(Kind::Conflict, "another rotation of the master key is under way"));
        }
        self.unlock().await?;
        Ok(latest + 1)
    }

    /// Seals every LOCAL key under the latest master key that is not yet; may be interrupted
    /// and run again, beside running daemons too.
    ///
    /// # Errors
    /// `ProviderUnavailable` when provider or store cannot be asked now.
    pub async fn reseal(&self) -> Result<Resealed, Error> {
        let mut done = Resealed::default();
        let mut after = None;
        loop {
            let page = self.store.page(after, Timestamp::from_micros(i64::MAX), PAGE).await?;
            let Some(last) = page.last() else { return Ok(done) };
            after = Some(last.id);
            for pair in page.into_iter().filter(|pair| pair.provider == ProviderKind::Local && pair.sealed.is_some()) {
                self.reseal_one(pair, &mut done).await?;
            }
        }
    }

    async fn reseal_one(&self, mut pair: KeyPair, done: &mut Resealed) -> Result<(), Error> {
        loop {
            let Some(key) = KeyRef::of(&pair).filter(|key| key.sealed.is_some()) else { return Ok(()) };
            let sealed = match self.local.reseal(&key).await {
                Ok(Some(sealed)) => sealed,
                Ok(None) => return Ok(()),
                Err(failure @ ProviderError::Damaged(_)) => {
                    let who = Principal::strongroom();
                    self.store.record(&[broken_seal(self.clock.now(), &who, &pair, &failure)]).await?;
                    done.broken.push(pair.id);
                    return Ok(());
                }
                Err(failure) => return Err(failure.into()),
            };
            let event = Event {
                key: Some(pair.id),
                ring: pair.ring.clone(),
                ..not_of_a_row(self.clock.now(), Action::Resealed, "under the latest master key".to_owned())
            };
            match self.store.reseal(pair.id, pair.version, sealed, &[event]).await {
                Ok(_) => {
                    done.keys += 1;
                    return Ok(());
                }
                // The row was changed meanwhile: look again.
                Err(StoreError::Conflict) => match self.store.pair(pair.id).await? {
                    Some(changed) => pair = changed,
                    None => return Ok(()),
                },
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// Adds a master key; whether its version was free.
    async fn add(&self, version: i64) -> Result<bool, Error> {
        let (now, sealed) = (self.clock.now(), self.local.new_master(version).await?);
        let detail = format!("master key {version}, sealed by {}", self.local.sealed_by());
        let event = not_of_a_row(now, Action::MasterAdded, detail);
        match self.store.add_master_key(MasterKey { version, sealed, created_at: now }, &[event]).await {
            Ok(()) => Ok(true),
            Err(StoreError::Conflict) => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }
}
