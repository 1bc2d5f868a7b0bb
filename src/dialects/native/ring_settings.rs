//! What an operator decides about a ring.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::error::{BodyRefusals, PathRefusals, Problem, Refusals};
use super::rings;
use crate::http::Services;
use crate::http::extract::{Call, JsonBody, PathSegment, asked};
use crate::services::settings::RingSettings;

/// Settings of a key ring.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyRingSettings {
    /// Whether its keys sign whatever callers bring. Without settings they do, unless they are published in a key
    /// set: then whoever could have any bytes signed could forge tokens, and they sign JWS only.
    raw_sign: bool,
}

/// Gets the settings of a key ring.
#[utoipa::path(
    get, path = "/v1/key-rings/{ring}/settings", operation_id = "getKeyRingSettings", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`.")),
    responses((status = 200, description = "The settings.", body = KeyRingSettings), PathRefusals, Refusals)
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadSettings, Problem>,
    PathSegment(ring, _): PathSegment<Problem>,
) -> Result<Json<KeyRingSettings>, Problem> {
    let settings = services.catalog.ring_settings(&who, &rings::id(&ring)?).await?;
    Ok(Json(KeyRingSettings { raw_sign: settings.raw_sign }))
}

/// Replaces the settings of a key ring that has an Active key.
#[utoipa::path(
    put, path = "/v1/key-rings/{ring}/settings", operation_id = "updateKeyRingSettings", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`.")),
    request_body = KeyRingSettings,
    responses((status = 200, description = "The settings.", body = KeyRingSettings),
        PathRefusals, BodyRefusals, Refusals)
)]
pub(super) async fn replace(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, Problem>,
    PathSegment(ring, _): PathSegment<Problem>,
    body: JsonBody<KeyRingSettings, Problem>,
) -> Result<Json<KeyRingSettings>, Problem> {
    let settings = RingSettings { raw_sign: body.value.raw_sign };
    services.catalog.put_ring_settings(&who, &rings::id(&ring)?, settings).await?;
    Ok(Json(body.value))
}

/// Removes the settings of a key ring: what holds without them holds from then on.
#[utoipa::path(
    delete, path = "/v1/key-rings/{ring}/settings", operation_id = "deleteKeyRingSettings", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`.")),
    responses((status = 204, description = "Removed."), PathRefusals, Refusals)
)]
pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, Problem>,
    PathSegment(ring, _): PathSegment<Problem>,
) -> Result<StatusCode, Problem> {
    services.catalog.delete_ring_settings(&who, &rings::id(&ring)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
