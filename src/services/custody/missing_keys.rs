//! Keys that a signature did not find: marked within seconds, not at the next inventory.
//!
//! A provider that is well and does not find a key says so to whoever asked for the signature. The same
//! question, asked again a moment later, confirms it; the key is then marked, and no caller is sent to
//! the token for it any more. Two such keys ask for an inventory, because a token may have lost all.
//! A marked key is looked for now and then, and found again when it is back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::auth::{Caller, Task};
use crate::provider::{KeyRef, ProviderError};
use crate::services::lifecycle::Keyring;
use crate::store::TokenPresence;
use strongroom_domain::audit::Action;
use strongroom_domain::error::Error;
use strongroom_domain::key::{KeyId, KeyPair, ProviderKind};

/// Between the signature that did not find a key and the question that confirms it.
const CONFIRM_AFTER: Duration = Duration::from_secs(2);
/// Between looks for keys that were marked here.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// The most keys that are looked for: beyond it the next inventory finds what is back.
const MOST_MARKED: usize = 256;
/// So many keys lost one after the other say that there may be more.
const ASKS_INVENTORY: usize = 2;

/// Marks keys that signatures did not find.
pub struct MissingKeys {
    keyring: Arc<Keyring>,
    marked: BTreeSet<KeyId>,
    /// How many were marked since an inventory was asked for.
    since_inventory: usize,
}

impl MissingKeys {
    /// The marks of a keyring's keys.
    #[must_use]
    pub const fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring, marked: BTreeSet::new(), since_inventory: 0 }
    }

    /// Follows what signatures report, until nothing can report any more.
    pub async fn run(mut self, mut reports: mpsc::Receiver<KeyId>) {
        let mut next_look = Instant::now() + LOOK_AGAIN;
        loop {
            tokio::select! {
                report = reports.recv() => {
                    let Some(first) = report else { return };
                    let mut reported = BTreeSet::from([first]);
                    sleep(CONFIRM_AFTER).await;
                    while let Ok(another) = reports.try_recv() {
                        reported.insert(another);
                    }
                    self.confirm(reported).await;
                }
                () = tokio::time::sleep_until(next_look) => {
                    self.look_again().await;
                    next_look = Instant::now() + LOOK_AGAIN;
                }
            }
        }
    }

    async fn confirm(&mut self, reported: BTreeSet<KeyId>) {
        for key in reported {
            match self.mark(key).await {
                Ok(true) => {
                    self.since_inventory += 1;
                    if self.marked.len() < MOST_MARKED {
                        self.marked.insert(key);
                    }
                }
                Ok(false) => {}
                Err(failure) => tracing::debug!(error = %failure, %key, "whether a key is missing is not known yet"),
            }
        }
        if self.since_inventory >= ASKS_INVENTORY {
            self.since_inventory = 0;
            self.keyring.reconcile_soon(true);
        }
    }

    /// Marks a key if its provider does not find it either; whether it was marked now.
    async fn mark(&self, key: KeyId) -> Result<bool, Error> {
        let Some(pair) = self.keyring.store.pair(key).await? else { return Ok(false) };
        if pair.missing || !pair.state.is_visible() || !self.is_missing(&pair).await {
            return Ok(false);
        }
        let since = pair.missing_since.unwrap_or_else(|| self.keyring.clock.now());
        let why = "a signature and a search did not find it in the token".to_owned();
        let event = self.keyring.event(&Caller::daemon(Task::Reconcile), Action::Missing, &pair, why);
        self.keyring.store.set_presence(key, TokenPresence::Missing { since }, &[event]).await?;
        tracing::error!(%key, ring = ?pair.ring, "a key is missing from the token");
        Ok(true)
    }

    /// Finds again what is back.
    async fn look_again(&mut self) {
        for key in self.marked.clone() {
            match self.find(key).await {
                Ok(true) => drop(self.marked.remove(&key)),
                Ok(false) => {}
                Err(failure) => tracing::debug!(error = %failure, %key, "a missing key cannot be looked for"),
            }
        }
    }

    /// Takes the mark from a key that is there; whether it need not be looked for any more.
    async fn find(&self, key: KeyId) -> Result<bool, Error> {
        let Some(pair) = self.keyring.store.pair(key).await?.filter(|pair| pair.missing) else { return Ok(true) };
        if !pair.state.is_visible() {
            return Ok(true);
        }
        match self.search(&pair).await {
            Some(Ok(_)) => {}
            Some(Err(_)) => return Ok(false),
            None => return Ok(true),
        }
        let who = Caller::daemon(Task::Reconcile);
        let event = self.keyring.event(&who, Action::Found, &pair, "the token has the key again".to_owned());
        self.keyring.store.set_presence(key, TokenPresence::Found, &[event]).await?;
        Ok(true)
    }

    async fn is_missing(&self, pair: &KeyPair) -> bool {
        matches!(self.search(pair).await, Some(Err(ProviderError::KeyMissing)))
    }

    /// Looks for a key in the token; `None` for one that is held by none.
    async fn search(&self, pair: &KeyPair) -> Option<Result<String, ProviderError>> {
        let token = self.keyring.providers.token().filter(|_| pair.provider == ProviderKind::Hsm)?;
        Some(token.attest(&KeyRef::of(pair)?, &self.keyring.store.id().label(pair.id), false).await)
    }
}
