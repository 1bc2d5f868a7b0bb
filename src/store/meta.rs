//! What the store knows of itself: its identity, its epoch, and who sweeps.

use std::time::Duration;

use aws_lc_rs::hmac;

use super::seam::{Columns as _, CommitCondition, Connection, Statement};
use super::{LeaseOwner, StoreError, SweepLease};
use strongroom_domain::clock::{Timestamp, random};
use strongroom_domain::key::StoreId;

/// How far the clocks of daemons may be apart.
const SKEW: Duration = Duration::from_secs(60);

/// Reads the store's id and the key of its fingerprints, which a new store is given here.
pub(super) async fn identity(conn: &mut impl Connection) -> Result<(StoreId, hmac::Key), StoreError> {
    let no_entropy = |failure: strongroom_domain::clock::NoEntropy| StoreError::Unavailable(failure.to_string());
    Statement::new(
        "INSERT INTO store_meta (singleton, store_id, fingerprint_key) VALUES (1, $1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(StoreId::new().map_err(no_entropy)?.to_string())
    .bind(random::<32>().map_err(no_entropy)?.to_vec())
    .execute(conn)
    .await?;
    known_identity(conn).await
}

/// Reads the identity of a store that has one.
pub(super) async fn known_identity(conn: &mut impl Connection) -> Result<(StoreId, hmac::Key), StoreError> {
    let (id, key): (String, Vec<u8>) = Statement::new("SELECT store_id, fingerprint_key FROM store_meta")
        .fetch_one(conn, |row| Ok((row.get("store_id")?, row.get("fingerprint_key")?)))
        .await?;
    let id = id.parse().map_err(|wrong| StoreError::Inconsistent(format!("its own id is {wrong}")))?;
    Ok((id, hmac::Key::new(hmac::HMAC_SHA256, &key)))
}

/// The count of transitions.
pub(super) async fn epoch(conn: &mut impl Connection) -> Result<i64, StoreError> {
    Statement::new("SELECT epoch FROM store_meta").fetch_one(conn, |row| row.get("epoch")).await
}

/// Writes something, to see whether that is possible.
pub(super) async fn ping(conn: &mut impl Connection) -> Result<(), StoreError> {
    Statement::new("UPDATE store_meta SET pings = pings + 1").execute(conn).await?;
    Ok(())
}

/// Takes the right to sweep, unless another has it.
pub(super) async fn lease_sweep(
    conn: &mut impl Connection,
    owner: &LeaseOwner,
    now: Timestamp,
    lease: Duration,
) -> Result<Option<SweepLease>, StoreError> {
    // A lease that ends later than any could was taken under another clock. Who asks at the same time as its
    // holder may have looked at the clock before.
    Statement::new(
        "UPDATE store_meta
         SET fence = fence + 1, sweeper_instance = $1, sweeper_life = $2, sweeper_until = $4
         WHERE sweeper_until IS NULL OR sweeper_until <= $3 OR sweeper_until > $5 OR sweeper_instance = $1
         RETURNING fence, swept_at",
    )
    .bind(owner.instance.as_str())
    .bind(owner.life.as_str())
    .bind(now.as_micros())
    .bind(now.plus(lease).as_micros())
    .bind(now.plus(lease).plus(SKEW).as_micros())
    .fetch_optional(conn, |row| {
        let swept_at = row.nullable("swept_at")?.map(Timestamp::from_micros);
        Ok(SweepLease { fence: row.get("fence")?, swept_at })
    })
    .await
}

/// Gives the right to sweep back.
pub(super) async fn end_sweep(conn: &mut impl Connection, fence: i64, at: Option<Timestamp>) -> Result<(), StoreError> {
    let done = Statement::new(
        "UPDATE store_meta SET sweeper_until = NULL, swept_at = COALESCE($2, swept_at) WHERE fence = $1",
    )
    .bind(fence)
    .bind(at.map(Timestamp::as_micros))
    .execute(conn)
    .await?;
    if done == 1 { Ok(()) } else { Err(StoreError::Fenced) }
}

/// Passes while the sweeper of this number is the latest; the commit asks again.
pub(super) async fn check_fence(conn: &mut impl Connection, fence: i64) -> Result<(), StoreError> {
    conn.require(CommitCondition::Fence(fence));
    let latest: i64 = Statement::new("SELECT fence FROM store_meta").fetch_one(conn, |row| row.get("fence")).await?;
    if latest == fence { Ok(()) } else { Err(StoreError::Fenced) }
}

/// The lowest version of a master key that a key may be sealed under.
pub(super) async fn oldest_master(conn: &mut impl Connection) -> Result<i64, StoreError> {
    Statement::new("SELECT oldest_master FROM store_meta").fetch_one(conn, |row| row.get("oldest_master")).await
}

/// Raises the lowest version of a master key that a key may be sealed under.
pub(super) async fn raise_oldest_master(conn: &mut impl Connection, version: i64) -> Result<(), StoreError> {
    let sql = "UPDATE store_meta SET oldest_master = $1 WHERE oldest_master < $1";
    Statement::new(sql).bind(version).execute(conn).await.map(drop)
}
