//! The rows of master keys, added and read.

use super::seam::{Columns as _, Connection, Statement};
use super::{MasterKey, StoreError};
use strongroom_domain::clock::Timestamp;

/// Every master key, by version.
pub(super) async fn all(conn: &mut impl Connection) -> Result<Vec<MasterKey>, StoreError> {
    Statement::new("SELECT version, sealed, created_at FROM master_keys ORDER BY version")
        .fetch_all(conn, |row| {
            let created_at = Timestamp::from_micros(row.get("created_at")?);
            Ok(MasterKey { version: row.get("version")?, sealed: row.get("sealed")?, created_at })
        })
        .await
}

/// Adds a master key; its version must be free.
pub(super) async fn insert(conn: &mut impl Connection, master: &MasterKey) -> Result<(), StoreError> {
    Statement::new("INSERT INTO master_keys (version, sealed, created_at) VALUES ($1, $2, $3)")
        .bind(master.version)
        .bind(master.sealed.as_slice())
        .bind(master.created_at.as_micros())
        .execute(conn)
        .await
        .map(drop)
}
