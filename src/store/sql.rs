//! The store over SQL: connections, and one transaction for each method.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use sqlx::pool::PoolConnection;
use sqlx::{Pool, Transaction};

use super::records::Entry;
use super::sqlite::{self, Db};
use super::{
    Commit, Document, DocumentKind, IdempotencyClaim, MasterKey, NewReservation, Owner, Put, Reserve, Store,
    StoreError, Transition, documents, idempotency, key_pairs, master_keys, meta, migrations, trail,
};
use crate::audit::Event;
use crate::clock::Timestamp;
use crate::key::{CertificateDer, KeyId, KeyName, KeyPair, ProviderKind, RingId, RingKind, SealedKey, State, StoreId};

/// The store in a SQL database.
pub struct SqlStore {
    id: StoreId,
    fingerprint_key: hmac::Key,
    /// Changes of key pairs made through this handle.
    revision: AtomicU64,
    writer: Pool<Db>,
    readers: Pool<Db>,
}

impl SqlStore {
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
    /// Those of [`SqlStore::open`].
    pub async fn look(path: &Path) -> Result<Looked, StoreError> {
        let Some(pool) = sqlite::open_to_look(path).await? else { return Ok(Looked::Absent) };
        let mut conn = pool.acquire().await?;
        let (version, latest) = migrations::version(&mut conn).await?;
        if version < latest {
            return Ok(Looked::Outdated { version, latest });
        }
        let (id, fingerprint_key) = meta::known_identity(&mut conn).await?;
        drop(conn);
        let (revision, readers, writer) = (AtomicU64::new(0), pool.clone(), pool);
        Ok(Looked::Current(Arc::new(Self { id, fingerprint_key, revision, writer, readers })))
    }

    /// Closes every connection, once their work is done.
    pub async fn close(&self) {
        // The writer last: the last connection to leave tidies up, which a reader may not.
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Begins the transaction of a method that writes.
    pub(super) async fn change(&self, method: &'static str) -> Result<Change, StoreError> {
        let timer = Timer::start(method);
        Ok(Change { tx: self.writer.begin_with(sqlite::BEGIN).await?, _timer: timer })
    }

    /// Counts a change of key pairs, also one whose outcome is unknown.
    fn revised(&self, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        self.revision.fetch_add(1, Ordering::AcqRel);
        outcome
    }

    /// Begins a method that reads: one statement, and so one transaction.
    async fn view(&self, method: &'static str) -> Result<View, StoreError> {
        let timer = Timer::start(method);
        Ok(View { conn: self.readers.acquire().await?, _timer: timer })
    }
}

/// What a look at a store finds.
pub enum Looked {
    /// No file; the first start makes it.
    Absent,
    /// A schema that the next start brings up to date.
    Outdated { version: i64, latest: i64 },
    /// A store to read from.
    Current(Arc<SqlStore>),
}

#[async_trait]
impl Store for SqlStore {
    fn id(&self) -> StoreId {
        self.id
    }

    fn fingerprint(&self, body: &[u8]) -> [u8; 32] {
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(hmac::sign(&self.fingerprint_key, body).as_ref());
        fingerprint
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let mut change = self.change("ping").await?;
        meta::ping(&mut change.tx).await?;
        change.commit(&[]).await?;
        self.epoch().await.map(drop)
    }

    async fn epoch(&self) -> Result<i64, StoreError> {
        meta::epoch(&mut self.view("epoch").await?.conn).await
    }

    fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    async fn precedent(&self, claim: &IdempotencyClaim, now: Timestamp) -> Result<Option<Reserve>, StoreError> {
        idempotency::precedent(&mut self.view("precedent").await?.conn, claim, now).await
    }

    async fn reserve(&self, new: NewReservation, audit: &[Event]) -> Result<Reserve, StoreError> {
        let mut change = self.change("reserve").await?;
        if let Some(claim) = &new.idempotency {
            idempotency::forget_expired(&mut change.tx, new.now).await?;
            if let Some(precedent) = idempotency::precedent(&mut change.tx, claim, new.now).await? {
                return Ok(precedent);
            }
        }
        let generation = match &new.ring {
            Some(ring) => {
                let occupancy = key_pairs::occupancy(&mut change.tx, ring).await?;
                if occupancy.taken {
                    return Ok(Reserve::RingExists);
                }
                occupancy.latest + 1
            }
            // Stock has no place in a ring yet.
            None => 0,
        };
        let pair = key_pairs::insert(&mut change.tx, &new, generation).await?;
        if let Some(claim) = &new.idempotency {
            idempotency::remember(&mut change.tx, claim, new.id).await?;
        }
        change.commit(audit).await?;
        Ok(Reserve::New(Box::new(pair)))
    }

    async fn commit(&self, commit: Commit, audit: &[Event]) -> Result<KeyPair, StoreError> {
        let mut change = self.change("commit").await?;
        let pair = key_pairs::commit(&mut change.tx, &commit).await?;
        self.revised(change.commit(audit).await)?;
        Ok(pair)
    }

    async fn transition(&self, transition: Transition, audit: &[Event]) -> Result<KeyPair, StoreError> {
        let mut change = self.change("transition").await?;
        let pair = key_pairs::transition(&mut change.tx, transition).await?;
        self.revised(change.commit(audit).await)?;
        if pair.state == State::Destroyed && pair.provider == ProviderKind::Local {
            // What was erased from the file still stands in its log.
            sqlite::forget_log(&self.writer).await;
        }
        Ok(pair)
    }

    async fn pair(&self, id: KeyId) -> Result<Option<KeyPair>, StoreError> {
        key_pairs::find(&mut self.view("pair").await?.conn, id).await
    }

    async fn named(&self, name: &KeyName) -> Result<Option<KeyPair>, StoreError> {
        key_pairs::named(&mut self.view("named").await?.conn, name).await
    }

    async fn ring(&self, ring: &RingId) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::of_ring(&mut self.view("ring").await?.conn, ring).await
    }

    async fn active_of_kind(&self, kind: RingKind) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::active_of_kind(&mut self.view("active_of_kind").await?.conn, kind).await
    }

    async fn unfinished(&self, owner: &Owner, now: Timestamp) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::unfinished(&mut self.view("unfinished").await?.conn, owner, now).await
    }

    async fn page(&self, after: Option<KeyId>, since: Timestamp, limit: u32) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::page(&mut self.view("page").await?.conn, after, since, limit).await
    }

    async fn mark_missing(
        &self,
        id: KeyId,
        since: Option<(Timestamp, bool)>,
        audit: &[Event],
    ) -> Result<(), StoreError> {
        let mut change = self.change("mark_missing").await?;
        key_pairs::mark_missing(&mut change.tx, id, since).await?;
        self.revised(change.commit(audit).await)
    }

    async fn replace_certificates(
        &self,
        id: KeyId,
        version: i64,
        certificates: Vec<CertificateDer>,
        void: Option<Event>,
        audit: &[Event],
    ) -> Result<KeyPair, StoreError> {
        let mut change = self.change("replace_certificates").await?;
        let pair = key_pairs::replace_certificates(&mut change.tx, id, version, &certificates).await?;
        let mut audit = audit.to_vec();
        if let (Some(event), Some(ring)) = (void, &pair.ring)
            && documents::delete(&mut change.tx, DocumentKind::RotationSettings, &ring.to_string()).await?
        {
            audit.push(event);
        }
        self.revised(change.commit(&audit).await)?;
        Ok(pair)
    }

    async fn held_by(&self, provider: ProviderKind) -> Result<i64, StoreError> {
        key_pairs::held_by(&mut self.view("held_by").await?.conn, provider).await
    }

    async fn reseal(&self, id: KeyId, version: i64, sealed: SealedKey, audit: &[Event]) -> Result<KeyPair, StoreError> {
        let mut change = self.change("reseal").await?;
        let pair = key_pairs::reseal(&mut change.tx, id, version, &sealed).await?;
        self.revised(change.commit(audit).await)?;
        Ok(pair)
    }

    async fn master_keys(&self) -> Result<Vec<MasterKey>, StoreError> {
        master_keys::all(&mut self.view("master_keys").await?.conn).await
    }

    async fn add_master_key(&self, master: MasterKey, audit: &[Event]) -> Result<(), StoreError> {
        let mut change = self.change("add_master_key").await?;
        master_keys::add(&mut change.tx, &master).await?;
        change.commit(audit).await
    }

    async fn document(&self, kind: DocumentKind, id: &str) -> Result<Option<Document>, StoreError> {
        documents::find(&mut self.view("document").await?.conn, kind, id).await
    }

    async fn documents(&self, kind: DocumentKind) -> Result<Vec<Document>, StoreError> {
        documents::of_kind(&mut self.view("documents").await?.conn, kind).await
    }

    async fn put_document(
        &self,
        document: Document,
        references: &[RingId],
        new: bool,
        audit: &[Event],
    ) -> Result<Put, StoreError> {
        let mut change = self.change("put_document").await?;
        let put = documents::put(&mut change.tx, &document, references, new).await?;
        if put == Put::Done {
            change.commit(audit).await?;
        }
        Ok(put)
    }

    async fn delete_document(&self, kind: DocumentKind, id: &str, audit: &[Event]) -> Result<bool, StoreError> {
        let mut change = self.change("delete_document").await?;
        let found = documents::delete(&mut change.tx, kind, id).await?;
        if found {
            change.commit(audit).await?;
        }
        Ok(found)
    }

    async fn record(&self, audit: &[Event]) -> Result<(), StoreError> {
        self.change("record").await?.commit(audit).await
    }

    async fn audit(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>, StoreError> {
        let entries = trail::page(&mut self.view("audit").await?.conn, after, limit).await?;
        Ok(entries.into_iter().map(|Entry(number, event)| (number, event)).collect())
    }
}

/// A transaction that writes; one that is dropped was never there.
pub(super) struct Change {
    pub(super) tx: Transaction<'static, Db>,
    _timer: Timer,
}

impl Change {
    /// Commits the change together with its audit events.
    pub(super) async fn commit(mut self, audit: &[Event]) -> Result<(), StoreError> {
        trail::append(&mut self.tx, audit).await?;
        self.tx.commit().await.map_err(sqlite::commit_failure)
    }
}

struct View {
    conn: PoolConnection<Db>,
    _timer: Timer,
}

/// Measures a method from its call, its wait for a connection included, to its end.
struct Timer {
    method: &'static str,
    started: Instant,
}

impl Timer {
    fn start(method: &'static str) -> Self {
        Self { method, started: Instant::now() }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        metrics::histogram!("strongroom_store_transaction_duration_seconds", "method" => self.method)
            .record(self.started.elapsed());
    }
}
