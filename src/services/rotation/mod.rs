//! When keys succeed each other: policies, plans, sweeps, rotation on demand.
//!
//! Owns the rules of succession, and when sweeps are made. Does not own how keys are made
//! and moved (`lifecycle`), what settings say (`settings`) or which keys are published
//! meanwhile (`publication`).
//!
//! Invariants: a plan is a pure function of a ring, its policy and the time; nothing signs by schedule
//! before it has been published for a lead; a sweep that finds nothing due changes nothing; only the
//! holder of the latest fence writes.

mod clock_guard;
mod compromise;
mod gauges;
pub mod plan;
pub mod policy;
mod rotate;
mod scheduler;
mod successor;
mod sweep;
#[cfg(test)]
pub(in crate::services) mod tests;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use crate::services::lifecycle::Keyring;
use crate::store::Store;
use strongroom_domain::clock::Clock;
use strongroom_domain::error::Error;
use strongroom_domain::key::RingId;

pub use compromise::{CompromiseKey, Compromised};
pub use plan::{Plan, Step, StepKind};
pub use policy::{Policies, Policy, PolicyDefaults, Schedule};
pub use rotate::{RingPlan, RotateRing, Rotated};
pub use sweep::{SweepMode, SweepOptions, SweepOutcome, SweepResult};

/// The service over succession.
pub struct Rotation {
    store: Arc<Store>,
    keyring: Arc<Keyring>,
    policies: Policies,
    clock: Arc<dyn Clock>,
    options: SweepOptions,
    /// Held while this daemon sweeps.
    sweeping: tokio::sync::Mutex<()>,
    /// Whether the clock was not believed at the last sweep.
    held: AtomicBool,
    /// How often in a row a ring has failed.
    failures: Mutex<HashMap<RingId, u32>>,
}

impl Rotation {
    /// A service over store and keyring that follows these policies.
    #[must_use]
    pub fn new(store: Arc<Store>, keyring: Arc<Keyring>, policies: Policies, clock: Arc<dyn Clock>) -> Self {
        Self {
            store,
            keyring,
            policies,
            clock,
            options: SweepOptions::default(),
            sweeping: tokio::sync::Mutex::default(),
            held: AtomicBool::new(false),
            failures: Mutex::default(),
        }
    }

    /// The policy of a ring.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn policy(&self, ring: &RingId) -> Result<Policy, Error> {
        self.policies.of(ring).await
    }

    /// The same service with sweeps of other options.
    #[must_use]
    pub fn with_sweep_options(self, options: SweepOptions) -> Self {
        Self { options, ..self }
    }
}
