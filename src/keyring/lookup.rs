//! Finding key pairs.

use super::{Keyring, Made, NewKeyPair};
use crate::auth::Principal;
use crate::error::{Error, Kind};
use crate::key::{KeyPair, ProviderKind, RingId, RingKind};
use crate::provider::Capabilities;

/// A ring with its visible key pairs, the Active one first.
#[derive(Clone, Debug)]
pub struct KeyRing {
    pub id: RingId,
    pub keys: Vec<KeyPair>,
}

impl Keyring {
    /// Makes a key pair with its certificate and commits it as the Active key of a new ring.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid` (ring taken, idempotency key with another body), `Conflict`
    /// (the same request is running), `Unsupported`, `ProviderUnavailable`, `Busy`,
    /// `Deadline`. Whenever there is an error, nothing was changed.
    pub async fn generate(&self, _who: &Principal, _new: NewKeyPair) -> Result<Made, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// The Active key pair of a ring.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn active(&self, _who: &Principal, _ring: &RingId) -> Result<KeyPair, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// The Active key pairs of every ring of a kind, by creation time, then id.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn active_of_kind(&self, _who: &Principal, _kind: RingKind) -> Result<Vec<KeyPair>, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// A ring and its visible key pairs.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound` when it has none.
    pub async fn ring(&self, _who: &Principal, _ring: &RingId) -> Result<KeyRing, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// Commits the deletion of every key pair of a ring; destruction in the token follows.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `InUse`.
    pub async fn delete(&self, _who: &Principal, _ring: &RingId, _request_id: Option<String>) -> Result<(), Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// What each configured provider can generate now; `None` for one that was never ready.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn capabilities(&self, _who: &Principal) -> Result<Vec<(ProviderKind, Option<Capabilities>)>, Error> {
        Err(Error::new(Kind::Internal, "not yet"))
    }

    /// What is wrong with store and providers, in sentences; empty when ready.
    pub async fn ailments(&self) -> Vec<String> {
        Vec::new()
    }
}
