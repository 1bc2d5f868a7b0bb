//! The rows of rings, and what is due there.

use super::seam::{Columns, Connection, Statement, unreadable};
use super::states::visible;
use super::{Agenda, DueRing, StoreError};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{RingId, RingKind};

/// Makes a ring due, for it has changed.
pub(super) async fn make_due(conn: &mut impl Connection, ring: Option<&RingId>) -> Result<(), StoreError> {
    let Some(ring) = ring else { return Ok(()) };
    Statement::new(
        "INSERT INTO rings (ring, ring_kind, due_at, version) VALUES ($1, $2, 0, 1)
         ON CONFLICT (ring) DO UPDATE SET due_at = 0, version = rings.version + 1",
    )
    .bind(ring.to_string())
    .bind(ring.kind().name())
    .execute(conn)
    .await?;
    Ok(())
}

/// A page of the rings with a visible key pair, by id.
pub(super) async fn page(
    conn: &mut impl Connection,
    after: Option<&RingId>,
    limit: u32,
) -> Result<Vec<RingId>, StoreError> {
    Statement::new(concat!(
        "SELECT ring FROM rings WHERE ring > $1 AND EXISTS (
             SELECT 1 FROM key_pairs k WHERE k.ring = rings.ring AND k.state IN ",
        visible!(),
        ") ORDER BY ring LIMIT $2",
    ))
    .bind(after.map(ToString::to_string).unwrap_or_default())
    .bind(i64::from(limit))
    .fetch_all(conn, id)
    .await
}

/// The rings that are due at `now`.
pub(super) async fn due(conn: &mut impl Connection, now: Timestamp, limit: u32) -> Result<Vec<DueRing>, StoreError> {
    Statement::new("SELECT ring, version FROM rings WHERE due_at <= $1 ORDER BY due_at, ring LIMIT $2")
        .bind(now.as_micros())
        .bind(i64::from(limit))
        .fetch_all(conn, |row| Ok(DueRing { ring: id(row)?, version: row.get("version")? }))
        .await
}

/// Notes when a ring is due next, if it is still what the caller saw.
pub(super) async fn set_due(
    conn: &mut impl Connection,
    ring: &DueRing,
    due: Option<Timestamp>,
) -> Result<bool, StoreError> {
    let done = Statement::new("UPDATE rings SET due_at = $3 WHERE ring = $1 AND version = $2")
        .bind(ring.ring.to_string())
        .bind(ring.version)
        .bind(due.map(Timestamp::as_micros))
        .execute(conn)
        .await?;
    Ok(done == 1)
}

/// Makes every ring of a kind due.
pub(super) async fn make_kind_due(conn: &mut impl Connection, kind: RingKind) -> Result<(), StoreError> {
    Statement::new("UPDATE rings SET due_at = 0, version = version + 1 WHERE ring_kind = $1")
        .bind(kind.name())
        .execute(conn)
        .await?;
    Ok(())
}

/// How many rings are due at `now`, and when the next one will be.
pub(super) async fn agenda(conn: &mut impl Connection, now: Timestamp) -> Result<Agenda, StoreError> {
    Statement::new(
        "SELECT (SELECT COUNT(*) FROM rings WHERE due_at <= $1) AS due,
                (SELECT MIN(due_at) FROM rings WHERE due_at > $1) AS next_due",
    )
    .bind(now.as_micros())
    .fetch_one(conn, |row| {
        Ok(Agenda { due: row.get("due")?, next: row.nullable("next_due")?.map(Timestamp::from_micros) })
    })
    .await
}

fn id(row: &impl Columns) -> sqlx::Result<RingId> {
    row.get::<&str>("ring")?.parse().map_err(|_| unreadable("ring"))
}
