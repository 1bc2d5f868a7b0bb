//! The store over SQL: connections, and one transaction for each method.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use sqlx::pool::PoolConnection;
use sqlx::{Pool, Transaction};

use super::sqlite::{self, Db};
use super::timer::MethodTimer;
use super::{StoreError, audit_trail, meta, migrations};
use strongroom_domain::audit::Event;
use strongroom_domain::key::StoreId;

/// The store in a SQL database.
pub struct Store {
    id: StoreId,
    fingerprint_key: hmac::Key,
    /// Changes of key pairs made through this handle.
    revision: AtomicU64,
    pub(super) writer: Pool<Db>,
    readers: Pool<Db>,
}

impl Store {
    /// Opens the store in the file at `path`, making it if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened or written,
    /// [`StoreError::Inconsistent`] when a newer program has written it.
    pub async fn open(path: &Path) -> Result<Arc<Self>, StoreError> {
        let writer = sqlite::open_writer(path).await?;
        let mut tx = writer.begin_with(sqlite::BEGIN).await?;
        migrations::run(&mut tx).await?;
        let (id, fingerprint_key) = meta::identity(&mut tx).await?;
        tx.commit().await.map_err(sqlite::commit_failure)?;
        let readers = sqlite::open_readers(path).await?;
        Ok(Arc::new(Self { id, fingerprint_key, revision: AtomicU64::new(0), writer, readers }))
    }

    /// Opens a store to look at it: nothing is made, brought up to date or written.
    ///
    /// # Errors
    /// Those of [`Store::open`].
    pub async fn open_read_only(path: &Path) -> Result<ReadOnlyOpen, StoreError> {
        let Some(pool) = sqlite::open_read_only(path).await? else { return Ok(ReadOnlyOpen::Absent) };
        let mut conn = pool.acquire().await?;
        let (version, latest) = migrations::version(&mut conn).await?;
        if version < latest {
            return Ok(ReadOnlyOpen::Outdated { version, latest });
        }
        let (id, fingerprint_key) = meta::known_identity(&mut conn).await?;
        drop(conn);
        let (revision, readers, writer) = (AtomicU64::new(0), pool.clone(), pool);
        Ok(ReadOnlyOpen::Current(Arc::new(Self { id, fingerprint_key, revision, writer, readers })))
    }

    /// Closes every connection, once their work is done.
    pub async fn close(&self) {
        // The writer last: the last connection to leave tidies up, which a reader may not.
        self.readers.close().await;
        self.writer.close().await;
    }

    /// The identity of this store, made at its birth.
    #[must_use]
    pub fn id(&self) -> StoreId {
        self.id
    }

    /// HMAC-SHA-256 of a request body under a key of this store.
    #[must_use]
    pub fn fingerprint(&self, body: &[u8]) -> [u8; 32] {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hmac::sign(&self.fingerprint_key, body).as_ref());
        fingerprint
    }

    /// Passes when the store can be read and written.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let mut writing = self.begin("ping").await?;
        meta::ping(&mut writing.tx).await?;
        writing.commit(&[]).await?;
        self.epoch().await.map(drop)
    }

    /// The store-wide count of commits, transitions, marks of missing keys, replaced
    /// certificates and seals, and changes of documents.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn epoch(&self) -> Result<i64, StoreError> {
        meta::epoch(&mut self.view("epoch").await?.conn).await
    }

    /// Grows with each change to key pairs and documents that was made through this handle, before the method that
    /// made it returns: what was read at another revision may be outdated.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Begins the transaction of a method that writes.
    pub(super) async fn begin(&self, method: &'static str) -> Result<WriteTransaction, StoreError> {
        let timer = MethodTimer::start(method);
        Ok(WriteTransaction { tx: self.writer.begin_with(sqlite::BEGIN).await?, _timer: timer })
    }

    /// Counts a change of key pairs, also one whose outcome is unknown.
    pub(super) fn revised(&self, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        self.revision.fetch_add(1, Ordering::AcqRel);
        outcome
    }

    /// Begins a method that reads: one statement, and so one transaction.
    pub(super) async fn view(&self, method: &'static str) -> Result<View, StoreError> {
        let timer = MethodTimer::start(method);
        Ok(View { conn: self.readers.acquire().await?, _timer: timer })
    }
}

/// Result of opening a store for reading only.
pub enum ReadOnlyOpen {
    /// No file; the first start makes it.
    Absent,
    /// A schema that the next start brings up to date.
    Outdated { version: i64, latest: i64 },
    /// A store to read from.
    Current(Arc<Store>),
}

/// A write transaction; it is rolled back on drop.
pub(super) struct WriteTransaction {
    pub(super) tx: Transaction<'static, Db>,
    _timer: MethodTimer,
}

impl WriteTransaction {
    /// Commits the change together with its audit events.
    pub(super) async fn commit(mut self, audit: &[Event]) -> Result<(), StoreError> {
        audit_trail::append(&mut self.tx, audit).await?;
        self.tx.commit().await.map_err(sqlite::commit_failure)
    }
}

pub(super) struct View {
    pub(super) conn: PoolConnection<Db>,
    _timer: MethodTimer,
}
