//! The service of web keys as every wire of this dialect calls it, with the product's refusals.

use super::Services;
use super::error::{KEY_IS_ACTIVE, NO_SUCH_KEY, Refusal};
use crate::auth::{Caller, IdempotencyKey};
use crate::services::web_keys::{NewWebKey, WebKeyDeletion};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyAlgorithm, KeyPair, SignatureAlgorithm};

/// The algorithms of a web key to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WebKeyAlgorithms {
    pub algorithm: KeyAlgorithm,
    pub signature_algorithm: SignatureAlgorithm,
}

/// What became of the wish to delete a key.
pub(super) enum Deletion {
    /// It is deleted, now or since long.
    Deleted(Box<KeyPair>),
    /// There never was one of this id.
    NeverExisted,
}

/// What a creation is remembered by.
pub(super) fn idempotency(services: &Services, key: Option<String>, body: &[u8]) -> Option<IdempotencyKey> {
    services.idempotency(key, || "POST web_keys".to_owned(), body)
}

/// Makes a web key.
///
/// # Errors
/// Those of the service.
pub(super) async fn create(services: &Services, who: Caller, new: WebKeyAlgorithms) -> Result<KeyPair, Error> {
    let WebKeyAlgorithms { algorithm, signature_algorithm } = new;
    let (provider, deadline) = (services.settings.provider, services.generate_deadline);
    services.web_keys.create(&who, NewWebKey { provider, algorithm, signature_algorithm, deadline }).await
}

/// Makes a key the one that signs.
///
/// # Errors
/// `NotFound` when there is no key of this id any more; those of the service.
pub(super) async fn activate(services: &Services, who: Caller, id: &str) -> Result<KeyPair, Refusal> {
    services.web_keys.activate(&who, id).await?.ok_or_else(|| Refusal::of(ErrorKind::NotFound, NO_SUCH_KEY))
}

/// Deletes a key.
///
/// # Errors
/// `InUse` when it is the one that signs; those of the service.
pub(super) async fn delete(services: &Services, who: Caller, id: &str) -> Result<Deletion, Refusal> {
    match services.web_keys.delete(&who, id).await? {
        WebKeyDeletion::Deleted(pair) => Ok(Deletion::Deleted(pair)),
        WebKeyDeletion::NeverExisted => Ok(Deletion::NeverExisted),
        WebKeyDeletion::Active => Err(Refusal::of(ErrorKind::InUse, KEY_IS_ACTIVE)),
    }
}
