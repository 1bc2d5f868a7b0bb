//! The key set of a key ring.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::error::{PathRefusals, Problem};
use super::rings;
use crate::http::Services;
use crate::http::extract::PathSegment;
use crate::http::key_set::{JwkSet, answer};
use crate::services::publication::KeySetId;

/// Gets the public keys of a key ring.
#[utoipa::path(
    get, path = "/v1/key-rings/{ring}/jwks.json", operation_id = "getKeyRingKeySet", tag = "Key sets", security(()),
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`.")),
    responses(
        (status = 200, description = "The key that signs, the one that will, and those that did lately.", body = JwkSet),
        (status = 304, description = "The caller has them."),
        PathRefusals
    )
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    PathSegment(ring, _): PathSegment<Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(answer(&services, &KeySetId::Ring(rings::id(&ring)?), &headers, "public, ").await?)
}
