//! What the store knows of itself: its identity, its epoch, and who sweeps.

use std::time::Duration;

use aws_lc_rs::hmac;

use super::sqlite::Connection;
use super::{LeaseOwner, StoreError, SweepLease};
use strongroom_domain::clock::{Timestamp, random};
use strongroom_domain::key::StoreId;

/// How far the clocks of daemons may be apart.
const SKEW: Duration = Duration::from_secs(60);

/// Reads the store's id and the key of its fingerprints, which a new store is given here.
pub(super) async fn identity(conn: &mut Connection) -> Result<(StoreId, hmac::Key), StoreError> {
    let no_entropy = |failure: strongroom_domain::clock::NoEntropy| StoreError::Unavailable(failure.to_string());
    sqlx::query(
        "INSERT INTO store_meta (singleton, store_id, fingerprint_key) VALUES (1, $1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(StoreId::new().map_err(no_entropy)?.to_string())
    .bind(random::<32>().map_err(no_entropy)?.to_vec())
    .execute(&mut *conn)
    .await?;
    known_identity(conn).await
}

/// Reads the identity of a store that has one.
pub(super) async fn known_identity(conn: &mut Connection) -> Result<(StoreId, hmac::Key), StoreError> {
    let (id, key): (String, Vec<u8>) =
        sqlx::query_as("SELECT store_id, fingerprint_key FROM store_meta").fetch_one(conn).await?;
    let id = id.parse().map_err(|wrong| StoreError::Inconsistent(format!("its own id is {wrong}")))?;
    Ok((id, hmac::Key::new(hmac::HMAC_SHA256, &key)))
}

/// The count of transitions.
pub(super) async fn epoch(conn: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT epoch FROM store_meta").fetch_one(conn).await?)
}

/// Counts one transition more.
pub(super) async fn advance_epoch(conn: &mut Connection) -> Result<(), StoreError> {
    sqlx::query("UPDATE store_meta SET epoch = epoch + 1").execute(conn).await?;
    Ok(())
}

/// Writes something, to see whether that is possible.
pub(super) async fn ping(conn: &mut Connection) -> Result<(), StoreError> {
    sqlx::query("UPDATE store_meta SET pings = pings + 1").execute(conn).await?;
    Ok(())
}

/// Takes the right to sweep, unless another has it.
pub(super) async fn lease_sweep(
    conn: &mut Connection,
    owner: &LeaseOwner,
    now: Timestamp,
    lease: Duration,
) -> Result<Option<SweepLease>, StoreError> {
    // A lease that ends later than any could was taken under another clock. Who asks at the same time as its
    // holder may have looked at the clock before.
    let taken: Option<(i64, Option<i64>)> = sqlx::query_as(
        "UPDATE store_meta
         SET fence = fence + 1, sweeper_instance = $1, sweeper_life = $2, sweeper_until = $4
         WHERE sweeper_until IS NULL OR sweeper_until <= $3 OR sweeper_until > $5 OR sweeper_instance = $1
         RETURNING fence, swept_at",
    )
    .bind(&owner.instance)
    .bind(&owner.life)
    .bind(now.as_micros())
    .bind(now.plus(lease).as_micros())
    .bind(now.plus(lease).plus(SKEW).as_micros())
    .fetch_optional(conn)
    .await?;
    Ok(taken.map(|(fence, swept_at)| SweepLease { fence, swept_at: swept_at.map(Timestamp::from_micros) }))
}

/// Gives the right to sweep back.
pub(super) async fn end_sweep(conn: &mut Connection, fence: i64, at: Option<Timestamp>) -> Result<(), StoreError> {
    let done =
        sqlx::query("UPDATE store_meta SET sweeper_until = NULL, swept_at = COALESCE($2, swept_at) WHERE fence = $1")
            .bind(fence)
            .bind(at.map(Timestamp::as_micros))
            .execute(conn)
            .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Fenced) }
}

/// Passes while the sweeper of this number is the latest.
pub(super) async fn check_fence(conn: &mut Connection, fence: i64) -> Result<(), StoreError> {
    let latest: i64 = sqlx::query_scalar("SELECT fence FROM store_meta").fetch_one(conn).await?;
    if latest == fence { Ok(()) } else { Err(StoreError::Fenced) }
}
