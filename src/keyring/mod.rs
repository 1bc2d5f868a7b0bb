//! Key pairs and rings: generate, look up, delete, reconcile.
//!
//! Owns the life of a key pair: reservation before generation, proof and certificate
//! before commit, destruction after the commit of its deletion, and the comparison of
//! token with store. Brings providers and store together; knows no HTTP and no dialect.
//!
//! Invariants: the row precedes the key; a reservation ends in commit or abandonment
//! and nothing else; an error that dialects answer with 5xx means that nothing changed.

mod lookup;
mod request;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::provider::Providers;
use crate::store::{Owner, Store};

pub use crate::provider::Capabilities;
pub use lookup::KeyRing;
pub use request::{CertificateSpec, IdempotencyKey, Made, NewKeyPair};

/// The service over key pairs.
pub struct Keyring {
    store: Arc<dyn Store>,
    providers: Providers,
    clock: Arc<dyn Clock>,
    owner: Owner,
    /// How long a reservation is safe from other daemons.
    lease: Duration,
}

impl Keyring {
    /// A service over a store and providers, owning reservations as `owner`.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        providers: Providers,
        clock: Arc<dyn Clock>,
        owner: Owner,
        lease: Duration,
    ) -> Self {
        Self { store, providers, clock, owner, lease }
    }
}
