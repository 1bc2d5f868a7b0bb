//! When keys succeed each other: policies, plans, sweeps, rotation on demand, and which keys
//! are published meanwhile.
//!
//! Owns the rules of succession and publication. Does not own how keys are made and moved
//! (`keyring`) or what settings say (`catalog`).
//!
//! Invariants: a plan is a pure function of a ring, its policy and the time; nothing signs
//! by schedule before it has been published for a lead; a sweep that finds nothing due
//! changes nothing; only the holder of the latest fence writes.

mod members;
mod oidc;
pub mod plan;
pub mod policy;
mod publication;
mod rotate;
mod successor;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::Notify;

use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::keyring::Keyring;
use crate::store::{Confirmed, Store};

pub use plan::{Plan, Step, StepKind};
pub use policy::{Defaults, Policy, Schedule};
pub use publication::{KeySet, Published};
pub use rotate::{Outlook, RotateRing, Rotated};

/// The service over succession and publication.
pub struct Rotation {
    #[allow(dead_code, reason = "sweeps are being built")]
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    catalog: Arc<Catalog>,
    clock: Arc<dyn Clock>,
    defaults: Defaults,
    /// Wakes the scheduler.
    wake: Notify,
    published: Confirmed<Published, publication::Kept>,
}

impl Rotation {
    /// A service over store, keyring and catalog, with the policies of the configuration.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        keyring: Arc<Keyring>,
        catalog: Arc<Catalog>,
        clock: Arc<dyn Clock>,
        defaults: Defaults,
    ) -> Self {
        Self { store, keyring, catalog, clock, defaults, wake: Notify::new(), published: Confirmed::default() }
    }
}
