//! The store over SQL: connections, and one transaction for each method.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::hmac;
use sqlx::pool::PoolConnection;
use sqlx::{Pool, Transaction};

use super::records::AuditRow;
use super::sqlite::{self, Db};
use super::timer::MethodTimer;
use super::{
    Agenda, DocumentKind, DueRing, IdempotencyClaim, KeyPairChange, LeaseOwner, MasterKey, NewReservation, Placement,
    PutOutcome, ReserveOutcome, Store, StoreError, StoredDocument, SweepLease, audit_trail, documents, idempotency,
    key_pairs, master_keys, meta, migrations, rings, stock,
};
use strongroom_domain::audit::Event;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{
    CertificateDer, KeyAlgorithm, KeyId, KeyName, KeyPair, KeyState, KeyUse, Kid, ProviderKind, RingId, RingKind,
    SealedKey, StoreId,
};

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

    /// Begins the transaction of a method that writes.
    pub(super) async fn begin(&self, method: &'static str) -> Result<WriteTransaction, StoreError> {
        let timer = MethodTimer::start(method);
        Ok(WriteTransaction { tx: self.writer.begin_with(sqlite::BEGIN).await?, _timer: timer })
    }

    /// Counts a change of key pairs, also one whose outcome is unknown.
    fn revised(&self, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        self.revision.fetch_add(1, Ordering::AcqRel);
        outcome
    }

    /// Begins a method that reads: one statement, and so one transaction.
    async fn view(&self, method: &'static str) -> Result<View, StoreError> {
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
        let mut writing = self.begin("ping").await?;
        meta::ping(&mut writing.tx).await?;
        writing.commit(&[]).await?;
        self.epoch().await.map(drop)
    }

    async fn epoch(&self) -> Result<i64, StoreError> {
        meta::epoch(&mut self.view("epoch").await?.conn).await
    }

    fn revision(&self) -> u64 {
        self.revision.load(Ordering::Acquire)
    }

    async fn prior_outcome(
        &self,
        claim: &IdempotencyClaim,
        now: Timestamp,
    ) -> Result<Option<ReserveOutcome>, StoreError> {
        idempotency::prior_outcome(&mut self.view("precedent").await?.conn, claim, now).await
    }

    async fn reserve(&self, new: NewReservation, audit: &[Event]) -> Result<ReserveOutcome, StoreError> {
        let mut writing = self.begin("reserve").await?;
        if let Some(claim) = &new.idempotency {
            idempotency::forget_expired(&mut writing.tx, new.now).await?;
            if let Some(precedent) = idempotency::prior_outcome(&mut writing.tx, claim, new.now).await? {
                return Ok(precedent);
            }
        }
        let generation = match &new.ring {
            Some(ring) => {
                let occupancy = key_pairs::occupancy(&mut writing.tx, ring).await?;
                match new.placement {
                    Placement::NewRing if occupancy.taken => return Ok(ReserveOutcome::RingExists),
                    Placement::Successor if occupancy.expected => return Ok(ReserveOutcome::SuccessorPending),
                    Placement::NewRing | Placement::Successor | Placement::Additional => {}
                }
                occupancy.latest + 1
            }
            // Stock has no place in a ring yet.
            None => 0,
        };
        let pair = match new.stock {
            Some(version) => stock::claim(&mut writing.tx, &new, version, generation).await?,
            None => key_pairs::insert(&mut writing.tx, &new, generation).await?,
        };
        if let Some(claim) = &new.idempotency {
            idempotency::remember(&mut writing.tx, claim, new.id).await?;
        }
        writing.commit(audit).await?;
        Ok(ReserveOutcome::Reserved(Box::new(pair)))
    }

    async fn change(&self, wanted: KeyPairChange, audit: &[Event]) -> Result<Vec<KeyPair>, StoreError> {
        let mut writing = self.begin("change").await?;
        if let Some(fence) = wanted.fence {
            meta::check_fence(&mut writing.tx, fence).await?;
        }
        let mut rows = Vec::with_capacity(wanted.moves.len() + wanted.commits.len());
        for transition in wanted.moves {
            rows.push(key_pairs::transition(&mut writing.tx, transition).await?);
        }
        for commit in &wanted.commits {
            rows.push(key_pairs::commit(&mut writing.tx, commit).await?);
        }
        // Their successors have joined by now.
        for ring in rows.iter().filter(|pair| pair.state == KeyState::Compromised).filter_map(|pair| pair.ring.as_ref()) {
            documents::delete_with_last_key(&mut writing.tx, ring).await?;
        }
        self.revised(writing.commit(audit).await)?;
        if rows.iter().any(|pair| pair.state == KeyState::Destroyed && pair.provider == ProviderKind::Local) {
            // What was erased from the file still stands in its log.
            sqlite::truncate_wal(&self.writer).await;
        }
        Ok(rows)
    }

    async fn pair(&self, id: KeyId) -> Result<Option<KeyPair>, StoreError> {
        key_pairs::find(&mut self.view("pair").await?.conn, id).await
    }

    async fn find_by_name(&self, name: &KeyName) -> Result<Option<KeyPair>, StoreError> {
        key_pairs::find_by_name(&mut self.view("named").await?.conn, name).await
    }

    async fn ring(&self, ring: &RingId) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::of_ring(&mut self.view("ring").await?.conn, ring).await
    }

    async fn ring_to_plan(&self, ring: &RingId) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::of_ring_to_plan(&mut self.view("ring_to_plan").await?.conn, ring).await
    }

    async fn find_even_deleted(&self, ring: &RingId, kid: &Kid) -> Result<Option<KeyPair>, StoreError> {
        key_pairs::find_even_deleted(&mut self.view("remembered").await?.conn, ring, kid).await
    }

    async fn rings(&self, after: Option<&RingId>, limit: u32) -> Result<Vec<RingId>, StoreError> {
        rings::page(&mut self.view("rings").await?.conn, after, limit).await
    }

    async fn due_rings(&self, now: Timestamp, limit: u32) -> Result<Vec<DueRing>, StoreError> {
        rings::due(&mut self.view("due_rings").await?.conn, now, limit).await
    }

    async fn set_ring_due(&self, ring: &DueRing, due: Option<Timestamp>) -> Result<bool, StoreError> {
        let mut writing = self.begin("plan_ring").await?;
        let noted = rings::set_due(&mut writing.tx, ring, due).await?;
        writing.commit(&[]).await?;
        Ok(noted)
    }

    async fn make_kind_due(&self, kind: RingKind) -> Result<(), StoreError> {
        let mut writing = self.begin("plan_anew").await?;
        rings::make_kind_due(&mut writing.tx, kind).await?;
        writing.commit(&[]).await
    }

    async fn agenda(&self, now: Timestamp) -> Result<Agenda, StoreError> {
        rings::agenda(&mut self.view("agenda").await?.conn, now).await
    }

    async fn lease_sweep(
        &self,
        owner: &LeaseOwner,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Option<SweepLease>, StoreError> {
        let mut writing = self.begin("lease_sweep").await?;
        let taken = meta::lease_sweep(&mut writing.tx, owner, now, lease).await?;
        writing.commit(&[]).await?;
        Ok(taken)
    }

    async fn end_sweep(&self, fence: i64, at: Option<Timestamp>, audit: &[Event]) -> Result<(), StoreError> {
        let mut writing = self.begin("end_sweep").await?;
        meta::end_sweep(&mut writing.tx, fence, at).await?;
        writing.commit(audit).await
    }

    async fn active_of_kind(&self, kind: RingKind) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::active_of_kind(&mut self.view("active_of_kind").await?.conn, kind).await
    }

    async fn unfinished(&self, owner: &LeaseOwner, now: Timestamp) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::unfinished(&mut self.view("unfinished").await?.conn, owner, now).await
    }

    async fn page(&self, after: Option<KeyId>, since: Timestamp, limit: u32) -> Result<Vec<KeyPair>, StoreError> {
        key_pairs::page(&mut self.view("page").await?.conn, after, since, limit).await
    }

    async fn next_stocked(
        &self,
        algorithm: KeyAlgorithm,
        key_use: KeyUse,
        since: Timestamp,
    ) -> Result<Option<KeyPair>, StoreError> {
        stock::next(&mut self.view("next_stocked").await?.conn, algorithm, key_use, since).await
    }

    async fn stock(&self) -> Result<Vec<KeyPair>, StoreError> {
        stock::all(&mut self.view("stock").await?.conn).await
    }

    async fn mark_missing(
        &self,
        id: KeyId,
        since: Option<(Timestamp, bool)>,
        audit: &[Event],
    ) -> Result<(), StoreError> {
        let mut writing = self.begin("mark_missing").await?;
        key_pairs::mark_missing(&mut writing.tx, id, since).await?;
        self.revised(writing.commit(audit).await)
    }

    async fn replace_certificates(
        &self,
        id: KeyId,
        version: i64,
        certificates: Vec<CertificateDer>,
        drop_rotation_settings: Option<Event>,
        audit: &[Event],
    ) -> Result<KeyPair, StoreError> {
        let mut writing = self.begin("replace_certificates").await?;
        let pair = key_pairs::replace_certificates(&mut writing.tx, id, version, &certificates).await?;
        let mut audit = audit.to_vec();
        if let (Some(event), Some(ring)) = (drop_rotation_settings, &pair.ring)
            && documents::delete(&mut writing.tx, DocumentKind::RotationSettings, &ring.to_string()).await?
        {
            audit.push(event);
        }
        self.revised(writing.commit(&audit).await)?;
        Ok(pair)
    }

    async fn count_held_by(&self, provider: ProviderKind) -> Result<i64, StoreError> {
        key_pairs::count_held_by(&mut self.view("held_by").await?.conn, provider).await
    }

    async fn reseal(&self, id: KeyId, version: i64, sealed: SealedKey, audit: &[Event]) -> Result<KeyPair, StoreError> {
        let mut writing = self.begin("reseal").await?;
        let pair = key_pairs::reseal(&mut writing.tx, id, version, &sealed).await?;
        self.revised(writing.commit(audit).await)?;
        Ok(pair)
    }

    async fn master_keys(&self) -> Result<Vec<MasterKey>, StoreError> {
        master_keys::all(&mut self.view("master_keys").await?.conn).await
    }

    async fn add_master_key(&self, master: MasterKey, audit: &[Event]) -> Result<(), StoreError> {
        let mut writing = self.begin("add_master_key").await?;
        master_keys::add(&mut writing.tx, &master).await?;
        writing.commit(audit).await
    }

    async fn oldest_master(&self) -> Result<i64, StoreError> {
        master_keys::oldest(&mut self.view("oldest_master").await?.conn).await
    }

    async fn retire_masters(&self, below: i64, audit: &[Event]) -> Result<bool, StoreError> {
        let mut writing = self.begin("retire_masters").await?;
        let retired = master_keys::retire_below(&mut writing.tx, below).await?;
        writing.commit(if retired { audit } else { &[] }).await?;
        Ok(retired)
    }

    async fn document(&self, kind: DocumentKind, id: &str) -> Result<Option<StoredDocument>, StoreError> {
        documents::find(&mut self.view("document").await?.conn, kind, id).await
    }

    async fn documents(&self, kind: DocumentKind) -> Result<Vec<StoredDocument>, StoreError> {
        documents::of_kind(&mut self.view("documents").await?.conn, kind).await
    }

    async fn referring_documents(&self, ring: &RingId) -> Result<Vec<(DocumentKind, String)>, StoreError> {
        documents::referring_to(&mut self.view("referring").await?.conn, ring).await
    }

    async fn put_document(
        &self,
        document: StoredDocument,
        references: &[RingId],
        new: bool,
        audit: &[Event],
    ) -> Result<PutOutcome, StoreError> {
        let mut writing = self.begin("put_document").await?;
        let put = documents::put(&mut writing.tx, &document, references, new).await?;
        if put == PutOutcome::Done {
            self.revised(writing.commit(audit).await)?;
        }
        Ok(put)
    }

    async fn delete_document(&self, kind: DocumentKind, id: &str, audit: &[Event]) -> Result<bool, StoreError> {
        let mut writing = self.begin("delete_document").await?;
        let found = documents::delete(&mut writing.tx, kind, id).await?;
        if found {
            self.revised(writing.commit(audit).await)?;
        }
        Ok(found)
    }

    async fn record(&self, audit: &[Event]) -> Result<(), StoreError> {
        self.begin("record").await?.commit(audit).await
    }

    async fn audit(&self, after: i64, limit: u32) -> Result<Vec<(i64, Event)>, StoreError> {
        let entries = audit_trail::page(&mut self.view("audit").await?.conn, after, limit).await?;
        Ok(entries.into_iter().map(|AuditRow(number, event)| (number, event)).collect())
    }
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

struct View {
    conn: PoolConnection<Db>,
    _timer: MethodTimer,
}
