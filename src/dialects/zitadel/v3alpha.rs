//! Web keys under `/resources/v3alpha`: nested views, 201 for what is made, defaults for what is left open.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

use super::Services;
use super::error::{ChangeRefusals, GatewayError, NEVER_EXISTED, Refusal, Refusals};
use super::message::Message;
use super::view::{Changed, NestedWebKeys};
use super::web_keys::{self, Deletion};
use super::wire::{CreateWebKey, Unspecified, check_id};
use crate::http::extract::{Call, Idempotency, PathSegment, asked};
use strongroom_domain::error::ErrorKind;

/// Creates a web key; the first one of all signs at once.
///
/// What is absent or UNSPECIFIED is RSA with 2048 bits and SHA-256, or the curve P-256.
#[utoipa::path(
    post, path = "/resources/v3alpha/web_keys", operation_id = "zitadelV3alphaCreateWebKey", tag = "Zitadel",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, pattern = "^[!-~]{1,255}$",
        description = "A name for this request, unique among those of the caller.")),
    request_body = CreateWebKey,
    responses((status = 201, description = "What was made.", body = Changed), ChangeRefusals, Refusals)
)]
pub(super) async fn create(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeRing, GatewayError>,
    Idempotency(key, _): Idempotency<GatewayError>,
    body: Message<CreateWebKey, GatewayError>,
) -> Result<(StatusCode, Json<Changed>), GatewayError> {
    let new = body.value.read(Unspecified::Default)?;
    let who = who.with_idempotency(web_keys::idempotency(&services, key, &body.bytes));
    let pair = web_keys::create(&services, who, new).await?;
    Ok((StatusCode::CREATED, Json(Changed::of(&pair, &services.settings.instance_id))))
}

/// Makes a web key the one that signs; the one that did stays published.
#[utoipa::path(
    post, path = "/resources/v3alpha/web_keys/{id}/_activate", operation_id = "zitadelV3alphaActivateWebKey",
    tag = "Zitadel", security(("bearer" = [])),
    params(("id" = String, Path, min_length = 1, max_length = 200, description = "Id of the web key.")),
    responses((status = 200, description = "It signs.", body = Changed), ChangeRefusals, Refusals)
)]
pub(super) async fn activate(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeRing, GatewayError>,
    PathSegment(id, _): PathSegment<GatewayError>,
) -> Result<Json<Changed>, GatewayError> {
    check_id("ActivateWebKeyRequest", &id)?;
    let pair = web_keys::activate(&services, who, &id).await?;
    Ok(Json(Changed::of(&pair, &services.settings.instance_id)))
}

/// Deletes a web key that does not sign.
#[utoipa::path(
    delete, path = "/resources/v3alpha/web_keys/{id}", operation_id = "zitadelV3alphaDeleteWebKey", tag = "Zitadel",
    security(("bearer" = [])),
    params(("id" = String, Path, min_length = 1, max_length = 200, description = "Id of the web key.")),
    responses((status = 200, description = "It is gone.", body = Changed), ChangeRefusals, Refusals)
)]
pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeRing, GatewayError>,
    PathSegment(id, _): PathSegment<GatewayError>,
) -> Result<Json<Changed>, GatewayError> {
    check_id("DeleteWebKeyRequest", &id)?;
    match web_keys::delete(&services, who, &id).await? {
        Deletion::Deleted(pair) => Ok(Json(Changed::of(&pair, &services.settings.instance_id))),
        Deletion::NeverExisted => Err(Refusal::of(ErrorKind::NotFound, NEVER_EXISTED).into()),
    }
}

/// Lists all web keys, the oldest first.
#[utoipa::path(
    get, path = "/resources/v3alpha/web_keys", operation_id = "zitadelV3alphaListWebKeys", tag = "Zitadel",
    security(("bearer" = [])),
    responses((status = 200, description = "All of them; there is no paging.", body = NestedWebKeys), Refusals)
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadKey, GatewayError>,
) -> Result<Json<NestedWebKeys>, GatewayError> {
    let keys = services.web_keys.list(&who).await?;
    Ok(Json(NestedWebKeys::of(&keys, &services.settings.instance_id)?))
}
