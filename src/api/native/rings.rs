//! Key rings.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{PathRefusals, Problem, Refusals};
use crate::api::Services;
use crate::api::extract::{Caller, Segment};
use crate::error::{Error, Kind};
use crate::key::{KeyPair, Kid, RingId};
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

/// A key pair in its ring.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyView {
    /// Public name of the key in JOSE.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")]
    kid: Option<String>,
    /// Identity of the key pair for ever: a `UUIDv7`.
    #[schema(example = "01997b0c-5b1e-7c3a-9d53-0b7a6b3f1c2d")]
    key_id: String,
    /// `Active`, `PreActive` or `Deactivated`.
    #[schema(example = "Active")]
    state: &'static str,
    /// Position in the ring: 1 for the first key.
    #[schema(example = 1)]
    generation: i64,
    /// Key algorithm and size.
    #[schema(example = "rsa-2048")]
    algorithm: &'static str,
    /// The signature algorithm used where none is asked for, by its JCA name.
    #[schema(example = "SHA256withRSA")]
    signature_algorithm: &'static str,
    /// Every algorithm that the key may sign with, by its JCA name.
    #[schema(example = json!(["SHA256withRSA", "SHA256withRSAandMGF1"]))]
    permitted: Vec<&'static str>,
    /// Who holds the private half: `HSM` or `LOCAL`.
    #[schema(example = "HSM")]
    provider: &'static str,
    /// How the private half came there: `generated`, `imported` or `linked`.
    #[schema(example = "generated")]
    origin: &'static str,
    /// The provider no longer has the key.
    missing: bool,
    /// UTC with milliseconds.
    #[schema(format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    created_at: String,
    /// Since when it signs; absent while it never has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    activated_at: Option<String>,
    /// Since when it no longer signs; absent while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    deactivated_at: Option<String>,
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
    let ring: RingId = ring.parse().map_err(|fault| Error::new(Kind::Malformed, format!("{fault}")))?;
    Ok(Json(KeyRingView::of(&services.keyring.ring(&who, &ring).await?)))
}

impl KeyRingView {
    fn of(ring: &KeyRing) -> Self {
        Self { id: ring.id.to_string(), keys: ring.keys.iter().map(KeyView::of).collect(), next_steps: [] }
    }
}

impl KeyView {
    fn of(pair: &KeyPair) -> Self {
        Self {
            kid: pair.kid.as_ref().map(Kid::to_string),
            key_id: pair.id.to_string(),
            state: pair.state.name(),
            generation: pair.generation,
            algorithm: pair.algorithm.name(),
            signature_algorithm: pair.signature_algorithm.jca_name(),
            permitted: pair.permitted.iter().map(|algorithm| algorithm.jca_name()).collect(),
            provider: pair.provider.name(),
            origin: pair.origin.name(),
            missing: pair.missing,
            created_at: pair.created_at.to_string(),
            activated_at: pair.activated_at.map(|at| at.to_string()),
            deactivated_at: pair.deactivated_at.map(|at| at.to_string()),
        }
    }
}
