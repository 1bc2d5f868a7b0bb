//! A cache of values read from the store, valid while revision and epoch are unchanged.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::{Store, StoreError};

/// How long cached values may be used after the last reading of the epoch.
pub const EPOCH_VALID_FOR: Duration = Duration::from_secs(3);

/// Between two looks at the epoch.
const POLL: Duration = Duration::from_secs(1);

/// Values that were read at one revision and one epoch of the store.
///
/// One is given out only at the store's revision in this process, and only while the
/// store's epoch was confirmed within [`EPOCH_VALID_FOR`].
pub struct EpochCache<K, V>(RwLock<CacheContents<K, V>>);

struct CacheContents<K, V> {
    values: HashMap<K, V>,
    at: CacheStamp,
    /// When the epoch was last asked for and found unchanged.
    confirmed: Option<Instant>,
}

/// Revision and epoch at which a value was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStamp {
    revision: u64,
    epoch: Option<i64>,
}

/// The epoch of a store, and since when it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochReading {
    pub epoch: i64,
    /// Time of the request: the epoch is known as of then, however late the reply came.
    pub asked: Instant,
}

impl EpochReading {
    /// Asks the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn read(store: &Store) -> Result<Self, StoreError> {
        let asked = Instant::now();
        Ok(Self { epoch: store.epoch().await?, asked })
    }
}

/// Asks for the epoch until `stop`, every second and whenever the database tells of a change, and tells it to
/// `confirm`.
pub async fn follow_epoch(store: Arc<Store>, mut stop: watch::Receiver<bool>, confirm: impl Fn(EpochReading) + Send) {
    let changed = Notify::new();
    let asking = async {
        loop {
            match EpochReading::read(store.as_ref()).await {
                Ok(seen) => confirm(seen),
                Err(failure) => tracing::warn!(error = %failure, "the epoch of the store cannot be read"),
            }
            tokio::select! {
                () = changed.notified() => {}
                () = tokio::time::sleep(POLL) => {}
            }
        }
    };
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        () = asking => {}
        () = store.hear_changes(&changed) => {}
    }
}

impl<K, V> Default for EpochCache<K, V> {
    fn default() -> Self {
        Self(RwLock::new(CacheContents { values: HashMap::new(), at: CacheStamp::default(), confirmed: None }))
    }
}

impl<K: Eq + Hash, V: Clone> EpochCache<K, V> {
    /// The cached value of a key, if the cache stands at `revision` and the epoch was read lately.
    pub fn get(&self, key: &K, revision: u64) -> Option<V> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let current =
            known.at.revision == revision && known.confirmed.is_some_and(|moment| moment.elapsed() < EPOCH_VALID_FOR);
        if current { known.values.get(key).cloned() } else { None }
    }

    /// The cached value of a key as it was last known at `revision`, however long ago the epoch was read.
    pub fn last_known(&self, key: &K, revision: u64) -> Option<V> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.at.revision == revision { known.values.get(key).cloned() } else { None }
    }

    /// The stamp of a reading that begins now; drops values older than `revision`.
    pub fn snapshot(&self, revision: u64) -> CacheStamp {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.at.revision < revision {
            known.values.clear();
            known.at.revision = revision;
        }
        known.at
    }

    /// Inserts a value, unless revision or epoch has changed since the reading began.
    pub fn insert_if_unchanged(&self, key: K, value: V, begun: CacheStamp) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.at == begun {
            known.values.insert(key, value);
        }
    }

    /// Records a reading of the epoch; drops all values if it has changed.
    pub fn observe_epoch(&self, seen: EpochReading) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.at.epoch != Some(seen.epoch) {
            known.values.clear();
            known.at.epoch = Some(seen.epoch);
        }
        known.confirmed = Some(seen.asked);
    }
}
