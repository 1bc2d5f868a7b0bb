//! Finding keys: by id, by kid, or as the Active key of a ring; from memory while that is known to be right.

use std::sync::Arc;

use super::{Signing, SigningKey, Target};
use crate::auth::Caller;
use crate::auth::policy::{self, Action};
use crate::services::settings::signs_raw;
use crate::store::EpochReading;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::KeyPair;

impl Signing {
    /// Takes note of the store's epoch: see [`crate::store::follow_epoch`].
    pub fn observe_epoch(&self, seen: EpochReading) {
        self.cache.observe_epoch(seen);
    }

    /// The key that a target names, if the caller may use it for an action. Nothing is looked for on behalf of a
    /// caller whom no ring of the key would help.
    pub(super) async fn find_allowed(
        &self,
        caller: &Caller,
        action: Action,
        target: &Target,
    ) -> Result<Arc<SigningKey>, Error> {
        policy::may(caller, action, Some(target.resource(None)))?;
        let key = self.find(target).await?;
        policy::allow(caller, action, target.resource(Some(&key.ring)))?;
        Ok(key)
    }

    /// The key that a target names.
    async fn find(&self, target: &Target) -> Result<Arc<SigningKey>, Error> {
        let revision = self.store.revision();
        if let Some(key) = self.cache.get(target, revision) {
            return Ok(key);
        }
        let moment = self.cache.snapshot(revision);
        let key = Arc::new(self.read(target).await?);
        self.cache.insert_if_unchanged(target.clone(), Arc::clone(&key), moment);
        Ok(key)
    }

    async fn read(&self, target: &Target) -> Result<SigningKey, Error> {
        let pair = self.pair(target).await?;
        let signs_raw = match &pair.ring {
            Some(ring) => signs_raw(self.store.as_ref(), ring).await?,
            None => false,
        };
        SigningKey::of(&pair, signs_raw).ok_or_else(|| missing(target))
    }

    /// The key pair that a target names, from the store.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` when the kid is that of several.
    pub(super) async fn pair(&self, target: &Target) -> Result<KeyPair, Error> {
        let pair = match target {
            Target::Key(name) => self.store.find_by_name(name).await?,
            Target::Ring(ring) => self.store.ring(ring).await?.into_iter().find(KeyPair::is_current),
        };
        pair.ok_or_else(|| missing(target))
    }
}

/// The refusal of a target that names no key.
pub(super) fn missing(target: &Target) -> Error {
    let message = match target {
        Target::Key(name) => format!("there is no key {name}"),
        Target::Ring(ring) => format!("there is no key ring {ring} with an Active key"),
    };
    Error::new(ErrorKind::NotFound, message)
}
