//! A store that fails, for requests that are refused before it.

use async_trait::async_trait;

use crate::audit::Event;
use crate::clock::Timestamp;
use crate::key::{CertificateDer, KeyId, KeyName, KeyPair, ProviderKind, RingId, RingKind, SealedKey, StoreId};
use crate::store::{
    Commit, Document, DocumentKind, IdempotencyClaim, MasterKey, NewReservation, Owner, Put, Reserve, Store,
    StoreError, Transition,
};

/// A store that is never there: what these tests ask is refused before it.
pub(super) struct NoStore;

fn unavailable<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("not in this test".to_owned()))
}

#[async_trait]
impl Store for NoStore {
    fn id(&self) -> StoreId {
        "00000000-0000-4000-8000-000000000000".parse().unwrap()
    }
    fn fingerprint(&self, _: &[u8]) -> [u8; 32] {
        [0; 32]
    }
    async fn ping(&self) -> Result<(), StoreError> {
        unavailable()
    }
    async fn epoch(&self) -> Result<i64, StoreError> {
        unavailable()
    }
    async fn precedent(&self, _: &IdempotencyClaim, _: Timestamp) -> Result<Option<Reserve>, StoreError> {
        unavailable()
    }
    async fn reserve(&self, _: NewReservation, _: &[Event]) -> Result<Reserve, StoreError> {
        unavailable()
    }
    async fn commit(&self, _: Commit, _: &[Event]) -> Result<KeyPair, StoreError> {
        unavailable()
    }
    async fn transition(&self, _: Transition, _: &[Event]) -> Result<KeyPair, StoreError> {
        unavailable()
    }
    async fn pair(&self, _: KeyId) -> Result<Option<KeyPair>, StoreError> {
        unavailable()
    }
    fn revision(&self) -> u64 {
        0
    }
    async fn named(&self, _: &KeyName) -> Result<Option<KeyPair>, StoreError> {
        unavailable()
    }
    async fn ring(&self, _: &RingId) -> Result<Vec<KeyPair>, StoreError> {
        unavailable()
    }
    async fn active_of_kind(&self, _: RingKind) -> Result<Vec<KeyPair>, StoreError> {
        unavailable()
    }
    async fn unfinished(&self, _: &Owner, _: Timestamp) -> Result<Vec<KeyPair>, StoreError> {
        unavailable()
    }
    async fn page(&self, _: Option<KeyId>, _: Timestamp, _: u32) -> Result<Vec<KeyPair>, StoreError> {
        unavailable()
    }
    async fn mark_missing(&self, _: KeyId, _: Option<(Timestamp, bool)>, _: &[Event]) -> Result<(), StoreError> {
        unavailable()
    }
    async fn replace_certificates(
        &self,
        _id: KeyId,
        _version: i64,
        _certificates: Vec<CertificateDer>,
        _void: Option<Event>,
        _audit: &[Event],
    ) -> Result<KeyPair, StoreError> {
        Err(StoreError::Conflict)
    }

    async fn held_by(&self, _: ProviderKind) -> Result<i64, StoreError> {
        unavailable()
    }

    async fn reseal(
        &self,
        _id: KeyId,
        _version: i64,
        _sealed: SealedKey,
        _audit: &[Event],
    ) -> Result<KeyPair, StoreError> {
        Err(StoreError::Conflict)
    }

    async fn master_keys(&self) -> Result<Vec<MasterKey>, StoreError> {
        Ok(Vec::new())
    }

    async fn add_master_key(&self, _master: MasterKey, _audit: &[Event]) -> Result<(), StoreError> {
        Err(StoreError::Conflict)
    }

    async fn document(&self, _kind: DocumentKind, _id: &str) -> Result<Option<Document>, StoreError> {
        Ok(None)
    }

    async fn documents(&self, _kind: DocumentKind) -> Result<Vec<Document>, StoreError> {
        Ok(Vec::new())
    }

    async fn put_document(
        &self,
        _document: Document,
        _references: &[RingId],
        _new: bool,
        _audit: &[Event],
    ) -> Result<Put, StoreError> {
        Err(StoreError::Conflict)
    }

    async fn delete_document(&self, _kind: DocumentKind, _id: &str, _audit: &[Event]) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn record(&self, _: &[Event]) -> Result<(), StoreError> {
        unavailable()
    }
    async fn audit(&self, _: i64, _: u32) -> Result<Vec<(i64, Event)>, StoreError> {
        unavailable()
    }
}
