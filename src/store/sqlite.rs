//! What only SQLite has: how its file is opened and what its failures mean.
//!
//! Everything else in this room is SQL that PostgreSQL understands too.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::error::DatabaseError;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteQueryResult, SqliteSynchronous};
use sqlx::{Connection as _, Pool, SqlSafeStr as _, Sqlite, SqliteConnection};

use super::pools::{Habits, Pools};
use super::seam::{Driver, FixedRoute};
use super::{StoreError, migrations};

const READERS: u32 = 4;
/// Rows that a connection reads before they are taken: with the driver's 50, a list of thousands
/// spends its time on handing over between threads.
const ROWS_AHEAD: usize = 1024;
/// How long to wait for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Between tries to open a file that another process is making.
const OPEN_PAUSE: Duration = Duration::from_millis(50);
/// How long to wait for a connection, and so for the writers before.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// `SQLITE_BUSY` and `SQLITE_LOCKED`: another holds the lock, nothing happened.
const LOCKED_CODES: [i32; 2] = [5, 6];

/// Opens the one connection that writes, making the file (mode 0600) if there is none.
pub(super) async fn open_writer(path: &Path) -> Result<Pool<Sqlite>, StoreError> {
    // SQLite gives its -wal and -shm files the mode of this one. A file that is there stays
    // unopened: closing it here would drop the locks that this process has on it.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(failure) if failure.kind() != ErrorKind::AlreadyExists => return Err(sqlx::Error::Io(failure).into()),
        _ => {}
    }
    let options = options(path).journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
    let pool = pool_options(1).before_acquire(|conn, _| {
        // SQLite ends a transaction by itself on some I/O errors; the driver then counts
        // it as open for ever, and only a new connection can begin another.
        Box::pin(async move { Ok(!conn.is_in_transaction()) })
    });
    let since = Instant::now();
    loop {
        match pool.clone().connect_with(options.clone()).await {
            // The busy timeout does not cover the change to WAL that a new file needs.
            Err(failure) if Sqlite::is_locked(&failure) && since.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(OPEN_PAUSE).await;
            }
            opened => return Ok(opened?),
        }
    }
}

/// Opens the connections that only read, from a file that a writer has opened.
pub(super) async fn open_readers(path: &Path) -> Result<Pool<Sqlite>, StoreError> {
    let options = options(path).read_only(true).row_buffer_size(ROWS_AHEAD);
    Ok(pool_options(READERS).connect_with(options).await?)
}

/// Opens one connection to a file that is there, for reading; `None` when there is no file.
///
/// It could write, because whoever leaves last must be able to tidy up after another that has
/// crashed; SQLite keeps it from changing anything.
pub(super) async fn open_read_only(path: &Path) -> Result<Option<Pool<Sqlite>>, StoreError> {
    if !path.try_exists().map_err(sqlx::Error::Io)? {
        return Ok(None);
    }
    let options = options(path).create_if_missing(false).pragma("query_only", "ON");
    Ok(Some(pool_options(1).connect_with(options).await?))
}

/// Opens one connection to a file that must be there.
pub(super) async fn open_existing(path: &Path) -> Result<SqliteConnection, StoreError> {
    Ok(SqliteConnection::connect_with(&options(path).create_if_missing(false)).await?)
}

/// The pools of a store, and how transactions are held on them.
pub(super) fn pools(writer: Pool<Sqlite>, readers: Pool<Sqlite>) -> Pools<Sqlite> {
    let habits = Habits {
        // It takes the write lock at once: a transaction that read first could no longer get it after another has
        // written.
        write: "BEGIN IMMEDIATE".into_sql_str(),
        view: None,
        snapshot: "BEGIN".into_sql_str(),
        prepared: true,
        patience: None,
        stale: 0,
    };
    Pools { writer, readers, habits: Arc::new(habits), route: FixedRoute }
}

impl Driver for Sqlite {
    const LOCK_RING: Option<&'static str> = None;

    const ADVANCE_EPOCH: &'static str = "UPDATE store_meta SET epoch = epoch + $1
         WHERE ($2 IS NULL OR fence = $2) AND ($3 IS NULL OR oldest_master <= $3)";

    type Route = FixedRoute;

    fn rows_affected(done: &SqliteQueryResult) -> u64 {
        done.rows_affected()
    }

    fn is_locked(failure: &sqlx::Error) -> bool {
        failure
            .as_database_error()
            .and_then(DatabaseError::code)
            .and_then(|code| code.parse::<i32>().ok())
            .is_some_and(|code| LOCKED_CODES.contains(&(code & 0xff)))
    }

    /// Never: before it lends a connection out, the pool looks whether a transaction was left open.
    fn is_lost(_failure: &sqlx::Error) -> bool {
        false
    }

    fn is_lost_at_begin(_failure: &sqlx::Error) -> bool {
        false
    }

    async fn migrate(conn: &mut SqliteConnection) -> Result<(), StoreError> {
        Migrator::with_migrations(migrations::of_sqlite()).run_direct(None, conn, false).await.map_err(|failure| {
            match failure {
                MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => cause.into(),
                MigrateError::VersionMissing(version) => migrations::too_new(version),
                other => StoreError::Inconsistent(other.to_string()),
            }
        })
    }

    async fn schema_version(conn: &mut SqliteConnection) -> sqlx::Result<i64> {
        let sql = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'";
        let tables: i64 = sqlx::query_scalar(sql).fetch_one(&mut *conn).await?;
        if tables == 0 {
            return Ok(0);
        }
        sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(conn).await
    }

    /// Moves the write-ahead log into the file and empties it. The log goes with the next
    /// occasion where readers do not let it go now.
    async fn purge_erased(writer: &Pool<Self>) {
        if let Err(failure) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await {
            tracing::warn!(error = %failure, "the store's log was not emptied");
        }
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        // What is erased is overwritten: a sealed key that was destroyed must not come back.
        .pragma("secure_delete", "ON")
}

fn pool_options(connections: u32) -> PoolOptions<Sqlite> {
    PoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
}
