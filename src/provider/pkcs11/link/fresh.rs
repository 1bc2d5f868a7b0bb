//! Keys that were just made, and the host that still has their handle.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::super::protocol::{Call, Signing};
use super::process::HostProcess;
use super::{Inner, Settled, settle};

/// New keys whose first signature has not come; beyond it they are forgotten.
const MOST_FRESH: usize = 1024;

impl Inner {
    /// Signs with a key that was just made in the host that made it: any other would have
    /// to search the whole token for it. Not in the lane's turn, so that it waits for the
    /// generation under way and for no other. `None` when that host is gone.
    pub(super) async fn sign_where_made(&self, request: &Signing, limit: Duration) -> Option<Settled> {
        let host = self.fresh().remove(&request.id)?.upgrade()?;
        let _together = host.turn.read().await;
        Some(settle(&host, host.call(&Call::Sign(request.clone()), limit).await))
    }

    /// Notes which host has just made a key that is expected to sign soon.
    pub(super) fn remember_fresh(&self, id: Option<Vec<u8>>, host: &Arc<HostProcess>) {
        let mut fresh = self.fresh();
        if fresh.len() >= MOST_FRESH {
            fresh.clear();
        }
        fresh.extend(id.map(|id| (id, Arc::downgrade(host))));
    }

    fn fresh(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Weak<HostProcess>>> {
        self.fresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
