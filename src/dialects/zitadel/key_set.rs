//! The key set of the web keys.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::Services;
use super::error::GatewayError;
use crate::http::key_set::{JwkSet, answer};
use crate::services::publication::KeySetId;
use crate::services::web_keys;

/// Gets the public web keys.
#[utoipa::path(
    get, path = "/oauth/v2/keys", operation_id = "getWebKeySet", tag = "Key sets", security(()),
    responses(
        (status = 200, description = "Every web key that was not deleted.", body = JwkSet),
        (status = 304, description = "The caller has them.")
    )
)]
pub(super) async fn show(State(services): State<Arc<Services>>, headers: HeaderMap) -> Result<Response, GatewayError> {
    Ok(answer(&services, &KeySetId::Ring(web_keys::ring()?), &headers, "").await?)
}
