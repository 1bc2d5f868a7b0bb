//! Transactions of documents.

use std::collections::BTreeSet;

use crate::store::pools::{on_database, reading};
use crate::store::seam::Connection;
use crate::store::{DocumentKind, PutOutcome, Store, StoreError, StoredDocument, documents, key_pairs, rings};
use strongroom_domain::audit::Event;
use strongroom_domain::key::RingId;

impl Store {
    /// One document.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn document(&self, kind: DocumentKind, id: &str) -> Result<Option<StoredDocument>, StoreError> {
        reading!(self, "document", |conn| documents::find(conn, kind, id))
    }

    /// Every document of a kind, by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn documents(&self, kind: DocumentKind) -> Result<Vec<StoredDocument>, StoreError> {
        reading!(self, "documents", |conn| documents::of_kind(conn, kind))
    }

    /// The kinds and ids of the documents that refer to a ring, those of its own apart.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn referring_documents(&self, ring: &RingId) -> Result<Vec<(DocumentKind, String)>, StoreError> {
        reading!(self, "referring", |conn| documents::referring_to(conn, ring))
    }

    /// Keeps a document with the rings that it refers to; with `new`, only if there is none of its id.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn put_document(
        &self,
        document: StoredDocument,
        references: &[RingId],
        new: bool,
        audit: &[Event],
    ) -> Result<PutOutcome, StoreError> {
        on_database!(self, |pools| {
            let mut transaction = pools.begin("put_document").await?;
            let put = Box::pin(put(transaction.conn(), &document, references, new)).await?;
            if put == PutOutcome::Done {
                let _revision = self.revise();
                transaction.commit(audit).await?;
            }
            Ok(put)
        })
    }

    /// Removes a document; whether there was one.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn delete_document(&self, kind: DocumentKind, id: &str, audit: &[Event]) -> Result<bool, StoreError> {
        on_database!(self, |pools| {
            let mut transaction = pools.begin("delete_document").await?;
            let found = delete(transaction.conn(), kind, id).await?;
            if found {
                let _revision = self.revise();
                transaction.commit(audit).await?;
            }
            Ok(found)
        })
    }
}

/// Keeps a document, if its own ring and the rings that it refers to have a current key; any outcome but
/// [`PutOutcome::Done`] has changed nothing.
async fn put(
    conn: &mut impl Connection,
    document: &StoredDocument,
    references: &[RingId],
    new: bool,
) -> Result<PutOutcome, StoreError> {
    let own = documents::ring_of(document)?;
    for ring in own.iter().chain(references).collect::<BTreeSet<_>>() {
        conn.lock_ring(ring).await?;
    }
    for ring in own.iter().chain(references) {
        if key_pairs::current(conn, ring).await?.is_none() {
            return Ok(PutOutcome::NoSuchRing(ring.clone()));
        }
    }
    if new && !documents::insert(conn, document, references).await? {
        return Ok(PutOutcome::Exists);
    }
    if !new {
        documents::put(conn, document, references).await?;
    }
    conn.count_change();
    rings::make_due(conn, own.as_ref()).await?;
    Ok(PutOutcome::Done)
}

/// Removes a document; its ring is due for a sweep. Whether there was one.
pub(super) async fn delete(conn: &mut impl Connection, kind: DocumentKind, id: &str) -> Result<bool, StoreError> {
    let ring = if kind.is_of_a_ring() { id.parse().ok() } else { None };
    if let Some(ring) = &ring {
        conn.lock_ring(ring).await?;
    }
    let found = documents::delete(conn, kind, id).await?;
    conn.count_change();
    rings::make_due(conn, ring.as_ref()).await?;
    Ok(found)
}
