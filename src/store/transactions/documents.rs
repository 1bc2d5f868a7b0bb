//! Transactions of documents.

use std::collections::BTreeSet;

use crate::store::pools::{on_database, reading};
use crate::store::seam::Connection;
use crate::store::{
    DocumentKind, DocumentPut, DocumentWrite, ExpectedDocument, PutOutcome, Store, StoreError, StoredDocument,
    documents, key_pairs, rings,
};
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

    /// One document with the number of its revision.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn document_revision(
        &self,
        kind: DocumentKind,
        id: &str,
    ) -> Result<Option<(StoredDocument, i64)>, StoreError> {
        reading!(self, "document_revision", |conn| documents::find_revision(conn, kind, id))
    }

    /// Keeps a document with the rings that it refers to and the names that it claims, if it is as it was expected.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn keep_document(&self, put: DocumentPut, audit: &[Event]) -> Result<PutOutcome, StoreError> {
        on_database!(self, |pools| {
            let mut transaction = pools.begin("put_document").await?;
            let outcome = Box::pin(keep(transaction.conn(), &put)).await?;
            if outcome == PutOutcome::Done {
                let _revision = self.revise();
                transaction.commit(audit).await?;
            }
            Ok(outcome)
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

/// Writes a document as a part of another change.
///
/// # Errors
/// [`StoreError::DocumentExists`], [`StoreError::DocumentChanged`] when it is not as it was expected.
pub(super) async fn write(conn: &mut impl Connection, write: &DocumentWrite) -> Result<(), StoreError> {
    let done = match write {
        DocumentWrite::Put(put) => match keep(conn, put).await? {
            PutOutcome::Done => true,
            PutOutcome::Exists => return Err(StoreError::DocumentExists),
            PutOutcome::Changed | PutOutcome::NoSuchRing(_) | PutOutcome::Claimed { .. } => false,
        },
        DocumentWrite::Remove { kind, id } => delete(conn, *kind, id).await?,
        DocumentWrite::Require { kind, id } => documents::hold(conn, *kind, id).await?,
    };
    if done { Ok(()) } else { Err(StoreError::DocumentChanged) }
}

/// Keeps a document, if its own ring and the rings that it refers to have an Active key; any outcome but
/// [`PutOutcome::Done`] has changed nothing that is to be kept.
async fn keep(conn: &mut impl Connection, put: &DocumentPut) -> Result<PutOutcome, StoreError> {
    let DocumentPut { document, references, claims, expected } = put;
    let own = documents::ring_of(document)?;
    for ring in own.iter().chain(references).collect::<BTreeSet<_>>() {
        conn.lock_ring(ring).await?;
    }
    for ring in own.iter().chain(references) {
        if key_pairs::current(conn, ring).await?.is_none() {
            return Ok(PutOutcome::NoSuchRing(ring.clone()));
        }
    }
    let kept = match expected {
        ExpectedDocument::Any => documents::put(conn, document, references).await.map(|()| true)?,
        ExpectedDocument::None => documents::insert(conn, document, references).await?,
        ExpectedDocument::Some => documents::replace(conn, document, references, None).await?,
        ExpectedDocument::Revision(revision) => documents::replace(conn, document, references, Some(*revision)).await?,
    };
    if !kept {
        return Ok(if *expected == ExpectedDocument::None { PutOutcome::Exists } else { PutOutcome::Changed });
    }
    if let Some((name, holder)) = documents::claim(conn, document, claims).await? {
        return Ok(PutOutcome::Claimed { name, holder });
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
