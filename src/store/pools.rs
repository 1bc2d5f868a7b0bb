//! The pools of a database, and what one method of the store holds of them.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Pool, Postgres, SqlStr, Sqlite};

use super::StoreError;
use super::seam::{Database, Driver, Route};
use super::session::Session;
use super::timer::MethodTimer;

/// The pools of the database that a store is kept in.
///
/// A further database is a variant here, an arm of `on_database!`, and a [`Driver`].
pub(super) enum DatabasePools {
    Sqlite(Pools<Sqlite>),
    Postgres(Pools<Postgres>),
}

/// Evaluates a body over the pools of a store's database: the only match on [`DatabasePools`].
macro_rules! on_database {
    ($store:expr, |$pools:ident| $body:expr) => {
        match &$store.pools {
            $crate::store::pools::DatabasePools::Sqlite($pools) => $body,
            $crate::store::pools::DatabasePools::Postgres($pools) => $body,
        }
    };
}

/// Evaluates a body over a connection that reads: one statement, and so one transaction.
macro_rules! reading {
    ($store:expr, $method:literal, |$conn:ident| $body:expr) => {
        $crate::store::pools::on_database!($store, |pools| {
            let mut view = pools.view($method).await?;
            let $conn = view.conn();
            Box::pin($body).await
        })
    };
}

/// Evaluates a body over the connection of a transaction, and commits it with its audit events.
macro_rules! writing {
    ($store:expr, $method:literal, $audit:expr, |$conn:ident| $body:expr) => {
        $crate::store::pools::on_database!($store, |pools| {
            let mut transaction = pools.begin($method).await?;
            let $conn = transaction.conn();
            let outcome = Box::pin($body).await?;
            transaction.commit($audit).await?;
            Ok(outcome)
        })
    };
}

/// [`writing!`], counting the commit as a change that caches must see.
macro_rules! revising {
    ($store:expr, $method:literal, $audit:expr, |$conn:ident| $body:expr) => {
        $crate::store::pools::on_database!($store, |pools| {
            let mut transaction = pools.begin($method).await?;
            let $conn = transaction.conn();
            let outcome = Box::pin($body).await?;
            let _revision = $store.revise();
            transaction.commit($audit).await?;
            Ok(outcome)
        })
    };
}

pub(super) use {on_database, reading, revising, writing};

/// The connections to one database: some read, one or more write.
pub(super) struct Pools<D: Driver> {
    pub(super) writer: Pool<D>,
    pub(super) readers: Pool<D>,
    pub(super) habits: Arc<Habits>,
    pub(super) route: D::Route,
}

/// How transactions are held on a database.
pub(super) struct Habits {
    /// Begins a transaction that writes.
    pub(super) write: SqlStr,
    /// Begins a transaction that reads with one statement; absent where the statement is one by itself.
    pub(super) view: Option<SqlStr>,
    /// Begins a transaction that reads with several statements and sees one moment.
    pub(super) snapshot: SqlStr,
    /// Whether the database keeps statements for their next use.
    pub(super) prepared: bool,
    /// How long to wait for the reply to one statement; without a limit where no network lies between.
    pub(super) patience: Option<Duration>,
    /// Connections that may be found dead one after the other, before the database counts as unreachable.
    pub(super) stale: u32,
}

impl<D: Database> Pools<D> {
    /// Begins the transaction of a method that writes.
    pub(super) async fn begin(&self, method: &'static str) -> Result<Session<D>, StoreError> {
        Box::pin(self.session(&self.writer, Some(&self.habits.write), method)).await
    }

    /// Begins a method that reads with one statement.
    pub(super) async fn view(&self, method: &'static str) -> Result<Session<D>, StoreError> {
        Box::pin(self.session(&self.readers, self.habits.view.as_ref(), method)).await
    }

    /// Begins a method that reads with several statements.
    pub(super) async fn snapshot(&self, method: &'static str) -> Result<Session<D>, StoreError> {
        Box::pin(self.session(&self.readers, Some(&self.habits.snapshot), method)).await
    }

    async fn session(
        &self,
        pool: &Pool<D>,
        begin: Option<&SqlStr>,
        method: &'static str,
    ) -> Result<Session<D>, StoreError> {
        let timer = MethodTimer::start(method);
        let (mut left, mut led) = (self.habits.stale, false);
        loop {
            let failure = match pool.acquire().await {
                Ok(conn) => match Session::begin(conn, begin, Arc::clone(&self.habits)).await {
                    Ok(session) => return Ok(session.timed(timer)),
                    // It died while nobody used it, as others may have.
                    Err(failure) if D::is_lost_at_begin(&failure) && left > 0 => {
                        left -= 1;
                        continue;
                    }
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            if led || !D::is_lost_at_begin(&failure) || !self.route.lead_elsewhere(pool).await {
                return Err(failure.into());
            }
            led = true;
        }
    }

    /// Removes erased values from files other than the tables.
    pub(super) async fn purge_erased(&self) {
        D::purge_erased(&self.writer).await;
    }

    /// Closes every connection, once their work is done.
    pub(super) async fn close(&self) {
        // The writer last: the last connection to leave tidies up, which a reader may not.
        self.readers.close().await;
        self.writer.close().await;
    }
}
