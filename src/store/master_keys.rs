//! The rows of master keys, added and read; and which of them are retired.

use super::sqlite::Connection;
use super::{MasterKey, StoreError};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::SealedKey;

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

/// The lowest version of a master key that a key may be sealed under.
pub(super) async fn oldest(conn: &mut Connection) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("SELECT oldest_master FROM store_meta").fetch_one(conn).await?)
}

/// Retires the master keys below a version, unless a key is sealed under one of them.
pub(super) async fn retire_below(conn: &mut Connection, version: i64) -> Result<bool, StoreError> {
    // No more of a sealed key than says its master key.
    let sealed: Vec<Vec<u8>> =
        sqlx::query_scalar("SELECT substr(sealed, 1, 9) FROM key_pairs WHERE sealed IS NOT NULL")
            .fetch_all(&mut *conn)
            .await?;
    if sealed.into_iter().map(SealedKey::from_bytes).any(|sealed| is_older(&sealed, version)) {
        return Ok(false);
    }
    sqlx::query("UPDATE store_meta SET oldest_master = MAX(oldest_master, $1)").bind(version).execute(conn).await?;
    Ok(true)
}

/// Passes unless a key is sealed under a master key that is retired: by a daemon that has not heard yet.
pub(super) async fn check(conn: &mut Connection, sealed: &SealedKey) -> Result<(), StoreError> {
    if is_older(sealed, oldest(conn).await?) {
        return Err(StoreError::Unavailable("the key is sealed under a master key that is retired".to_owned()));
    }
    Ok(())
}

fn is_older(sealed: &SealedKey, version: i64) -> bool {
    sealed.parts().map_or(0, |(master, _)| master) < version
}
