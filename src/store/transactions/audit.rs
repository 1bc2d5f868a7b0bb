//! Transactions of the audit trail.

use crate::store::pools::{on_database, reading};
use crate::store::{Store, StoreError, audit_trail};
use strongroom_domain::audit::Event;

impl Store {
    /// Writes audit events that belong to no change of a row.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn record(&self, audit: &[Event]) -> Result<(), StoreError> {
        on_database!(self, |pools| pools.begin("record").await?.commit(audit).await)
    }

    /// Up to `limit` audit events with their numbers, which grow, from the first one above `after`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn audit(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>, StoreError> {
        reading!(self, "audit", |conn| audit_trail::page(conn, after, limit))
    }
}
