//! Finding keys: by id, by kid, or as the Active key of a ring; from memory while that is known to be right.

use std::sync::Arc;

use super::{Signing, SigningKey, Target};
use crate::services::settings::signs_raw;
use crate::store::SeenEpoch;
use strongroom_domain::error::{Error, Kind};
use strongroom_domain::key::State;

impl Signing {
    /// Takes note of the store's epoch: see [`crate::store::follow_epoch`].
    pub fn confirm(&self, seen: SeenEpoch) {
        self.cache.confirm(seen);
    }

    /// The key that a target names.
    pub(super) async fn find(&self, target: &Target) -> Result<Arc<SigningKey>, Error> {
        let revision = self.store.revision();
        if let Some(key) = self.cache.get(target, revision) {
            return Ok(key);
        }
        let moment = self.cache.begin(revision);
        let key = Arc::new(self.read(target).await?);
        self.cache.put(target.clone(), Arc::clone(&key), moment);
        Ok(key)
    }

    async fn read(&self, target: &Target) -> Result<SigningKey, Error> {
        let (pair, missing) = match target {
            Target::Key(name) => (self.store.named(name).await?, format!("there is no key {name}")),
            Target::Ring(ring) => {
                let pairs = self.store.ring(ring).await?.into_iter();
                let active = pairs.into_iter().find(|pair| pair.state == State::Active);
                (active, format!("there is no key ring {ring} with an Active key"))
            }
        };
        let missing = || Error::new(Kind::NotFound, missing.clone());
        let pair = pair.ok_or_else(&missing)?;
        let signs_raw = match &pair.ring {
            Some(ring) => signs_raw(self.store.as_ref(), ring).await?,
            None => false,
        };
        SigningKey::of(&pair, signs_raw).ok_or_else(missing)
    }
}
