//! The store over SQL: connections, and one transaction for each method.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use sqlx::Sqlite;

use super::pools::{DatabasePools, Pools, commit_failure, on_database, reading, writing};
use super::seam::Driver as _;
use super::{StoreError, meta, migrations, sqlite};
use strongroom_domain::key::StoreId;

/// The store in a SQL database.
pub struct Store {
    id: StoreId,
    fingerprint_key: hmac::Key,
    /// Changes of key pairs and documents made through this handle.
    revision: AtomicU64,
    pub(super) pools: DatabasePools,
}

impl Store {
    /// Opens the store in the file at `path`, making it if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the file cannot be opened or written,
    /// [`StoreError::Inconsistent`] when a newer program has written it.
    pub async fn open(path: &Path) -> Result<Arc<Self>, StoreError> {
        let writer = sqlite::open_writer(path).await?;
        let mut tx = writer.begin_with(Sqlite::BEGIN).await?;
        migrations::run(&mut tx).await?;
        let identity = meta::identity(&mut *tx).await?;
        tx.commit().await.map_err(commit_failure::<Sqlite>)?;
        let readers = sqlite::open_readers(path).await?;
        Ok(Self::over(DatabasePools::Sqlite(Pools { writer, readers }), identity))
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
        let identity = meta::known_identity(&mut *conn).await?;
        drop(conn);
        let pools = Pools { readers: pool.clone(), writer: pool };
        Ok(ReadOnlyOpen::Current(Self::over(DatabasePools::Sqlite(pools), identity)))
    }

    fn over(pools: DatabasePools, (id, fingerprint_key): (StoreId, hmac::Key)) -> Arc<Self> {
        Arc::new(Self { id, fingerprint_key, revision: AtomicU64::new(0), pools })
    }

    /// Closes every connection, once their work is done.
    pub async fn close(&self) {
        on_database!(self, |pools| pools.close().await);
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
        let written: Result<(), StoreError> = writing!(self, "ping", &[], |conn| meta::ping(conn));
        written?;
        self.epoch().await.map(drop)
    }

    /// The store-wide count of commits, transitions, marks of missing keys, replaced
    /// certificates and seals, and changes of documents.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn epoch(&self) -> Result<i64, StoreError> {
        reading!(self, "epoch", |conn| meta::epoch(conn))
    }

    /// Grows with each change to key pairs and documents that was made through this handle, before the method that
    /// made it returns: what was read at another revision may be outdated.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    /// Counts a change of key pairs or documents that is about to be committed, once its method returns: also a
    /// change whose outcome is unknown, or whose method is dropped. A refusal before the commit counts nothing.
    pub(super) fn revise(&self) -> RevisionGuard<'_> {
        RevisionGuard(&self.revision)
    }
}

/// A commit under way; its drop counts it.
pub(super) struct RevisionGuard<'s>(&'s AtomicU64);

impl Drop for RevisionGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::AcqRel);
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
