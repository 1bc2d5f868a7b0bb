//! Transactions of documents.

use crate::store::{DocumentKind, PutOutcome, Store, StoreError, StoredDocument, documents};
use strongroom_domain::audit::Event;
use strongroom_domain::key::RingId;

impl Store {
    /// One document.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn document(&self, kind: DocumentKind, id: &str) -> Result<Option<StoredDocument>, StoreError> {
        documents::find(&mut self.view("document").await?.conn, kind, id).await
    }

    /// Every document of a kind, by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn documents(&self, kind: DocumentKind) -> Result<Vec<StoredDocument>, StoreError> {
        documents::of_kind(&mut self.view("documents").await?.conn, kind).await
    }

    /// The kinds and ids of the documents that refer to a ring, those of its own apart.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn referring_documents(&self, ring: &RingId) -> Result<Vec<(DocumentKind, String)>, StoreError> {
        documents::referring_to(&mut self.view("referring").await?.conn, ring).await
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
        let mut writing = self.begin("put_document").await?;
        let put = documents::put(&mut writing.tx, &document, references, new).await?;
        if put == PutOutcome::Done {
            self.revised(writing.commit(audit).await)?;
        }
        Ok(put)
    }

    /// Removes a document; whether there was one.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn delete_document(&self, kind: DocumentKind, id: &str, audit: &[Event]) -> Result<bool, StoreError> {
        let mut writing = self.begin("delete_document").await?;
        let found = documents::delete(&mut writing.tx, kind, id).await?;
        if found {
            self.revised(writing.commit(audit).await)?;
        }
        Ok(found)
    }
}
