//! Finding keys: by id, by kid, or as the Active key of a ring; from memory while that is known to be right.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::{Signing, SigningKey, Target};
use crate::catalog::signs_raw;
use crate::error::{Error, Kind};
use crate::key::State;

/// How long a cache may be used whose epoch has not been confirmed.
pub(super) const CONFIRMED: Duration = Duration::from_secs(3);

/// Between two looks at the epoch.
const POLL: Duration = Duration::from_secs(1);

/// Keys that were read at one revision and one epoch of the store.
#[derive(Default)]
pub(super) struct Cache(RwLock<Known>);

#[derive(Default)]
struct Known {
    keys: HashMap<Target, Arc<SigningKey>>,
    at: Moment,
    /// When the epoch was last asked for and found unchanged.
    confirmed: Option<Instant>,
}

/// What must not have changed between the reading of a row and its use.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moment {
    revision: u64,
    epoch: Option<i64>,
}

impl Signing {
    /// Confirms the cache every second until `stop`.
    pub async fn keep_current(&self, mut stop: watch::Receiver<bool>) {
        loop {
            // What is asked now is confirmed as of now, however late the answer comes.
            let asked = Instant::now();
            match self.store.epoch().await {
                Ok(epoch) => self.cache.confirm(epoch, asked),
                Err(failure) => tracing::warn!(error = %failure, "the epoch of the store cannot be read"),
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// The key that a target names.
    pub(super) async fn find(&self, target: &Target) -> Result<Arc<SigningKey>, Error> {
        let revision = self.store.revision();
        if let Some(key) = self.cache.get(target, revision) {
            return Ok(key);
        }
        let moment = self.cache.begin(revision);
        let key = Arc::new(self.read(target).await?);
        self.cache.put(target, &key, moment);
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

impl Cache {
    /// The key of a target, if what is known was read at `revision` and confirmed lately.
    pub(super) fn get(&self, target: &Target, revision: u64) -> Option<Arc<SigningKey>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let current =
            known.at.revision == revision && known.confirmed.is_some_and(|moment| moment.elapsed() < CONFIRMED);
        if current { known.keys.get(target).map(Arc::clone) } else { None }
    }

    /// The moment at which a reading begins; forgets what is older than `revision`.
    pub(super) fn begin(&self, revision: u64) -> Moment {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.at.revision < revision {
            known.keys.clear();
            known.at.revision = revision;
        }
        known.at
    }

    /// Keeps what was read, unless something has changed since the reading began.
    pub(super) fn put(&self, target: &Target, key: &Arc<SigningKey>, begun: Moment) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.at == begun {
            known.keys.insert(target.clone(), Arc::clone(key));
        }
    }

    /// Notes the epoch that the store had after `asked`; forgets everything if it is another.
    pub(super) fn confirm(&self, epoch: i64, asked: Instant) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.at.epoch != Some(epoch) {
            known.keys.clear();
            known.at.epoch = Some(epoch);
        }
        known.confirmed = Some(asked);
    }
}
