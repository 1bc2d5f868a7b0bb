//! What every family does with the key pairs that are there: list, show, delete, certificate.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::Services;
use super::error::{ApiError, PathRefusals, Refusals};
use super::family::{Family, KeyPairPath, active};
use super::view::{KeyPairView, KeyPairViews};
use super::{rotation, view};
use crate::http::extract::{Call, asked};
use crate::http::rendered::rendered;
use strongroom_domain::error::Error;
use strongroom_domain::key::KeyPair;
use strongroom_formats::x509::to_pem;

/// Gets all {family} key pairs, the oldest first.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/{family}", operation_id = "get{Family}KeyPairs", tag = "PingFederate",
    responses((status = 200, description = "All of them; there is no paging.", body = KeyPairViews), Refusals)
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ListKeys, ApiError>,
    Family(family): Family,
) -> Result<Response, ApiError> {
    let pairs = services.keyring.active_of_kind(&who, family).await?;
    let length = pairs.len();
    let mut rotation = rotation::all(&services, &who, family).await?;
    let look = services.view_context();
    let views = move || {
        let view = |pair: &KeyPair| {
            let view = KeyPairView::of(pair, &look)?;
            let settings = pair.ring.as_ref().and_then(|ring| rotation.remove(ring));
            Ok::<_, Error>(view.with_rotation(settings))
        };
        let shown = pairs.iter().filter(|pair| pair.leaf().is_some());
        Ok(KeyPairViews { items: shown.map(view).collect::<Result<_, Error>>()? })
    };
    rendered(&services, length, views).await
}

/// Gets one {family} key pair.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/{family}/{id}", operation_id = "get{Family}KeyPair", tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    responses((status = 200, description = "The key pair.", body = KeyPairView), PathRefusals, Refusals)
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadKey, ApiError>,
    KeyPairPath(ring): KeyPairPath,
) -> Result<Json<KeyPairView>, ApiError> {
    let pair = active(&services, &who, &ring).await?;
    Ok(Json(view::whole(&services, &who, &pair).await?))
}

/// Deletes a {family} key pair.
///
/// The private key is destroyed in its provider shortly afterwards, unless it was linked.
#[utoipa::path(
    delete, path = "/pf-admin-api/v1/keyPairs/{family}/{id}", operation_id = "delete{Family}KeyPair",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 409, description = "Changed by somebody else meanwhile.", body = super::error::ApiResult),
        (status = 422, description = "In use: something refers to it.", body = super::error::ApiResult),
        PathRefusals,
        Refusals
    )
)]
pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::DeleteRing, ApiError>,
    KeyPairPath(ring): KeyPairPath,
) -> Result<StatusCode, ApiError> {
    active(&services, &who, &ring).await?;
    let about = ApiError::about(ring.name());
    services.keyring.delete(&who, &ring).await.map_err(about)?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gets the certificate of a {family} key pair as PEM, followed by the issuers that came with it.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/{family}/{id}/certificate", operation_id = "get{Family}Certificate",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    responses(
        (status = 200, description = "X.509 certificates in PEM (RFC 7468), that of the key first.", body = String,
            content_type = "application/x-x509-ca-cert"),
        PathRefusals,
        Refusals
    )
)]
pub(super) async fn certificate(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadKey, ApiError>,
    KeyPairPath(ring): KeyPairPath,
) -> Result<impl IntoResponse, ApiError> {
    let pair = active(&services, &who, &ring).await?;
    let pem: String = pair.certificates.iter().map(to_pem).collect();
    Ok(([(CONTENT_TYPE, "application/x-x509-ca-cert")], pem))
}
