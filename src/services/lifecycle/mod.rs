//! Key pairs and rings: generate, take from stock, import, link, export, look up, delete.
//!
//! Owns the life of a key pair: reservation before generation, proof and certificate before commit,
//! destruction after the commit of its deletion. Does not own what keeps keys afterwards (`custody`).
//! Brings providers and store together; knows no HTTP and no dialect.
//!
//! Invariants: the row precedes the key; a reservation ends in commit or abandonment and nothing else;
//! an error that dialects answer with 5xx means that nothing changed; every change runs detached from its caller.

mod creation;
mod delete;
mod generate;
mod import_export;
mod lookup;
mod obtain;
mod request;
mod reservation;
mod stock;
mod suspend;
mod underway;
mod unreadable;
mod uploads;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::admission::{Detached, FairQueue, QueueBounds};
use crate::auth::{Caller, Task};
use crate::config::{KeysConfig, StockConfig};
use crate::provider::{ProviderError, Providers};
use crate::store::{LeaseOwner, Store};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::{Clock, Timestamp};
use strongroom_domain::error::Error;
use strongroom_domain::key::KeyPair;

pub use crate::issuance::CertificateSpec;
pub use crate::provider::{Capabilities, InvalidKeySelector, KeySelector};
pub use crate::store::Placement;
pub use lookup::KeyRing;
pub(in crate::services) use obtain::new_key;
pub(in crate::services) use request::DocumentChanges;
pub use request::{
    ExportedKeyPair, ImportKeyPair, InitialState, KeyCreated, KidScheme, LinkKeyPair, NewKeyPair, NewRingKey,
    RingChange, RingChanged, StateChange,
};
pub(in crate::services) use reservation::Reservation;
pub(in crate::services) use stock::STOCK_USE;
pub(in crate::services) use underway::CreationGuard;
pub use unreadable::{holder_of, note_unreadable};
pub use uploads::{KeyFile, issued_certificates, linked_certificates};

/// The service over key pairs.
pub struct Keyring {
    pub(in crate::services) store: Arc<Store>,
    pub(in crate::services) providers: Providers,
    pub(in crate::services) clock: Arc<dyn Clock>,
    pub(in crate::services) owner: LeaseOwner,
    /// How long a reservation is safe from other daemons.
    pub(in crate::services) lease: Duration,
    /// Generations under way in this process.
    pub(in crate::services) creations_underway: AtomicUsize,
    /// How long deleted keys can be restored.
    keys: KeysConfig,
    /// Targets of the stock.
    pub(in crate::services) stock: StockConfig,
    /// Wakes the task that fills the stock.
    pub(in crate::services) stock_due: Notify,
    /// Wakes the reconciler.
    pub(in crate::services) reconcile_due: Notify,
    /// Whether the reconciler shall also compare the whole token with the store.
    pub(in crate::services) inventory_due: AtomicBool,
    /// Findings that this process has audited.
    audited_findings: Mutex<HashSet<String>>,
    queue: FairQueue,
    /// Where changes run.
    pub(in crate::services) detached: Detached,
}

/// The kind of work, as metrics call it.
const WORK: &str = "generate";

const BOUNDS: QueueBounds = QueueBounds { concurrency: 8, share: 128 };

impl Keyring {
    /// A service over a store and providers, owning reservations as `owner`; deleted keys are destroyed at once.
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
            keys: KeysConfig::NO_WINDOW,
            stock: StockConfig::default(),
            stock_due: Notify::new(),
            reconcile_due: Notify::new(),
            inventory_due: AtomicBool::new(true),
            audited_findings: Mutex::default(),
            queue: FairQueue::new(WORK, BOUNDS),
            detached: Detached::default(),
        }
    }

    /// Sets how many requests for new key pairs one principal may have under way.
    #[must_use]
    pub fn with_requests_per_principal(self, share: usize) -> Self {
        Self { queue: FairQueue::new(WORK, QueueBounds { share, ..BOUNDS }), ..self }
    }

    /// The same, whose changes run among those of others.
    #[must_use]
    pub fn with_detached(self, detached: Detached) -> Self {
        Self { detached, ..self }
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

    /// Sets how long deleted keys can be restored before they are destroyed.
    #[must_use]
    pub fn with_keys(self, keys: KeysConfig) -> Self {
        Self { keys, ..self }
    }

    /// The same with a stock.
    #[must_use]
    pub fn with_stock(self, stock: StockConfig) -> Self {
        Self { stock, ..self }
    }

    /// Asks for a pass of the reconciler soon; with `inventory`, one that looks at the whole token.
    pub fn reconcile_soon(&self, inventory: bool) {
        if inventory {
            self.inventory_due.store(true, Ordering::SeqCst);
        }
        self.reconcile_due.notify_one();
    }

    /// Logs a sentence the first time that this process says it, and tells whether it was.
    pub(in crate::services) fn warn_once(&self, text: &str) -> bool {
        let first = self.audited_findings.lock().is_ok_and(|mut reported| reported.insert(text.to_owned()));
        if first {
            tracing::warn!("{text}");
        }
        first
    }

    pub(in crate::services) fn event(&self, who: &Caller, action: Action, pair: &KeyPair, detail: String) -> Event {
        Event {
            at: self.clock.now(),
            principal: who.name().to_owned(),
            action,
            key: Some(pair.id),
            ring: pair.ring.clone(),
            detail,
            request_id: who.request_id(),
        }
    }

    /// Writes an event to the audit trail.
    async fn record(&self, event: Event) -> Result<(), Error> {
        let store = Arc::clone(&self.store);
        self.detached.run(async move { Ok(store.record(&[event]).await?) }).await
    }

    /// Returns `outcome` unchanged. A broken seal is written to the audit trail the first time that this
    /// process sees it.
    async fn audit_damage<T>(&self, who: &Caller, pair: &KeyPair, outcome: Result<T, Error>) -> Result<T, Error> {
        if let Some(damage @ ProviderError::Damaged(_)) = outcome.as_ref().err().and_then(Error::source_as)
            && self.warn_once(&format!("key {}: {damage}", pair.id))
        {
            self.record(broken_seal(self.clock.now(), who, pair, damage)).await?;
        }
        outcome
    }
}

/// The event of a sealed private half that did not open.
pub(in crate::services) fn broken_seal(at: Timestamp, who: &Caller, pair: &KeyPair, damage: &ProviderError) -> Event {
    Event::seal_broken(at, who.name(), pair.id, pair.ring.clone(), damage.to_string())
}

/// An event of the daemon itself, without a key pair.
pub(in crate::services) fn not_of_a_row(at: Timestamp, action: Action, detail: String) -> Event {
    let principal = Caller::daemon(Task::Reconcile).name().to_owned();
    Event { at, principal, action, key: None, ring: None, detail, request_id: None }
}
