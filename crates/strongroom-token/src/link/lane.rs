//! A lane: the hosts of one role, and the calls waiting for them.

use std::sync::Arc;
use std::time::Duration;

use metrics::{Gauge, Histogram};
use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio::time::timeout;

use super::process::HostProcess;
use crate::error::TokenError;

/// Hosts of one kind.
pub(super) struct Lane {
    hosts: watch::Sender<Hosts>,
    slots: Semaphore,
    size: usize,
    /// Calls in the queue or with a host.
    depth: Gauge,
    /// How long calls waited, and how long the token took for them.
    queued: Histogram,
    worked: Histogram,
}

/// The hosts that take calls now, and why there are none.
#[derive(Clone, Default)]
pub(super) struct Hosts {
    pub(super) running: Vec<Arc<HostProcess>>,
    /// Set once a start has failed and while no host runs.
    pub(super) down: Option<String>,
}

/// Slots that a call holds in a lane's queue.
pub(super) struct QueueSlots<'a> {
    lane: &'a Lane,
    permit: Option<SemaphorePermit<'a>>,
}

impl Lane {
    /// A lane for at most `size` calls.
    pub(super) fn new(name: &'static str, size: usize) -> Self {
        Self {
            hosts: watch::Sender::default(),
            slots: Semaphore::new(size),
            size,
            depth: metrics::gauge!("strongroom_pkcs11_queue_depth", "queue" => name),
            queued: metrics::histogram!("strongroom_pkcs11_queue_duration_seconds", "queue" => name),
            worked: metrics::histogram!("strongroom_pkcs11_token_duration_seconds", "queue" => name),
        }
    }

    /// Reserves slots in the queue.
    ///
    /// # Errors
    /// [`TokenError::Busy`] when there are none.
    pub(super) fn reserve_slots(&self, places: usize) -> Result<QueueSlots<'_>, TokenError> {
        let places = u32::try_from(places).unwrap_or(u32::MAX);
        let permit = self.slots.try_acquire_many(places).map_err(|_| TokenError::Busy)?;
        self.measure();
        Ok(QueueSlots { lane: self, permit: Some(permit) })
    }

    /// The least busy host, waited for if one is being started; the avoided one only where there is no other.
    ///
    /// # Errors
    /// [`TokenError::Unavailable`] when hosts cannot be started, or not soon.
    pub(super) async fn host(&self, patience: Duration, avoided: Option<u32>) -> Result<Arc<HostProcess>, TokenError> {
        let mut changes = self.hosts.subscribe();
        let picked = async {
            loop {
                {
                    // Looked at once: a host that was well a moment ago may have died since.
                    let hosts = changes.borrow_and_update();
                    if let Some(host) = pick(&hosts, avoided) {
                        return Some(Ok(host));
                    }
                    if let Some(down) = &hosts.down {
                        return Some(Err(TokenError::Unavailable(down.clone())));
                    }
                }
                changes.changed().await.ok()?;
            }
        };
        let picked = timeout(patience, picked).await.ok().flatten();
        picked.unwrap_or_else(|| Err(TokenError::Unavailable("no token host is ready".to_owned())))
    }

    /// What runs now.
    pub(super) fn hosts(&self) -> Hosts {
        self.hosts.borrow().clone()
    }

    pub(super) fn add(&self, host: Arc<HostProcess>) {
        self.hosts.send_modify(|hosts| {
            hosts.running.push(host);
            hosts.down = None;
        });
    }

    pub(super) fn remove(&self, host: &Arc<HostProcess>) {
        self.hosts.send_modify(|hosts| hosts.running.retain(|known| !Arc::ptr_eq(known, host)));
    }

    /// Takes all hosts out.
    pub(super) fn clear(&self) -> Vec<Arc<HostProcess>> {
        let mut taken = Vec::new();
        self.hosts.send_modify(|hosts| taken = std::mem::take(&mut hosts.running));
        taken
    }

    /// Records why no host runs, if none does; returns whether the reason is new.
    pub(super) fn set_down(&self, reason: &str) -> bool {
        let mut news = false;
        self.hosts.send_modify(|hosts| {
            news = hosts.down.as_deref() != Some(reason);
            if hosts.running.is_empty() {
                hosts.down = Some(reason.to_owned());
            }
        });
        news
    }

    /// Records how long a call took, and how long its worker needed.
    pub(super) fn record_durations(&self, whole: Duration, worked: Duration) {
        self.worked.record(worked);
        self.queued.record(whole.saturating_sub(worked));
    }

    fn measure(&self) {
        let depth = self.size.saturating_sub(self.slots.available_permits());
        self.depth.set(u32::try_from(depth).unwrap_or(u32::MAX));
    }
}

impl Drop for QueueSlots<'_> {
    fn drop(&mut self) {
        self.permit = None;
        self.lane.measure();
    }
}

fn pick(hosts: &Hosts, avoided: Option<u32>) -> Option<Arc<HostProcess>> {
    let well = hosts.running.iter().filter(|host| host.fault().is_none());
    // A host whose turn is taken runs a suspect, and may not live long.
    well.min_by_key(|host| (avoided == Some(host.pid()), host.exclusive.try_read().is_err(), host.load()))
        .map(Arc::clone)
}
