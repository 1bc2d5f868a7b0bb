//! When keys succeed each other: policies, plans, sweeps, rotation on demand, and which keys
//! are published meanwhile.
//!
//! Owns the rules of succession and publication, and when sweeps are made. Does not own how
//! keys are made and moved (`keyring`) or what settings say (`catalog`).
//!
//! Invariants: a plan is a pure function of a ring, its policy and the time; nothing signs
//! by schedule before it has been published for a lead; a sweep that finds nothing due
//! changes nothing; only the holder of the latest fence writes.

mod clock_guard;
mod compromise;
mod gauges;
mod members;
mod oidc;
pub mod plan;
pub mod policy;
mod publication;
mod rotate;
mod scheduler;
mod successor;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use crate::services::lifecycle::Keyring;
use crate::services::settings::Catalog;
use crate::store::{EpochCache, Store};
use strongroom_domain::clock::Clock;
use strongroom_domain::key::RingId;

pub use compromise::{CompromiseKey, Compromised};
pub use plan::{Plan, Step, StepKind};
pub use policy::{Policy, PolicyDefaults, Schedule};
pub use publication::{KeySet, KeySetId};
pub use rotate::{RingPlan, RotateRing, Rotated};
pub use sweep::{SweepMode, SweepOptions, SweepOutcome, SweepResult};

/// The service over succession and publication.
pub struct Rotation {
    store: Arc<Store>,
    keyring: Arc<Keyring>,
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
    defaults: PolicyDefaults,
    published: EpochCache<KeySetId, publication::CachedKeySet>,
    options: SweepOptions,
    /// Held while this daemon sweeps.
    sweeping: tokio::sync::Mutex<()>,
    /// Whether the clock was not believed at the last sweep.
    held: AtomicBool,
    /// How often in a row a ring has failed.
    failures: Mutex<HashMap<RingId, u32>>,
}

impl Rotation {
    /// A service over store, keyring and catalog, with the policies of the configuration.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        keyring: Arc<Keyring>,
        catalog: Arc<Catalog>,
        clock: Arc<dyn Clock>,
        defaults: PolicyDefaults,
    ) -> Self {
        Self {
            store,
            keyring,
            catalog,
            clock,
            defaults,
            published: EpochCache::default(),
            options: SweepOptions::default(),
            sweeping: tokio::sync::Mutex::default(),
            held: AtomicBool::new(false),
            failures: Mutex::default(),
        }
    }

    /// The same service with sweeps of other options.
    #[must_use]
    pub fn with_sweep_options(self, options: SweepOptions) -> Self {
        Self { options, ..self }
    }
}
