//! The store over SQL: connections, and one transaction for each method.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::pools::{DatabasePools, Pools, on_database, reading, writing};
use super::seam::{Database, Route as _};
use super::session::Session;
use super::{StoreError, meta, migrations, postgres, sqlite};
use crate::config::StoreConfig;
use aws_lc_rs::hmac;
use strongroom_domain::key::StoreId;
use tokio::sync::Notify;

/// The store in a SQL database.
pub struct Store {
    id: StoreId,
    fingerprint_key: hmac::Key,
    /// Changes of key pairs and documents made through this handle.
    revision: AtomicU64,
    pub(super) pools: DatabasePools,
}

impl Store {
    /// Opens the store of a configuration, making it if there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database cannot be opened or written,
    /// [`StoreError::Inconsistent`] when a newer program has written it or it is not the store of the configuration.
    pub async fn open_configured(config: &StoreConfig) -> Result<Arc<Self>, StoreError> {
        match config {
            StoreConfig::Sqlite(path) => Self::open(path).await,
            StoreConfig::Postgres(config) => {
                let pools = postgres::open(config).await?;
                let identity = born(&pools, config.id).await?;
                Ok(Self::over(DatabasePools::Postgres(pools), identity))
            }
        }
    }

    /// Opens the store in the SQLite file at `path`, making it if there is none.
    ///
    /// # Errors
    /// Those of [`Store::open_configured`].
    pub async fn open(path: &Path) -> Result<Arc<Self>, StoreError> {
        let writer = sqlite::open_writer(path).await?;
        // Readers open a file that is there only.
        let identity = born(&sqlite::pools(writer.clone(), writer.clone()), None).await?;
        let readers = sqlite::open_readers(path).await?;
        Ok(Self::over(DatabasePools::Sqlite(sqlite::pools(writer, readers)), identity))
    }

    /// Opens a store to look at it: nothing is made, brought up to date or written.
    ///
    /// # Errors
    /// Those of [`Store::open_configured`].
    pub async fn open_read_only(config: &StoreConfig) -> Result<ReadOnlyOpen, StoreError> {
        match config {
            StoreConfig::Sqlite(path) => {
                let Some(pool) = sqlite::open_read_only(path).await? else { return Ok(ReadOnlyOpen::Absent) };
                look(sqlite::pools(pool.clone(), pool), false, None, DatabasePools::Sqlite).await
            }
            StoreConfig::Postgres(config) => {
                let pools = postgres::open_read_only(config).await?;
                look(pools, true, config.id, DatabasePools::Postgres).await
            }
        }
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

    /// Notifies of changes of the epoch that the database tells of, for as long as it is polled: a hint, which may be
    /// lost.
    pub(super) async fn hear_changes(&self, changed: &Notify) {
        let channel = format!("strongroom_{}", self.id);
        on_database!(self, |pools| pools.route.hear(&channel, changed).await);
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

/// Brings a store up to date, and gives a new one its identity; with `expected`, an existing store that has it.
async fn born<D: Database>(pools: &Pools<D>, expected: Option<StoreId>) -> Result<(StoreId, hmac::Key), StoreError> {
    let mut session = pools.begin("open").await?;
    if let Some(expected) = expected {
        let version = D::schema_version(&mut session.conn).await?;
        expect(&mut session, version, expected).await?;
    }
    D::migrate(&mut session.conn).await?;
    let identity = meta::identity(&mut session).await?;
    session.commit(&[]).await?;
    Ok(identity)
}

/// Passes when the store that is there, with a schema of some version, is the one expected.
async fn expect<D: Database>(session: &mut Session<D>, version: i64, expected: StoreId) -> Result<(), StoreError> {
    let found = if version == 0 {
        "there is no store yet".to_owned()
    } else {
        match meta::known_identity(session).await?.0 {
            id if id == expected => return Ok(()),
            id => format!("this is the store {id}"),
        }
    };
    Err(StoreError::Inconsistent(format!("{found}; the configuration names the store {expected}")))
}

/// Looks at a store whose pools are open for reading only, and that must be of the id expected, if one is; with
/// `shared`, the database may be there before its tables.
async fn look<D: Database>(
    pools: Pools<D>,
    shared: bool,
    expected: Option<StoreId>,
    database: impl FnOnce(Pools<D>) -> DatabasePools,
) -> Result<ReadOnlyOpen, StoreError> {
    let mut session = pools.snapshot("open").await?;
    let version = D::schema_version(&mut session.conn).await?;
    let latest = migrations::known(version)?;
    if let Some(expected) = expected {
        expect(&mut session, version, expected).await?;
    }
    if version == 0 && shared {
        return Ok(ReadOnlyOpen::Absent);
    }
    if version < latest {
        return Ok(ReadOnlyOpen::Outdated { version, latest });
    }
    let identity = meta::known_identity(&mut session).await?;
    drop(session);
    Ok(ReadOnlyOpen::Current(Store::over(database(pools), identity)))
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
    /// No file, or a database without tables; the first start makes it.
    Absent,
    /// A schema that the next start brings up to date.
    Outdated { version: i64, latest: i64 },
    /// A store to read from.
    Current(Arc<Store>),
}
