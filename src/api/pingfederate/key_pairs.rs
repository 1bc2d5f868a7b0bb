//! Signing key pairs: list, show, delete, certificate.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use der::pem::{LineEnding, encode_string};

use super::error::{ApiError, PathRefusals, Refusals};
use super::view::{KeyPairView, KeyPairViews};
use crate::api::Services;
use crate::api::extract::{Caller, Segment};
use crate::api::layer::request_id;
use crate::error::{Error, Kind};
use crate::key::{RingId, RingKind};

/// Gets all signing key pairs, the oldest first.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/signing", operation_id = "getSigningKeyPairs", tag = "PingFederate",
    responses((status = 200, description = "All of them; there is no paging.", body = KeyPairViews), Refusals)
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Caller(who, _): Caller<ApiError>,
) -> Result<Json<KeyPairViews>, ApiError> {
    let pairs = services.keyring.active_of_kind(&who, RingKind::Signing).await?;
    let now = services.clock.now();
    let items: Result<_, Error> = pairs.iter().map(|pair| KeyPairView::of(pair, services.pingfederate, now)).collect();
    Ok(Json(KeyPairViews { items: items? }))
}

/// Gets one signing key pair.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/signing/{id}", operation_id = "getSigningKeyPair", tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    responses((status = 200, description = "The key pair.", body = KeyPairView), PathRefusals, Refusals)
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Caller(who, _): Caller<ApiError>,
    Segment(id, _): Segment<ApiError>,
) -> Result<Json<KeyPairView>, ApiError> {
    let pair = services.keyring.active(&who, &ring(&id)?).await.map_err(ApiError::about(&id))?;
    Ok(Json(KeyPairView::of(&pair, services.pingfederate, services.clock.now())?))
}

/// Deletes a signing key pair.
///
/// The private key is destroyed in its provider shortly afterwards.
#[utoipa::path(
    delete, path = "/pf-admin-api/v1/keyPairs/signing/{id}", operation_id = "deleteSigningKeyPair",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 422, description = "In use: something refers to it.", body = super::error::ApiResult),
        PathRefusals,
        Refusals
    )
)]
pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    Caller(who, _): Caller<ApiError>,
    Segment(id, _): Segment<ApiError>,
) -> Result<StatusCode, ApiError> {
    let ring = ring(&id)?;
    let (keyring, request_id) = (Arc::clone(&services.keyring), request_id());
    let work = async move { keyring.delete(&who, &ring, request_id).await };
    services.detached.run(work).await.map_err(ApiError::about(&id))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gets the certificate of a signing key pair as PEM.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/signing/{id}/certificate", operation_id = "getSigningCertificate",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    responses(
        (status = 200, description = "One X.509 certificate in PEM (RFC 7468).", body = String,
            content_type = "application/x-x509-ca-cert"),
        PathRefusals,
        Refusals
    )
)]
pub(super) async fn certificate(
    State(services): State<Arc<Services>>,
    Caller(who, _): Caller<ApiError>,
    Segment(id, _): Segment<ApiError>,
) -> Result<impl IntoResponse, ApiError> {
    let pair = services.keyring.active(&who, &ring(&id)?).await.map_err(ApiError::about(&id))?;
    let internal = || Error::new(Kind::Internal, "internal error");
    let leaf = pair.leaf().ok_or_else(|| internal().because("a signing key pair without certificate"))?;
    let pem = encode_string("CERTIFICATE", LineEnding::LF, leaf.as_bytes())
        .map_err(|failure| internal().because(failure.to_string()))?;
    Ok(([(CONTENT_TYPE, "application/x-x509-ca-cert")], pem))
}

/// The ring of an id in a path; an id that cannot be names nothing.
fn ring(id: &str) -> Result<RingId, ApiError> {
    RingId::new(RingKind::Signing, id)
        .map_err(|fault| ApiError::about(id)(Error::new(Kind::NotFound, "not an id").because(fault)))
}
