//! Rotation on demand, and what a ring has before it.

use std::time::Duration;

use super::{Plan, Policy, Rotation};
use crate::auth::Principal;
use crate::error::{Error, Kind};
use crate::key::{KeyAlgorithm, KeyPair, RingId, SignatureAlgorithm};
use crate::keyring::{IdempotencyKey, KeyRing};

/// A rotation on demand.
#[derive(Clone, Debug)]
pub struct RotateRing {
    pub ring: RingId,
    /// The algorithms of the key that is made; those of the key that it follows when absent.
    pub algorithm: Option<(KeyAlgorithm, SignatureAlgorithm)>,
    pub idempotency: Option<IdempotencyKey>,
    /// Time allowed until the commit begins.
    pub deadline: Duration,
    pub request_id: Option<String>,
}

/// What a rotation came to.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The one that signs now.
    pub active: KeyPair,
    /// The one that signed before.
    pub previous: Option<KeyPair>,
    /// The one that waits; absent in rings that have none waiting.
    pub next: Option<KeyPair>,
}

/// A ring with what has been planned for it.
#[derive(Clone, Debug)]
pub struct Outlook {
    pub ring: KeyRing,
    pub policy: Policy,
    pub plan: Plan,
}

impl Rotation {
    /// Rotates a ring now: the waiting successor, or else a new key, becomes Active; a ring
    /// that always has a successor waiting is given a new one in the same transaction.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Conflict` when the ring changes meanwhile, what generation
    /// answers. Whenever there is an error, nothing was changed.
    #[allow(clippy::unused_async, reason = "changes the ring once it is built")]
    pub async fn rotate(&self, _who: &Principal, _rotation: RotateRing) -> Result<Rotated, Error> {
        Err(Error::new(Kind::Unsupported, "rotation is not there yet"))
    }

    /// A ring with its policy and plan.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    #[allow(clippy::unused_async, reason = "reads the ring once it is built")]
    pub async fn outlook(&self, _who: &Principal, _ring: &RingId) -> Result<Outlook, Error> {
        Err(Error::new(Kind::NotFound, "rotation is not there yet"))
    }
}
