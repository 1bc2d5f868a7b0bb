//! The key set of the OAuth and `OpenID` Connect settings, at the path where PingFederate's runtime has it.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::Services;
use super::error::ApiError;
use crate::http::key_set::{JwkSet, answer};
use crate::services::publication::KeySetId;

/// Gets the keys that OAuth and `OpenID` Connect tokens are signed with and encrypted to.
#[utoipa::path(
    get, path = "/pf/JWKS", operation_id = "getOidcKeySet", tag = "Key sets", security(()),
    responses(
        (status = 200, description = "The keys that the settings name; none until they name some.", body = JwkSet),
        (status = 304, description = "The caller has them.")
    )
)]
pub(super) async fn show(State(services): State<Arc<Services>>, headers: HeaderMap) -> Result<Response, ApiError> {
    Ok(answer(&services, &KeySetId::Oidc, &headers, "public, ").await?)
}
