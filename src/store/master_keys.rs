//! The rows of master keys: added and read, nothing else.

use super::sqlite::Connection;
use super::{MasterKey, StoreError};
use crate::clock::Timestamp;

/// The version of the first master key.
const FIRST: i64 = 1;

/// Every master key, by version.
pub(super) async fn all(conn: &mut Connection) -> Result<Vec<MasterKey>, StoreError> {
    let rows: Vec<(i64, Vec<u8>, i64)> =
        sqlx::query_as("SELECT version, sealed, created_at FROM master_keys ORDER BY version").fetch_all(conn).await?;
    let master =
        |(version, sealed, created_at)| MasterKey { version, sealed, created_at: Timestamp::from_micros(created_at) };
    Ok(rows.into_iter().map(master).collect())
}

/// Adds a master key; its version must be free, and the first precedes every sealed key.
pub(super) async fn add(conn: &mut Connection, master: &MasterKey) -> Result<(), StoreError> {
    if master.version == FIRST {
        let sealed: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM key_pairs WHERE sealed IS NOT NULL").fetch_one(&mut *conn).await?;
        let known: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM master_keys").fetch_one(&mut *conn).await?;
        if sealed > 0 && known == 0 {
            let lost = format!("{sealed} sealed keys, but no master key; restore the table master_keys from a backup");
            return Err(StoreError::Inconsistent(lost));
        }
    }
    sqlx::query("INSERT INTO master_keys (version, sealed, created_at) VALUES ($1, $2, $3)")
        .bind(master.version)
        .bind(&master.sealed)
        .bind(master.created_at.as_micros())
        .execute(conn)
        .await?;
    Ok(())
}
