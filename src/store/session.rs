//! What one method of the store holds: a connection, and a transaction on it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlStr;
use sqlx::pool::PoolConnection;
use sqlx_core::transaction::TransactionManager;

use super::pools::Habits;
use super::seam::{CommitCondition, Connection, Database, DriverConnection, Statement};
use super::timer::MethodTimer;
use super::{StoreError, audit_trail, meta};
use strongroom_domain::audit::Event;
use strongroom_domain::key::RingId;

/// A connection held by one method; its transaction is rolled back on drop.
pub(super) struct Session<D: Database> {
    pub(super) conn: PoolConnection<D>,
    habits: Arc<Habits>,
    /// A transaction is open.
    open: bool,
    /// A statement failed, after which the transaction must not commit.
    failed: bool,
    changes: i64,
    fence: Option<i64>,
    master_key: Option<i64>,
    timer: Option<MethodTimer>,
}

impl<D: Database> Session<D> {
    /// Begins a transaction on a connection by a statement, or holds the connection without one.
    pub(super) async fn begin(
        conn: PoolConnection<D>,
        statement: Option<&SqlStr>,
        habits: Arc<Habits>,
    ) -> sqlx::Result<Self> {
        let mut session =
            Self { conn, habits, open: false, failed: false, changes: 0, fence: None, master_key: None, timer: None };
        if let Some(statement) = statement {
            let begun = D::TransactionManager::begin(&mut session.conn, Some(statement.clone()));
            let outcome = within(session.habits.patience, Box::pin(begun)).await;
            session.open = outcome.is_ok();
            if outcome.as_ref().is_err_and(D::is_lost_at_begin) {
                session.conn.close_on_drop();
            }
            outcome?;
        }
        Ok(session)
    }

    /// The session, which ends the measurement of its method.
    pub(super) fn timed(self, timer: MethodTimer) -> Self {
        let mut session = self;
        session.timer = Some(timer);
        session
    }

    /// The connection that row functions take.
    pub(super) const fn conn(&mut self) -> &mut Self {
        self
    }

    /// Commits the change together with its audit events.
    ///
    /// The epoch comes last, so that other writers wait for nothing but the commit.
    pub(super) async fn commit(self, audit: &[Event]) -> Result<(), StoreError> {
        Box::pin(self.end(audit)).await
    }

    async fn end(mut self, audit: &[Event]) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Unavailable("a statement of the transaction has failed".to_owned()));
        }
        audit_trail::append(&mut self, audit).await?;
        self.advance_epoch().await?;
        let commit = D::TransactionManager::commit(&mut self.conn);
        let done = within(self.habits.patience, Box::pin(commit)).await;
        self.open = done.is_err();
        self.noted(done).map_err(commit_failure::<D>)
    }

    /// Advances the epoch by the changes counted, under the conditions required.
    async fn advance_epoch(&mut self) -> Result<(), StoreError> {
        if self.changes == 0 && self.fence.is_none() && self.master_key.is_none() {
            return Ok(());
        }
        let (changes, fence, master_key) = (self.changes, self.fence, self.master_key);
        let advance = Statement::new(D::ADVANCE_EPOCH).bind(changes).bind(fence).bind(master_key);
        if advance.execute(self).await? == 1 {
            return Ok(());
        }
        if let Some(fence) = fence {
            meta::check_fence(self, fence).await?;
        }
        Err(StoreError::Unavailable("the key is sealed under a master key that is retired".to_owned()))
    }

    /// Passes an outcome on; a lost connection is not given back to the pool.
    fn noted<T>(&mut self, outcome: sqlx::Result<T>) -> sqlx::Result<T> {
        if let Err(failure) = &outcome {
            self.failed = true;
            if D::is_lost(failure) {
                self.open = false;
                self.conn.close_on_drop();
            }
        }
        outcome
    }
}

impl<D: Database> Drop for Session<D> {
    fn drop(&mut self) {
        if self.open {
            D::TransactionManager::start_rollback(&mut self.conn);
        }
    }
}

impl<D: Database> Connection for Session<D> {
    type Row = <D::Connection as DriverConnection>::Row;

    async fn execute(&mut self, statement: Statement) -> sqlx::Result<u64> {
        let done = DriverConnection::execute(&mut *self.conn, statement, self.habits.prepared);
        let done = within(self.habits.patience, Box::pin(done)).await;
        self.noted(done)
    }

    async fn fetch<T: Send + Unpin>(
        &mut self,
        statement: Statement,
        read: impl FnMut(&Self::Row) -> sqlx::Result<T> + Send,
    ) -> sqlx::Result<Vec<T>> {
        let rows = DriverConnection::fetch(&mut *self.conn, statement, self.habits.prepared, read);
        let rows = within(self.habits.patience, Box::pin(rows)).await;
        self.noted(rows)
    }

    async fn lock_ring(&mut self, ring: &RingId) -> Result<(), StoreError> {
        if let Some(lock) = D::LOCK_RING {
            Statement::new(lock).bind(ring.to_string()).bind(ring.kind().name()).execute(self).await?;
        }
        Ok(())
    }

    fn count_change(&mut self) {
        self.changes += 1;
    }

    fn require(&mut self, condition: CommitCondition) {
        match condition {
            CommitCondition::Fence(fence) => self.fence = Some(fence),
            // The oldest of several is the first to be retired.
            CommitCondition::MasterKey(version) => {
                self.master_key = Some(self.master_key.map_or(version, |known| known.min(version)));
            }
        }
    }
}

/// Meaning of a `COMMIT` that failed.
pub(super) fn commit_failure<D: Database>(failure: sqlx::Error) -> StoreError {
    if D::is_locked(&failure) { failure.into() } else { StoreError::Unknown(failure.to_string()) }
}

/// The outcome of a call to the database, for which nobody waits longer than `patience`.
async fn within<T>(
    patience: Option<Duration>,
    call: Pin<Box<impl Future<Output = sqlx::Result<T>>>>,
) -> sqlx::Result<T> {
    let Some(patience) = patience else { return call.await };
    match tokio::time::timeout(patience, call).await {
        Ok(outcome) => outcome,
        Err(_) => {
            Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database does not answer")))
        }
    }
}
