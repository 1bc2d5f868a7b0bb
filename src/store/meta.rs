//! What the store knows of itself: its identity and its epoch.

use aws_lc_rs::hmac;

use super::StoreError;
use super::sqlite::Connection;
use crate::clock::random;
use crate::key::StoreId;

/// Reads the store's id and the key of its fingerprints, which a new store is given here.
pub(super) async fn identity(conn: &mut Connection) -> Result<(StoreId, hmac::Key), StoreError> {
    let no_entropy = |failure: crate::clock::NoEntropy| StoreError::Unavailable(failure.to_string());
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
