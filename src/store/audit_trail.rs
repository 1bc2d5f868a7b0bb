//! The audit trail's rows.

use super::StoreError;
use super::records;
use super::seam::{Connection, Statement};
use strongroom_domain::audit::Event;

/// Appends events, in their order.
pub(super) async fn append(conn: &mut impl Connection, events: &[Event]) -> Result<(), StoreError> {
    for event in events {
        Statement::new(
            "INSERT INTO audit_events (at, principal, action, key_id, ring, detail, request_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(event.at.as_micros())
        .bind(event.principal.as_str())
        .bind(event.action.name())
        .bind(event.key.map(|key| key.to_string()))
        .bind(event.ring.as_ref().map(ToString::to_string))
        .bind(event.detail.as_str())
        .bind(event.request_id.as_deref())
        .execute(conn)
        .await?;
    }
    Ok(())
}

/// Up to `limit` events with numbers above `after`.
pub(super) async fn page(conn: &mut impl Connection, after: i64, limit: u32) -> Result<Vec<(i64, Event)>, StoreError> {
    let sql = "SELECT * FROM audit_events WHERE number > $1 ORDER BY number LIMIT $2";
    Statement::new(sql).bind(after).bind(i64::from(limit)).fetch_all(conn, records::audit_event).await
}
