//! The audit trail's rows.

use super::StoreError;
use super::records::AuditRow;
use super::sqlite::Connection;
use strongroom_domain::audit::Event;

/// Appends events, in their order.
pub(super) async fn append(conn: &mut Connection, events: &[Event]) -> Result<(), StoreError> {
    for event in events {
        sqlx::query(
            "INSERT INTO audit_events (at, principal, action, key_id, ring, detail, request_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(event.at.as_micros())
        .bind(&event.principal)
        .bind(event.action.name())
        .bind(event.key.map(|key| key.to_string()))
        .bind(event.ring.as_ref().map(ToString::to_string))
        .bind(&event.detail)
        .bind(&event.request_id)
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Up to `limit` events with numbers above `after`.
pub(super) async fn page(conn: &mut Connection, after: i64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
    let sql = "SELECT * FROM audit_events WHERE number > $1 ORDER BY number LIMIT $2";
    Ok(sqlx::query_as(sql).bind(after).bind(i64::from(limit)).fetch_all(conn).await?)
}
