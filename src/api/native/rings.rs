//! Key rings.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{PathRefusals, Problem, Refusals};
use super::keys::KeyView;
use crate::api::Services;
use crate::api::extract::{Caller, Segment};
use crate::error::{Error, Kind};
use crate::key::RingId;
use crate::keyring::KeyRing;

/// A key ring and its key pairs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyRingView {
    /// What the ring serves, and its name there.
    #[schema(example = "signing:orders-2026")]
    id: String,
    /// The Active one first.
    keys: Vec<KeyView>,
    /// What rotation will do next; empty where nothing is planned.
    #[schema(value_type = Vec<Object>)]
    next_steps: [(); 0],
}

/// Gets a key ring with its visible key pairs.
#[utoipa::path(
    get, path = "/v1/key-rings/{ring}", operation_id = "getKeyRing", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`.")),
    responses((status = 200, description = "The ring.", body = KeyRingView), PathRefusals, Refusals)
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Caller(who, _): Caller<Problem>,
    Segment(ring, _): Segment<Problem>,
) -> Result<Json<KeyRingView>, Problem> {
    Ok(Json(KeyRingView::of(&services.keyring.ring(&who, &id(&ring)?).await?)))
}

/// The ring that a path's segment names.
///
/// # Errors
/// `Malformed` when it is no id of a ring.
pub(in crate::api) fn id(ring: &str) -> Result<RingId, Error> {
    ring.parse().map_err(|fault| Error::new(Kind::Malformed, format!("{fault}")))
}

impl KeyRingView {
    fn of(ring: &KeyRing) -> Self {
        Self { id: ring.id.to_string(), keys: ring.keys.iter().map(KeyView::of).collect(), next_steps: [] }
    }
}
