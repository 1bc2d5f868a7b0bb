//! What only PostgreSQL has: how it is reached and what its failures mean.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::error::DatabaseError;
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgListener, PgQueryResult, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Pool, Postgres, SqlSafeStr as _};
use tokio::sync::{Mutex, Notify};

use super::pools::{Habits, Pools};
use super::seam::{Driver, Route};
use super::{StoreError, migrations};
use crate::config::{DatabaseHost, PasswordSource, Pooler, PostgresConfig, PostgresTls};

/// The oldest version of PostgreSQL that this program knows, as `server_version_num`.
const OLDEST: i32 = 140_000;
/// What holds the schema's changes of several daemons apart, until the end of a transaction.
const LOCK_SCHEMA: &str = "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '60s';
     SELECT pg_advisory_xact_lock(7166185129451254)";
/// A commit is on the disk before it is answered, whatever the role's or the database's settings say.
const DURABLE: &str = "; SET LOCAL synchronous_commit = on";
/// How long the outcome of a search for the primary holds for all who ask.
const SEARCH_HOLDS: Duration = Duration::from_secs(1);
/// Between two tries to listen for notifications.
const LISTEN_AGAIN: Duration = Duration::from_secs(2);
/// Serialization failure, deadlock, lock not available: another holds the lock, nothing happened.
const LOCKED_CODES: [&str; 3] = ["40001", "40P01", "55P03"];
/// Read-only transaction, and the classes of connections that failed and servers that stop.
const LOST_CODES: [&str; 3] = ["25006", "08", "57P"];

/// Finds the database and opens the pools of its connections.
pub(super) async fn open(config: &PostgresConfig) -> Result<Pools<Postgres>, StoreError> {
    pools(config, begin(config, "READ COMMITTED READ WRITE") + DURABLE).await
}

/// The same, for connections that write nothing.
pub(super) async fn open_read_only(config: &PostgresConfig) -> Result<Pools<Postgres>, StoreError> {
    pools(config, begin(config, "READ COMMITTED READ ONLY")).await
}

async fn pools(config: &PostgresConfig, write: String) -> Result<Pools<Postgres>, StoreError> {
    let hosts = Hosts { config: Box::new(config.clone()), found: Mutex::new(None) };
    let options = hosts.primary(&config.hosts).await?;
    let pool = |connections| {
        PoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(config.connect_timeout)
            // Each transaction begins with a look at its connection.
            .test_before_acquire(false)
            .connect_lazy_with(options.clone())
    };
    // Apart, so that writers that wait for each other's locks keep no reader waiting.
    let writers = (config.connections / 2).max(1);
    let habits = Habits {
        write: AssertSqlSafe(write).into_sql_str(),
        // Read-write, which a replica refuses.
        view: Some(AssertSqlSafe(begin(config, "READ COMMITTED READ WRITE")).into_sql_str()),
        snapshot: AssertSqlSafe(begin(config, "REPEATABLE READ READ WRITE")).into_sql_str(),
        prepared: config.pooler == Pooler::None,
        patience: Some(config.statement_timeout + config.connect_timeout),
        patience_at_begin: Some(config.connect_timeout),
        stale: config.connections,
    };
    let (writer, readers) = (pool(writers), pool(config.connections.saturating_sub(writers).max(1)));
    Ok(Pools { writer, readers, habits: Arc::new(habits), route: hosts })
}

/// Begins a transaction with the limits of a configuration, in one message.
///
/// Nothing outlives the transaction, so that a pooler may lend the connection to others between two.
fn begin(config: &PostgresConfig, mode: &str) -> String {
    let [statement, lock] = [config.statement_timeout, config.lock_timeout].map(|limit| limit.as_millis());
    let schema = config.schema.as_deref().map(|name| format!("; SET LOCAL search_path TO {name}")).unwrap_or_default();
    format!(
        "BEGIN ISOLATION LEVEL {mode}; SET LOCAL statement_timeout = {statement}; SET LOCAL lock_timeout = {lock}; \
         SET LOCAL idle_in_transaction_session_timeout = {statement}{schema}"
    )
}

/// The hosts of a database, one of which is its primary.
pub(super) struct Hosts {
    config: Box<PostgresConfig>,
    /// When the primary was last looked for, and the way to it.
    found: Mutex<Option<(Instant, Option<Box<PgConnectOptions>>)>>,
}

impl Hosts {
    /// The way to the first of some hosts that is no replica.
    async fn primary(&self, hosts: &[DatabaseHost]) -> Result<PgConnectOptions, StoreError> {
        let mut failures = Vec::new();
        let password = password(self.config.password.as_ref())?;
        for host in hosts {
            let options = options(&self.config, host, password.as_deref());
            match tokio::time::timeout(self.config.connect_timeout, self.greet(&options)).await {
                Ok(Ok(())) => return Ok(options),
                Ok(Err(failure)) => failures.push(format!("{host}: {failure}")),
                Err(_) => failures.push(format!("{host}: it does not answer")),
            }
        }
        let database = &self.config.database;
        Err(StoreError::Unavailable(format!("PostgreSQL, database {database}, at {}", failures.join("; "))))
    }

    /// Listens on the primary until the connection ends.
    async fn listen(&self, channel: &str, changed: &Notify) -> Result<(), StoreError> {
        let pool = PoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.connect_lazy_with(self.primary(&self.config.listen).await?);
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(channel).await?;
        while listener.try_recv().await?.is_some() {
            changed.notify_one();
        }
        Ok(())
    }

    /// Connects once; passes when the server is the primary, and one that this program knows.
    async fn greet(&self, options: &PgConnectOptions) -> Result<(), String> {
        let mut conn = options.connect().await.map_err(|failure| failure.to_string())?;
        let begin = AssertSqlSafe(begin(&self.config, "READ COMMITTED READ WRITE"));
        let mut transaction = conn.begin_with(begin).await.map_err(|failure| beginning(&failure))?;
        let facts = sqlx::query_as::<_, (i32, String)>(
            "SELECT current_setting('server_version_num')::int4, current_setting('server_encoding')",
        );
        let facts = facts.persistent(false).fetch_one(&mut *transaction).await;
        let (version, encoding) = facts.map_err(|failure| failure.to_string())?;
        if version < OLDEST {
            return Err(format!("its version is {}; 14 is the oldest that this program knows", version / 10_000));
        }
        if encoding != "UTF8" {
            return Err(format!("the database has the encoding {encoding}; make it with UTF8"));
        }
        transaction.rollback().await.map_err(|failure| failure.to_string())?;
        conn.close().await.map_err(|failure| failure.to_string())
    }
}

impl Route<Postgres> for Hosts {
    async fn lead_elsewhere(&self, pool: &Pool<Postgres>) -> bool {
        if pool.size() >= pool.options().get_max_connections() {
            // It is not away: every connection is in use.
            return false;
        }
        let mut found = self.found.lock().await;
        if found.as_ref().is_none_or(|(at, _)| at.elapsed() >= SEARCH_HOLDS) {
            let primary = self.primary(&self.config.hosts).await;
            if let Err(failure) = &primary {
                tracing::warn!(error = %failure, "the database cannot be reached");
            }
            *found = Some((Instant::now(), primary.ok().map(Box::new)));
        }
        let Some((_, Some(options))) = found.as_ref() else { return false };
        pool.set_connect_options(PgConnectOptions::clone(options));
        true
    }

    async fn hear(&self, channel: &str, changed: &Notify) {
        if self.config.listen.is_empty() {
            tracing::info!("no store.listen-url: changes by other daemons are seen by polling alone");
            return std::future::pending().await;
        }
        loop {
            if let Err(failure) = self.listen(channel, changed).await {
                tracing::warn!(error = %failure, "no notifications from the database, which is polled all the same");
            }
            // What was told meanwhile is lost.
            changed.notify_one();
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }
}

/// Words for a transaction that could not begin on a new connection.
fn beginning(failure: &sqlx::Error) -> String {
    let text = failure.to_string();
    if text.contains("statement pooling") {
        return format!("{text}; a pooler must lend connections for a transaction at least (pool_mode = transaction)");
    }
    if text.contains("during recovery") {
        return "it is a replica".to_owned();
    }
    text
}

fn options(config: &PostgresConfig, host: &DatabaseHost, password: Option<&str>) -> PgConnectOptions {
    let options = PgConnectOptions::new_without_pgpass()
        .username(&config.user)
        .database(&config.database)
        .application_name("strongroom")
        // A start parameter that poolers refuse.
        .extra_float_digits(None);
    let options = match host {
        DatabaseHost::Socket(directory, port) => options.socket(directory).port(*port).ssl_mode(PgSslMode::Disable),
        DatabaseHost::Tcp(host, port) => options.host(host).port(*port).ssl_mode(match config.tls {
            PostgresTls::VerifyFull => PgSslMode::VerifyFull,
            PostgresTls::VerifyCa => PgSslMode::VerifyCa,
            PostgresTls::Disable => PgSslMode::Disable,
        }),
    };
    let options = match &config.ca_file {
        Some(file) => options.ssl_root_cert(file),
        None => options,
    };
    let options = match &config.client_certificate {
        Some((certificate, key)) => options.ssl_client_cert(certificate).ssl_client_key(key),
        None => options,
    };
    options.password(password.unwrap_or_default())
}

/// The password, read anew each time: it may have changed.
fn password(source: Option<&PasswordSource>) -> Result<Option<String>, StoreError> {
    let file = match source {
        None => return Ok(None),
        Some(PasswordSource::File(file)) => file.clone(),
        Some(PasswordSource::Credential(name)) => {
            let directory = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                StoreError::Unavailable("CREDENTIALS_DIRECTORY is not set, so there is no credential".to_owned())
            })?;
            Path::new(&directory).join(name)
        }
    };
    let text = std::fs::read_to_string(&file);
    let text = text.map_err(|failure| StoreError::Unavailable(format!("{}: {failure}", file.display())))?;
    Ok(Some(text.strip_suffix('\n').unwrap_or(&text).to_owned()))
}

impl Driver for Postgres {
    // Several daemons write at once: the row of a ring is the lock of all its key pairs and documents.
    const LOCK_RING: Option<&'static str> = Some(
        "INSERT INTO rings (ring, ring_kind, due_at, version) VALUES ($1, $2, NULL, 0)
         ON CONFLICT (ring) DO UPDATE SET version = rings.version",
    );

    const ADVANCE_EPOCH: &'static str = "WITH advanced AS (
             UPDATE store_meta SET epoch = epoch + $1
             WHERE ($2 IS NULL OR fence = $2) AND ($3 IS NULL OR oldest_master <= $3)
             RETURNING store_id, epoch
         ) SELECT pg_notify('strongroom_' || store_id, epoch::text) FROM advanced";

    type Route = Hosts;

    fn rows_affected(done: &PgQueryResult) -> u64 {
        done.rows_affected()
    }

    fn is_locked(failure: &sqlx::Error) -> bool {
        has_code(failure, |code| LOCKED_CODES.contains(&code))
    }

    fn is_lost(failure: &sqlx::Error) -> bool {
        match failure {
            sqlx::Error::Database(_) => has_code(failure, |code| LOST_CODES.iter().any(|lost| code.starts_with(lost))),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed => true,
            _ => false,
        }
    }

    /// Always, but for a pool that is closed: a transaction that begins depends on nothing but its connection.
    fn is_lost_at_begin(failure: &sqlx::Error) -> bool {
        !matches!(failure, sqlx::Error::PoolClosed)
    }

    async fn migrate(conn: &mut PgConnection) -> Result<(), StoreError> {
        let version = Self::schema_version(conn).await?;
        if migrations::known(version)? == version {
            return Ok(());
        }
        sqlx::raw_sql(LOCK_SCHEMA).execute(&mut *conn).await?;
        let version = Self::schema_version(conn).await?;
        for step in migrations::of_postgres().into_iter().filter(|step| step.version > version) {
            sqlx::raw_sql(step.sql).execute(&mut *conn).await?;
            let sql = "INSERT INTO strongroom_migrations (version, description) VALUES ($1, $2)";
            let applied = sqlx::query(sql).bind(step.version).bind(step.description.into_owned());
            applied.persistent(false).execute(&mut *conn).await?;
        }
        Ok(())
    }

    async fn schema_version(conn: &mut PgConnection) -> sqlx::Result<i64> {
        // Not `to_regclass`, whose cache may not have heard of a table that another transaction has just made.
        let tables = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class
             WHERE relname = 'strongroom_migrations' AND pg_catalog.pg_table_is_visible(oid))",
        );
        let tables = tables.persistent(false);
        if !tables.fetch_one(&mut *conn).await? {
            return Ok(0);
        }
        let version = sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM strongroom_migrations");
        version.persistent(false).fetch_one(conn).await
    }

    /// Nothing: what PostgreSQL erases goes with its own vacuum and its own log.
    async fn purge_erased(_writer: &Pool<Self>) {}
}

fn has_code(failure: &sqlx::Error, expected: impl FnOnce(&str) -> bool) -> bool {
    failure.as_database_error().and_then(DatabaseError::code).is_some_and(|code| expected(&code))
}
