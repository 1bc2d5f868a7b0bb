//! Web keys under `/v2` and `/v2beta`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::Services;
use super::error::{ChangeRefusals, GatewayError, Refusals};
use super::message::Message;
use super::view::{Activated, Created, Deleted, WebKeys};
use super::web_keys::{self, Deletion};
use super::wire::{CreateWebKey, Unspecified, check_id};
use crate::http::extract::{Call, Idempotency, PathSegment, asked};

/// Creates a web key; the first one of all signs at once.
///
/// A new key is published before it signs: activate it once every verifier has fetched the key set again.
/// An answer of 5xx means that nothing was made. With an `Idempotency-Key`, a request that is sent again within
/// 24 hours makes no second key.
#[utoipa::path(
    post, path = "/{version}/web_keys", operation_id = "zitadel{Version}CreateWebKey", tag = "Zitadel",
    security(("bearer" = [])),
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, pattern = "^[!-~]{1,255}$",
        description = "A name for this request, unique among those of the caller.")),
    request_body = CreateWebKey,
    responses((status = 200, description = "What was made.", body = Created), ChangeRefusals, Refusals)
)]
pub(super) async fn create(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeRing, GatewayError>,
    Idempotency(key, _): Idempotency<GatewayError>,
    body: Message<CreateWebKey, GatewayError>,
) -> Result<Json<Created>, GatewayError> {
    let new = body.value.read(Unspecified::Refused)?;
    let who = who.with_idempotency(web_keys::idempotency(&services, key, &body.bytes));
    Ok(Json(Created::of(&web_keys::create(&services, who, new).await?)))
}

/// Makes a web key the one that signs; the one that did stays published.
///
/// Nothing happens when it is that already.
#[utoipa::path(
    post, path = "/{version}/web_keys/{id}/activate", operation_id = "zitadel{Version}ActivateWebKey",
    tag = "Zitadel", security(("bearer" = [])),
    params(("id" = String, Path, min_length = 1, max_length = 200, description = "Id of the web key.")),
    responses((status = 200, description = "It signs.", body = Activated), ChangeRefusals, Refusals)
)]
pub(super) async fn activate(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeRing, GatewayError>,
    PathSegment(id, _): PathSegment<GatewayError>,
) -> Result<Json<Activated>, GatewayError> {
    check_id("ActivateWebKeyRequest", &id)?;
    Ok(Json(Activated::of(&web_keys::activate(&services, who, &id).await?)))
}

/// Deletes a web key that does not sign; what it has signed can no longer be verified.
///
/// The private key is destroyed in its provider shortly afterwards. Deleting what never existed succeeds.
#[utoipa::path(
    delete, path = "/{version}/web_keys/{id}", operation_id = "zitadel{Version}DeleteWebKey", tag = "Zitadel",
    security(("bearer" = [])),
    params(("id" = String, Path, min_length = 1, max_length = 200, description = "Id of the web key.")),
    responses((status = 200, description = "It is gone.", body = Deleted), ChangeRefusals, Refusals)
)]
pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeRing, GatewayError>,
    PathSegment(id, _): PathSegment<GatewayError>,
) -> Result<Json<Deleted>, GatewayError> {
    check_id("DeleteWebKeyRequest", &id)?;
    Ok(Json(match web_keys::delete(&services, who, &id).await? {
        Deletion::Deleted(pair) => Deleted::of(&pair),
        Deletion::NeverExisted => Deleted::default(),
    }))
}

/// Lists all web keys, the oldest first.
#[utoipa::path(
    get, path = "/{version}/web_keys", operation_id = "zitadel{Version}ListWebKeys", tag = "Zitadel",
    security(("bearer" = [])),
    responses((status = 200, description = "All of them; there is no paging.", body = WebKeys), Refusals)
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadKey, GatewayError>,
) -> Result<Json<WebKeys>, GatewayError> {
    Ok(Json(WebKeys::of(&services.web_keys.list(&who).await?)?))
}
