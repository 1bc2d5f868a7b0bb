//! The key set of a connection.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::Services;
use super::error::{ApiError, ApiErrorBody};
use crate::http::extract::PathSegment;
use crate::http::key_set::{JwkSet, answer};
use crate::services::publication::KeySetId;

/// Gets the public keys of a connection.
#[utoipa::path(
    get, path = "/oauth/connection/{name}/.well-known/jwks.json", operation_id = "getConnectionKeySet",
    tag = "Key sets", security(()),
    params(("name" = String, Path, description = "Name of the connection.")),
    responses(
        (status = 200, description = "The key that signs, the one that will, and those that did lately.", body = JwkSet),
        (status = 304, description = "The caller has them."),
        (status = 400, description = "The path is not UTF-8.", body = ApiErrorBody),
        (status = 404, description = "There is no connection of this name, or it has no keys.", body = ApiErrorBody)
    )
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    PathSegment(name, _): PathSegment<ApiError>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = KeySetId::ConnectionNamed(name);
    answer(&services, &place, &headers, "public, ").await.map_err(ApiError::of_rotation)
}
