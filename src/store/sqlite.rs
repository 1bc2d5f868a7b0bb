//! What only SQLite has: how its file is opened and what its failures mean.
//!
//! Everything else in this room is SQL that PostgreSQL understands too.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::error::{DatabaseError, ErrorKind as Violation};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{Connection as _, Pool, Sqlite, SqliteConnection};

use super::StoreError;

/// The database that this build speaks to.
pub(super) type Db = Sqlite;

/// One row of it.
pub(super) type DbRow = SqliteRow;

/// One connection to it.
pub(super) type Connection = SqliteConnection;

/// Begins a transaction that will write: it takes the write lock at once, because one
/// that read first could no longer get it once another had written.
pub(super) const BEGIN: &str = "BEGIN IMMEDIATE";

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
pub(super) async fn open_writer(path: &Path) -> Result<Pool<Db>, StoreError> {
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
            Err(failure) if is_locked(&failure) && since.elapsed() < BUSY_TIMEOUT => {
                tokio::time::sleep(OPEN_PAUSE).await;
            }
            opened => return Ok(opened?),
        }
    }
}

/// Opens the connections that only read, from a file that a writer has opened.
pub(super) async fn open_readers(path: &Path) -> Result<Pool<Db>, StoreError> {
    let options = options(path).read_only(true).row_buffer_size(ROWS_AHEAD);
    Ok(pool_options(READERS).connect_with(options).await?)
}

/// Opens one connection to a file that is there, for reading; `None` when there is no file.
///
/// It could write, because whoever leaves last must be able to tidy up after another that has
/// crashed; SQLite keeps it from changing anything.
pub(super) async fn open_read_only(path: &Path) -> Result<Option<Pool<Db>>, StoreError> {
    if !path.try_exists().map_err(sqlx::Error::Io)? {
        return Ok(None);
    }
    let options = options(path).create_if_missing(false).pragma("query_only", "ON");
    Ok(Some(pool_options(1).connect_with(options).await?))
}

/// Whether there is a table of a name.
pub(super) async fn has_table(conn: &mut Connection, name: &str) -> Result<bool, StoreError> {
    let sql = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = $1";
    let found: i64 = sqlx::query_scalar(sql).bind(name).fetch_one(conn).await?;
    Ok(found > 0)
}

/// Moves the write-ahead log into the file and empties it. The log goes with the next
/// occasion where readers do not let it go now.
pub(super) async fn truncate_wal(writer: &Pool<Db>) {
    if let Err(failure) = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(writer).await {
        tracing::warn!(error = %failure, "the store's log was not emptied");
    }
}

/// What a `COMMIT` that failed has done.
pub(super) fn commit_failure(failure: sqlx::Error) -> StoreError {
    if is_locked(&failure) { failure.into() } else { StoreError::Unknown(failure.to_string()) }
}

fn is_locked(failure: &sqlx::Error) -> bool {
    failure
        .as_database_error()
        .and_then(DatabaseError::code)
        .and_then(|code| code.parse::<i32>().ok())
        .is_some_and(|code| LOCKED_CODES.contains(&(code & 0xff)))
}

/// What a failure before `COMMIT` means: nothing was changed.
impl From<sqlx::Error> for StoreError {
    fn from(failure: sqlx::Error) -> Self {
        match &failure {
            sqlx::Error::Database(cause) => match cause.kind() {
                Violation::UniqueViolation => Self::Conflict,
                Violation::ForeignKeyViolation | Violation::NotNullViolation | Violation::CheckViolation => {
                    Self::Inconsistent(failure.to_string())
                }
                _ => Self::Unavailable(failure.to_string()),
            },
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::RowNotFound => {
                Self::Inconsistent(failure.to_string())
            }
            _ => Self::Unavailable(failure.to_string()),
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

fn pool_options(connections: u32) -> PoolOptions<Db> {
    PoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
}
