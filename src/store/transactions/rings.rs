//! Transactions of rings, and of the sweeps that look at them.

use std::time::Duration;

use crate::store::pools::{reading, writing};
use crate::store::{Agenda, DueRing, LeaseOwner, Store, StoreError, SweepLease, meta, rings};
use strongroom_domain::audit::Event;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{RingId, RingKind};

impl Store {
    /// Up to `limit` rings with a visible key pair, by id, after `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn rings(&self, after: Option<&RingId>, limit: u32) -> Result<Vec<RingId>, StoreError> {
        reading!(self, "rings", |conn| rings::page(conn, after, limit))
    }

    /// Up to `limit` rings that a sweep has to look at, the longest due first. A ring is due
    /// after each change of its visible key pairs, of their certificates and of the documents about it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due_rings(&self, now: Timestamp, limit: u32) -> Result<Vec<DueRing>, StoreError> {
        reading!(self, "due_rings", |conn| rings::due(conn, now, limit))
    }

    /// Notes when a ring has to be looked at next, unless it has changed since; whether it was noted.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn set_ring_due(&self, ring: &DueRing, due: Option<Timestamp>) -> Result<bool, StoreError> {
        writing!(self, "plan_ring", &[], |conn| rings::set_due(conn, ring, due))
    }

    /// Makes every ring of a kind due: its policy has changed.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn make_kind_due(&self, kind: RingKind) -> Result<(), StoreError> {
        writing!(self, "plan_anew", &[], |conn| rings::make_kind_due(conn, kind))
    }

    /// What awaits the sweeps at `now`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn agenda(&self, now: Timestamp) -> Result<Agenda, StoreError> {
        reading!(self, "agenda", |conn| rings::agenda(conn, now))
    }

    /// Takes the right to sweep for `lease`; `None` while another has it. What the same life
    /// held is taken over, what a former life of its instance held too.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn lease_sweep(
        &self,
        owner: &LeaseOwner,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<SweepLease>, StoreError> {
        writing!(self, "lease_sweep", &[], |conn| meta::lease_sweep(conn, owner, now, lease))
    }

    /// Gives the right to sweep back, noting that a sweep came to its end `at`, if it did;
    /// [`StoreError::Fenced`] when it was lost.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn end_sweep(&self, fence: i64, at: Option<Timestamp>, audit: &[Event]) -> Result<(), StoreError> {
        writing!(self, "end_sweep", audit, |conn| meta::end_sweep(conn, fence, at))
    }
}
