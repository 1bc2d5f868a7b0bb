//! Keys and algorithms whose use took down hosts.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use crate::error::TokenError;
use strongroom_domain::key::Locator;

/// How long a key and algorithm that took down two hosts are refused.
const REFUSED_FOR: Duration = Duration::from_secs(600);

/// A `CKA_ID`, and the name of the algorithm that it was to be used with.
pub(super) type KeyAndAlgorithm = (Vec<u8>, &'static str);

/// What is refused, and since when.
#[derive(Default)]
pub(super) struct PoisonedKeys(Mutex<HashMap<KeyAndAlgorithm, Instant>>);

impl PoisonedKeys {
    /// Checks that a key and algorithm are not refused.
    ///
    /// # Errors
    /// [`TokenError::Unsupported`] for what took down two hosts lately.
    pub(super) fn check(&self, suspect: &KeyAndAlgorithm) -> Result<(), TokenError> {
        if self.known().get(suspect).is_some_and(|since| since.elapsed() < REFUSED_FOR) {
            let detail = "this key and algorithm took down two token hosts; refused for ten minutes";
            return Err(TokenError::Unsupported(detail.to_owned()));
        }
        Ok(())
    }

    /// Refuses a key and algorithm from now on.
    pub(super) fn add(&self, suspect: &KeyAndAlgorithm) {
        let (locator, algorithm) = (Locator::from_bytes(&suspect.0).ok(), suspect.1);
        tracing::error!(?locator, algorithm, "a key took down two token hosts and is refused");
        let mut known = self.known();
        known.retain(|_, since| since.elapsed() < REFUSED_FOR);
        known.insert(suspect.clone(), Instant::now());
    }

    fn known(&self) -> MutexGuard<'_, HashMap<KeyAndAlgorithm, Instant>> {
        self.0.lock()
    }
}
