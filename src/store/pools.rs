//! The pools of a database, and the transactions begun on them.

use sqlx::pool::PoolConnection;
use sqlx::{Pool, Sqlite, Transaction};

use super::seam::Database;
use super::timer::MethodTimer;
use super::{StoreError, audit_trail};
use strongroom_domain::audit::Event;

/// The pools of the database that a store is kept in.
///
/// A second database is a variant here, an arm of `on_database!`, and a [`Driver`](super::seam::Driver).
pub(super) enum DatabasePools {
    Sqlite(Pools<Sqlite>),
}

/// Evaluates a body over the pools of a store's database: the only match on [`DatabasePools`].
macro_rules! on_database {
    ($store:expr, |$pools:ident| $body:expr) => {
        match &$store.pools {
            $crate::store::pools::DatabasePools::Sqlite($pools) => $body,
        }
    };
}

/// Evaluates a body over a connection that reads: one statement, and so one transaction.
macro_rules! reading {
    ($store:expr, $method:literal, |$conn:ident| $body:expr) => {
        $crate::store::pools::on_database!($store, |pools| {
            let mut view = pools.view($method).await?;
            let $conn = &mut *view.conn;
            $body.await
        })
    };
}

/// Evaluates a body over the connection of a transaction, and commits it with its audit events.
macro_rules! writing {
    ($store:expr, $method:literal, $audit:expr, |$conn:ident| $body:expr) => {
        $crate::store::pools::on_database!($store, |pools| {
            let mut transaction = pools.begin($method).await?;
            let $conn = transaction.conn();
            let outcome = $body.await?;
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
            let outcome = $body.await?;
            let _revision = $store.revise();
            transaction.commit($audit).await?;
            Ok(outcome)
        })
    };
}

pub(super) use {on_database, reading, revising, writing};

/// The connections to one database: some read, one or more write.
pub(super) struct Pools<D: Database> {
    pub(super) writer: Pool<D>,
    pub(super) readers: Pool<D>,
}

impl<D: Database> Pools<D> {
    /// Begins the transaction of a method that writes.
    pub(super) async fn begin(&self, method: &'static str) -> Result<OpenTransaction<D>, StoreError> {
        let timer = MethodTimer::start(method);
        Ok(OpenTransaction { tx: self.writer.begin_with(D::BEGIN).await?, _timer: timer })
    }

    /// Begins a method that reads with one statement.
    pub(super) async fn view(&self, method: &'static str) -> Result<View<D>, StoreError> {
        let timer = MethodTimer::start(method);
        Ok(View { conn: self.readers.acquire().await?, _timer: timer })
    }

    /// Begins a method that reads with several statements.
    pub(super) async fn snapshot(&self, method: &'static str) -> Result<OpenTransaction<D>, StoreError> {
        let timer = MethodTimer::start(method);
        Ok(OpenTransaction { tx: self.readers.begin().await?, _timer: timer })
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

/// A transaction; it is rolled back on drop.
pub(super) struct OpenTransaction<D: Database> {
    pub(super) tx: Transaction<'static, D>,
    _timer: MethodTimer,
}

impl<D: Database> OpenTransaction<D> {
    /// The connection of the transaction.
    pub(super) fn conn(&mut self) -> &mut D::Connection {
        &mut self.tx
    }

    /// Commits the change together with its audit events.
    pub(super) async fn commit(mut self, audit: &[Event]) -> Result<(), StoreError> {
        audit_trail::append(self.conn(), audit).await?;
        self.tx.commit().await.map_err(commit_failure::<D>)
    }
}

/// Meaning of a `COMMIT` that failed.
pub(super) fn commit_failure<D: Database>(failure: sqlx::Error) -> StoreError {
    if D::is_locked(&failure) { failure.into() } else { StoreError::Unknown(failure.to_string()) }
}

/// A connection that reads.
pub(super) struct View<D: Database> {
    pub(super) conn: PoolConnection<D>,
    _timer: MethodTimer,
}
