//! Key pairs and rings: generate, stock, import, link, export, look up, delete, reconcile.
//!
//! Owns the life of a key pair: reservation before generation, proof and certificate
//! before commit, destruction after the commit of its deletion, and the comparison of
//! token with store. Brings providers and store together; knows no HTTP and no dialect.
//!
//! Invariants: the row precedes the key; a reservation ends in commit or abandonment
//! and nothing else; an error that dialects answer with 5xx means that nothing changed.

mod creation;
mod delete;
mod generate;
mod import_export;
mod lookup;
mod master_keys;
mod obtain;
mod reconcile;
mod reconciler;
mod request;
mod reservation;
mod restock;
mod stock;
mod suspend;
#[cfg(test)]
mod tests;
mod unreadable;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::admission::{FairQueue, QueueBounds};
use crate::auth::Principal;
use crate::config::StockConfig;
use crate::provider::{ProviderError, Providers};
use crate::store::{LeaseOwner, Store};
use lookup::StoreHealthCache;
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::{Clock, Timestamp};
use strongroom_domain::error::Error;
use strongroom_domain::key::KeyPair;

pub use crate::issuance::CertificateSpec;
pub use crate::provider::{Capabilities, InvalidKeySelector, KeySelector};
pub use crate::store::Placement;
pub use lookup::{KeyRing, unreachable_keys};
pub use master_keys::{LocalKeyInspection, MasterKeys, NewMasterKey, REFRESH_EVERY, ResealReport};
pub use reconcile::{Finding, ReconcileMode, ReconcileReport};
pub use request::{
    ExportedKeyPair, IdempotencyKey, ImportKeyPair, InitialState, KeyCreated, KidScheme, LinkKeyPair, NewKeyPair,
    NewRingKey, RingChange, RingChanged, StateChange,
};
pub use unreadable::{holder_of, note_unreadable};

/// The service over key pairs.
pub struct Keyring {
    store: Arc<Store>,
    providers: Providers,
    clock: Arc<dyn Clock>,
    owner: LeaseOwner,
    /// How long a reservation is safe from other daemons.
    lease: Duration,
    /// Generations under way in this process.
    creations_underway: AtomicUsize,
    /// Targets of the stock.
    stock: StockConfig,
    /// Wakes the task that fills the stock.
    stock_due: Notify,
    /// Wakes the reconciler.
    reconcile_due: Notify,
    /// Whether the reconciler shall also compare the whole token with the store.
    inventory_due: AtomicBool,
    /// Findings that this process has audited.
    audited_findings: Mutex<HashSet<String>>,
    /// Whether the store could be written lately.
    store_health: StoreHealthCache,
    queue: FairQueue,
}

/// The kind of work, as metrics call it.
const WORK: &str = "generate";

const BOUNDS: QueueBounds = QueueBounds { concurrency: 8, share: 128 };

impl Keyring {
    /// A service over a store and providers, owning reservations as `owner`.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        providers: Providers,
        clock: Arc<dyn Clock>,
        owner: LeaseOwner,
        lease: Duration,
    ) -> Self {
        Self {
            store,
            providers,
            clock,
            owner,
            lease,
            creations_underway: AtomicUsize::new(0),
            stock: StockConfig::default(),
            stock_due: Notify::new(),
            reconcile_due: Notify::new(),
            inventory_due: AtomicBool::new(true),
            audited_findings: Mutex::default(),
            store_health: StoreHealthCache::default(),
            queue: FairQueue::new(WORK, BOUNDS),
        }
    }

    /// Sets how many requests for new key pairs one principal may have under way.
    #[must_use]
    pub fn with_requests_per_principal(self, share: usize) -> Self {
        Self { queue: FairQueue::new(WORK, QueueBounds { share, ..BOUNDS }), ..self }
    }

    /// The owner of this keyring's reservations.
    #[must_use]
    pub const fn owner(&self) -> &LeaseOwner {
        &self.owner
    }

    /// How long a reservation, the making of its key included, is safe from other daemons.
    #[must_use]
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    /// The same with a stock.
    #[must_use]
    pub fn with_stock(self, stock: StockConfig) -> Self {
        Self { stock, ..self }
    }

    fn event(&self, who: &Principal, action: Action, pair: &KeyPair, detail: String) -> Event {
        Event {
            at: self.clock.now(),
            principal: who.name().to_owned(),
            action,
            key: Some(pair.id),
            ring: pair.ring.clone(),
            detail,
            request_id: None,
        }
    }

    /// Returns `outcome` unchanged. A broken seal is written to the audit trail the first time that this
    /// process sees it.
    async fn audit_damage<T>(&self, who: &Principal, pair: &KeyPair, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Some(damage @ ProviderError::Damaged(_)) = outcome.as_ref().err().and_then(Error::source_as)
            && self.warn_once(&format!("key {}: {damage}", pair.id))
        {
            self.store.record(&[broken_seal(self.clock.now(), who, pair, damage)]).await?;
        }
        outcome
    }
}

/// The event of a sealed private half that did not open.
fn broken_seal(at: Timestamp, who: &Principal, pair: &KeyPair, damage: &ProviderError) -> Event {
    Event::seal_broken(at, who.name(), pair.id, pair.ring.clone(), damage.to_string())
}

/// An event of the daemon itself, without a key pair.
fn not_of_a_row(at: Timestamp, action: Action, detail: String) -> Event {
    let principal = Principal::daemon().name().to_owned();
    Event { at, principal, action, key: None, ring: None, detail, request_id: None }
}
