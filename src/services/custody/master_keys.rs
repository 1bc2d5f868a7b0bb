//! Master keys of the provider `Local`: made once, unsealed at start, rotated on command.
//!
//! The store holds them sealed and the provider knows how they open; this service brings
//! the two together, because they never meet.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::auth::{Caller, Task};
use crate::provider::local::LocalProvider;
use crate::provider::{KeyRef, ProviderError};
use crate::services::lifecycle::{broken_seal, not_of_a_row};
use crate::store::{MasterKey, Store, StoreError};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::{Clock, Timestamp};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyId, KeyPair, ProviderKind};

/// Between looks for master keys that another daemon, or a command, has made.
pub const REFRESH_EVERY: Duration = Duration::from_secs(5);
/// Rows read from the store at a time.
const PAGE: u32 = 500;

/// Result of resealing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResealReport {
    /// Keys that were sealed anew.
    pub keys: usize,
    /// Keys that do not open, by id.
    pub broken: Vec<KeyId>,
}

/// A master key that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMasterKey {
    pub version: i64,
    /// Former master keys that do not open and seal nothing any more, in sentences.
    pub unused: Vec<String>,
}

/// Result of inspecting the LOCAL keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalKeyInspection {
    /// Master keys that the store has.
    pub masters: usize,
    /// Keys that open.
    pub open: usize,
    /// Master keys that do not open and seal nothing any more, in sentences.
    pub unused: Vec<String>,
    /// Keys and master keys that do not open, as sentences.
    pub findings: Vec<String>,
}

/// The service over master keys.
pub struct MasterKeys {
    store: Arc<Store>,
    local: Arc<LocalProvider>,
    clock: Arc<dyn Clock>,
}

impl MasterKeys {
    /// A service over a store and its provider of software keys.
    #[must_use]
    pub fn new(store: Arc<Store>, local: Arc<LocalProvider>, clock: Arc<dyn Clock>) -> Self {
        Self { store, local, clock }
    }

    /// Unseals the store's master keys; makes the first one where there is none.
    ///
    /// # Errors
    /// `ProviderUnavailable` when one does not open now.
    pub async fn unlock(&self) -> Result<(), Error> {
        let first = self.unlock_each().await?.into_iter().next();
        first.map_or(Ok(()), |(_, failure)| Err(failure.into()))
    }

    /// The same, but goes on where a master key that does not open seals nothing any more; gives
    /// these in sentences.
    ///
    /// # Errors
    /// `ProviderUnavailable` when one does not open now that keys need.
    pub async fn unlock_needed(&self) -> Result<Vec<String>, Error> {
        let failures = self.unlock_each().await?;
        if failures.is_empty() {
            return Ok(Vec::new());
        }
        let needed = self.versions_in_use().await?;
        let (needed, idle): (Vec<_>, Vec<_>) =
            failures.into_iter().partition(|(version, _)| needed.contains_key(version));
        match needed.into_iter().next() {
            Some((_, failure)) => Err(failure.into()),
            None => Ok(idle.iter().map(|(_, failure)| unused_master(failure)).collect()),
        }
    }

    async fn unlock_each(&self) -> Result<Vec<(i64, ProviderError)>, Error> {
        let mut masters = self.sealed_masters().await?;
        if masters.is_empty() {
            if let Err(failure) = self.add(1).await {
                // A master key that the store has lost must not seal again.
                self.local.unlock(&[]).await?;
                return Err(failure);
            }
            masters = self.sealed_masters().await?;
        }
        Ok(self.local.unlock_each(&masters).await)
    }

    async fn sealed_masters(&self) -> Result<Vec<(i64, Vec<u8>)>, Error> {
        self.local.retire_below(self.store.oldest_master().await?);
        let masters = self.store.master_keys().await?;
        Ok(masters.into_iter().map(|master| (master.version, master.sealed)).collect())
    }

    /// Versions of master keys in use, with the number of keys sealed under each.
    async fn versions_in_use(&self) -> Result<BTreeMap<i64, usize>, Error> {
        let (mut needed, mut after) = (BTreeMap::new(), None);
        while let Some(pairs) = self.sealed_pairs(&mut after).await? {
            for key in pairs.iter().filter_map(KeyRef::of) {
                if let Some(version) = LocalProvider::master_of(&key) {
                    *needed.entry(version).or_default() += 1;
                }
            }
        }
        Ok(needed)
    }

    /// Tries every master key and every LOCAL key, and changes nothing.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn inspect(&self) -> Result<LocalKeyInspection, Error> {
        let masters = self.sealed_masters().await?;
        let locked: BTreeMap<_, _> = self.local.unlock_each(&masters).await.into_iter().collect();
        let mut seen = LocalKeyInspection { masters: masters.len(), ..LocalKeyInspection::default() };
        let needed = self.versions_in_use().await?;
        for (version, failure) in &locked {
            match needed.get(version) {
                Some(keys) => {
                    seen.findings.push(format!("{failure}; LOCAL keys that are lost unless it opens again: {keys}"));
                }
                None => seen.unused.push(unused_master(failure)),
            }
        }
        let mut after = None;
        while let Some(pairs) = self.sealed_pairs(&mut after).await? {
            for pair in pairs {
                let Some(key) = KeyRef::of(&pair) else { continue };
                let outcome = match LocalProvider::master_of(&key) {
                    Some(version) if locked.contains_key(&version) => Err(format!("master key {version} does not")),
                    // Asked for it, the provider would wait for another daemon that made it.
                    Some(version) if masters.iter().all(|(known, _)| *known != version) => {
                        Err(format!("it is sealed under master key {version}, which the store does not have"))
                    }
                    _ => self.local.attest(&key).await.map_err(|failure| failure.to_string()),
                };
                match outcome {
                    Ok(()) => seen.open += 1,
                    Err(why) => {
                        let ring = pair.ring.as_ref().map_or_else(|| "no ring".to_owned(), ToString::to_string);
                        seen.findings.push(format!("the LOCAL key {} of {ring} does not open: {why}", pair.id));
                    }
                }
            }
        }
        Ok(seen)
    }

    /// The keys that are sealed, or have lost what was, in the next page of rows; `None` after the last.
    async fn sealed_pairs(&self, after: &mut Option<KeyId>) -> Result<Option<Vec<KeyPair>>, Error> {
        let mut page = self.store.page(*after, Timestamp::from_micros(i64::MAX), PAGE).await?;
        let Some(last) = page.last() else { return Ok(None) };
        *after = Some(last.id);
        page.retain(|pair| pair.provider == ProviderKind::Local && (pair.sealed.is_some() || must_be_sealed(pair)));
        Ok(Some(page))
    }

    /// Unseals at once, when a key asks for it, and by the clock, until `stop` says so.
    pub async fn run_unlocker(&self, mut stop: watch::Receiver<bool>) {
        let mut last = None;
        loop {
            let outcome = self.unlock().await.err().map(|failure| failure.to_string());
            if let Some(failure) = outcome.as_ref().filter(|_| outcome != last) {
                tracing::warn!(error = %failure, "a master key of the LOCAL keys does not open");
            }
            last = outcome;
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.local.wait_for_master_request() => {}
                () = tokio::time::sleep(REFRESH_EVERY) => {}
            }
        }
    }

    /// Makes a new master key, which seals every LOCAL key from now on.
    /// The former ones stay in the store: daemons that have not yet heard of it use them.
    ///
    /// # Errors
    /// `ProviderUnavailable` when it cannot be sealed; `Conflict` when another rotation was faster.
    pub async fn renew(&self) -> Result<NewMasterKey, Error> {
        let idle = self.unlock_needed().await?;
        let latest = self.store.master_keys().await?.last().map_or(0, |master| master.version);
        if !self.add(latest + 1).await? {
            return Err(Error::new(ErrorKind::Conflict, "another rotation of the master key is under way"));
        }
        self.unlock_needed().await?;
        Ok(NewMasterKey { version: latest + 1, unused: idle })
    }

    /// Seals every LOCAL key under the latest master key that is not yet; may be interrupted
    /// and run again, beside running daemons too.
    ///
    /// # Errors
    /// `ProviderUnavailable` when provider or store cannot be asked now.
    pub async fn reseal(&self) -> Result<ResealReport, Error> {
        let mut done = ResealReport::default();
        let mut after = None;
        while let Some(pairs) = self.sealed_pairs(&mut after).await? {
            for pair in pairs {
                self.reseal_one(pair, &mut done).await?;
            }
        }
        Ok(done)
    }

    /// Marks the master keys below `version` as retired if no key is sealed under them; returns whether
    /// it did. A blob sealed under a retired master key is a rollback and is refused. Daemons that cache
    /// keys must have seen the last resealing by then.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn retire_below(&self, version: i64) -> Result<bool, Error> {
        let detail = format!("those before master key {version}: no key is sealed under them");
        let event = not_of_a_row(self.clock.now(), Action::MasterRetired, detail);
        let retired = self.store.retire_masters(version, &[event]).await?;
        self.local.retire_below(self.store.oldest_master().await?);
        Ok(retired)
    }

    async fn reseal_one(&self, mut pair: KeyPair, done: &mut ResealReport) -> Result<(), Error> {
        loop {
            let Some(key) = KeyRef::of(&pair).filter(|key| key.sealed.is_some() || must_be_sealed(&pair)) else {
                return Ok(());
            };
            let sealed = match self.local.reseal(&key).await {
                Ok(Some(sealed)) => sealed,
                Ok(None) => return Ok(()),
                Err(failure @ ProviderError::Damaged(_)) => {
                    let who = Caller::daemon(Task::Reconcile);
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

/// Whether the private half has been made and is not given up.
const fn must_be_sealed(pair: &KeyPair) -> bool {
    pair.state.is_held()
}

/// The sentence about a master key that does not open and is not missed.
fn unused_master(failure: &ProviderError) -> String {
    format!("{failure}; no key is sealed under it")
}
