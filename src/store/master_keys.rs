//! The rows of master keys: added and read, nothing else.

use super::sqlite::Connection;
use super::{MasterKey, StoreError};
use crate::clock::Timestamp;

/// Every master key, by version.
pub(super) async fn all(conn: &mut Connection) -> Result<Vec<MasterKey>, StoreError> {
    let rows: Vec<(i64, Vec<u8>, i64)> =
        sqlx::query_as("SELECT version, sealed, created_at FROM master_keys ORDER BY version").fetch_all(conn).await?;
    let master =
        |(version, sealed, created_at)| MasterKey { version, sealed, created_at: Timestamp::from_micros(created_at) };
    Ok(rows.into_iter().map(master).collect())
}

/// Adds a master key; its version must be free.
pub(super) async fn add(conn: &mut Connection, master: &MasterKey) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO master_keys (version, sealed, created_at) VALUES ($1, $2, $3)")
        .bind(master.version)
        .bind(&master.sealed)
        .bind(master.created_at.as_micros())
        .execute(conn)
        .await?;
    Ok(())
}
