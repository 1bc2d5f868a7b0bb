//! The three families of key pairs: one set of handlers, three id spaces.

use std::sync::Arc;

use axum::Extension;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Services;
use super::error::ApiError;
use crate::auth::{Caller, IdempotencyKey};
use crate::http::extract::PathSegment;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyPair, RingId, RingKind};

/// Every family, in the order of the documentation.
pub(super) const FAMILIES: [RingKind; 3] = [RingKind::Signing, RingKind::SslServer, RingKind::SslClient];

/// The ring of an id in a path; an id that cannot be names nothing.
pub(super) fn ring(family: RingKind, id: &str) -> Result<RingId, ApiError> {
    RingId::new(family, id)
        .map_err(|fault| ApiError::about(id)(Error::new(ErrorKind::NotFound, "not an id").with_source(fault)))
}

/// The request that an `Idempotency-Key` stands for; the same for both prefixes: they are one route.
pub(super) fn idempotency(
    services: &Services,
    family: RingKind,
    step: &str,
    key: Option<String>,
    body: &[u8],
) -> Option<IdempotencyKey> {
    let route = || format!("POST /keyPairs/{}/{step}", family.name());
    services.idempotency(key, route, body)
}

/// A refusal of values, and among them that of an id that is in use: the store would find it only when all else is well.
pub(super) async fn with_id_conflict(
    services: &Services,
    family: RingKind,
    id: Option<&str>,
    refused: Error,
) -> ApiError {
    let ring = id.and_then(|id| RingId::new(family, id).ok());
    services.keyring.with_ring_conflict(ring.as_ref(), refused).await.into()
}

/// The Active key pair of a ring; to this dialect one without certificate is not there.
///
/// # Errors
/// Those of the keyring, about the ring's name.
pub(super) async fn active(services: &Services, who: &Caller, ring: &RingId) -> Result<KeyPair, ApiError> {
    let pair = services.keyring.active(who, ring).await;
    let shown = pair.and_then(|pair| match pair.leaf() {
        Some(_) => Ok(pair),
        None => Err(Error::new(ErrorKind::NotFound, format!("the key pair of {ring} has no certificate"))),
    });
    shown.map_err(ApiError::about(ring.name()))
}

/// The family under whose path a request came.
pub(super) struct Family(pub RingKind);

impl FromRequestParts<Arc<Services>> for Family {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, ApiError> {
        let Extension(family) = Extension::<RingKind>::from_request_parts(parts, services)
            .await
            .map_err(|rejection| Error::new(ErrorKind::Internal, "internal error").with_source(rejection))?;
        Ok(Self(family))
    }
}

/// The ring that family and id of a path name.
pub(super) struct KeyPairPath(pub RingId);

impl FromRequestParts<Arc<Services>> for KeyPairPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, ApiError> {
        let Family(family) = Family::from_request_parts(parts, services).await?;
        let PathSegment(id, _) = PathSegment::<ApiError>::from_request_parts(parts, services).await?;
        ring(family, &id).map(Self)
    }
}
