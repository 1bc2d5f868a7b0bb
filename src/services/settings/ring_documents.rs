//! Documents about one ring; their id is the ring's id.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Catalog, DocumentChange, DocumentReferences, not_found, read};
use crate::auth::{Caller, policy};
use crate::store::{DocumentKind, ExpectedDocument, PutOutcome};
use strongroom_domain::error::Error;
use strongroom_domain::key::RingId;

/// A document about a ring.
pub(super) trait RingDocument: Serialize + DeserializeOwned + Sync {
    const KIND: DocumentKind;
}

impl Catalog {
    /// The document of a ring; `NotFound` when there is none.
    pub(super) async fn ring_document<T: RingDocument>(&self, who: &Caller, ring: &RingId) -> Result<T, Error> {
        policy::allow(who, policy::Action::ReadSettings, ring)?;
        let id = ring.to_string();
        let document = self.store.document(T::KIND, &id).await?;
        read(&document.ok_or_else(|| not_found(T::KIND, &id))?)
    }

    /// Writes the document of a ring; `NotFound` when the ring has no Active key.
    pub(super) async fn put_ring_document<T: RingDocument>(
        &self,
        who: &Caller,
        ring: &RingId,
        body: &T,
    ) -> Result<(), Error> {
        policy::allow(who, policy::Action::ChangeSettings, ring)?;
        let id = ring.to_string();
        match self
            .put(DocumentChange { who, kind: T::KIND, id: &id }, body, DocumentReferences::none(ExpectedDocument::Any))
            .await?
        {
            PutOutcome::Done => Ok(()),
            PutOutcome::NoSuchRing(_) | PutOutcome::Exists | PutOutcome::Changed | PutOutcome::Claimed { .. } => {
                Err(not_found(T::KIND, &id))
            }
        }
    }

    /// Removes the document of a ring; `NotFound` when there is none.
    pub(super) async fn remove_ring_document<T: RingDocument>(&self, who: &Caller, ring: &RingId) -> Result<(), Error> {
        policy::allow(who, policy::Action::ChangeSettings, ring)?;
        self.remove(DocumentChange { who, kind: T::KIND, id: &ring.to_string() }).await
    }
}
