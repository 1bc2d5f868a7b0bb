//! Copies of a store's file: made while daemons use it, checked, and summed up.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sqlx::{AssertSqlSafe, Connection as _, Sqlite, SqliteConnection};

use super::seam::Driver as _;
use super::{StoreError, migrations, sqlite};
use strongroom_domain::key::StoreId;

/// What a store holds, in numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreSummary {
    pub id: StoreId,
    /// The version of the schema.
    pub schema: i64,
    /// The count of changes that caches must see.
    pub epoch: i64,
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// Versions of the master keys.
    pub master_keys: Vec<i64>,
}

/// Copies the store in the file at `from` into a new file at `to` (mode 0600), as one transaction sees it, while
/// others read and write; the copy is on the disk and checked when this returns.
///
/// # Errors
/// [`StoreError::Unavailable`] when one of the files cannot be used or `to` exists, [`StoreError::Inconsistent`]
/// when `from` is no store or is damaged. The file at `to` is then removed, unless it was there before.
pub async fn copy(from: &Path, to: &Path) -> Result<StoreSummary, StoreError> {
    // SQLite writes into an empty file, and keeps its mode.
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(sqlx::Error::Io)?;
    let copied = copy_into(from, to, &file).await;
    if copied.is_err() {
        let _ = std::fs::remove_file(to);
    }
    copied
}

async fn copy_into(from: &Path, to: &Path, file: &File) -> Result<StoreSummary, StoreError> {
    let mut source = sqlite::open_existing(from).await?;
    summary(&mut source).await?;
    let name = to.to_str().ok_or_else(|| StoreError::Unavailable("the path of the copy is not UTF-8".to_owned()))?;
    sqlx::query("VACUUM INTO $1").bind(name).execute(&mut source).await?;
    source.close().await?;
    file.sync_all().map_err(sqlx::Error::Io)?;
    inspect(to).await
}

/// Checks the store in a file and sums it up; changes nothing.
///
/// # Errors
/// [`StoreError::Inconsistent`] when the file is no store, is damaged, or comes from a newer program.
pub async fn inspect(path: &Path) -> Result<StoreSummary, StoreError> {
    let mut conn = sqlite::open_existing(path).await?;
    sqlx::query("PRAGMA query_only = ON").execute(&mut conn).await?;
    let broken: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut conn).await?;
    if let Some(first) = broken.iter().find(|line| *line != "ok") {
        return Err(StoreError::Inconsistent(format!("the file is damaged: {first}")));
    }
    let summary = summary(&mut conn).await?;
    conn.close().await?;
    Ok(summary)
}

/// Moves the write-ahead log of a store that nobody uses into its file.
///
/// # Errors
/// When the file is no store, or cannot be read or written.
pub async fn settle(path: &Path) -> Result<(), StoreError> {
    let mut conn = sqlite::open_existing(path).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut conn).await?;
    Ok(conn.close().await?)
}

async fn summary(conn: &mut SqliteConnection) -> Result<StoreSummary, StoreError> {
    let schema = Sqlite::schema_version(&mut *conn).await?;
    migrations::known(schema)?;
    if schema == 0 {
        return Err(StoreError::Inconsistent("the file is no store".to_owned()));
    }
    let (id, epoch): (String, i64) =
        sqlx::query_as("SELECT store_id, epoch FROM store_meta").fetch_one(&mut *conn).await?;
    let id = id.parse().map_err(|wrong| StoreError::Inconsistent(format!("its own id is {wrong}")))?;
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_%' ESCAPE '\\'
                  AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    let tables: Vec<String> = sqlx::query_scalar(tables).fetch_all(&mut *conn).await?;
    let mut rows = BTreeMap::new();
    for table in tables {
        let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM \"{table}\""));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut *conn).await?;
        rows.insert(table, count.unsigned_abs());
    }
    let master_keys = "SELECT version FROM master_keys ORDER BY version";
    let master_keys = sqlx::query_scalar(master_keys).fetch_all(&mut *conn).await?;
    Ok(StoreSummary { id, schema, epoch, rows, master_keys })
}
