//! Key rings: which there are, what is in one, and what is planned for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{PathRefusals, Problem, Refusals};
use super::keys::{KeyView, Paging, paging};
use crate::http::Services;
use crate::http::extract::{Call, PathSegment, asked};
use crate::services::lifecycle::KeyRing;
use crate::services::rotation::{RingPlan, Step};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{self, RingId};

/// A key ring, its key pairs and its future.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyRingView {
    /// What the ring serves, and its name there.
    #[schema(example = "signing:orders-2026")]
    id: String,
    /// The Active one first.
    keys: Vec<KeyView>,
    /// What rotation will do, the earliest first; empty where nothing is planned.
    next_steps: Vec<StepView>,
}

/// One thing that rotation will do to a ring.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RotationStep)]
struct StepView {
    /// `create` a successor, `activate` it, `withdraw` a deactivated key from the published sets, `destroy` one.
    #[schema(example = "activate")]
    step: &'static str,
    /// UTC with milliseconds; a moment that has passed means at the next sweep.
    #[schema(format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    at: String,
    /// Id of the key pair that it is about; absent while that is not made yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    /// Why, in words.
    #[schema(example = "its certificate expires at 2026-09-12T20:21:00.000Z")]
    reason: String,
    /// The key signs before it was published for the whole lead.
    early: bool,
}

/// Key rings, and where to go on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyRingPage {
    key_rings: Vec<RingSummary>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A key ring in a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KeyRingSummary)]
struct RingSummary {
    /// What the ring serves, and its name there.
    #[schema(example = "signing:orders-2026")]
    id: String,
    /// How many key pairs it has in each state.
    #[schema(example = json!({"Active": 1, "Deactivated": 1}))]
    states: BTreeMap<&'static str, usize>,
    /// Kid of the key pair that signs; absent where none does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")]
    active: Option<String>,
}

/// Lists key rings by id.
#[utoipa::path(
    get, path = "/v1/key-rings", operation_id = "listKeyRings", tag = "Native", params(Paging),
    responses((status = 200, description = "A page.", body = KeyRingPage), PathRefusals, Refusals)
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ListKeys, Problem>,
    RawQuery(query): RawQuery,
) -> Result<Json<KeyRingPage>, Problem> {
    let (cursor, limit) = paging::<RingId>(query.as_deref())?;
    let (rings, next) = services.keyring.rings(&who, cursor.as_ref(), limit).await?;
    let mut key_rings = Vec::with_capacity(rings.len());
    for id in rings {
        match services.keyring.ring(&who, &id).await {
            Ok(ring) => key_rings.push(RingSummary::of(&ring)),
            // Its last key was deleted meanwhile.
            Err(failure) if failure.kind() == ErrorKind::NotFound => {}
            Err(failure) => return Err(failure.into()),
        }
    }
    Ok(Json(KeyRingPage { key_rings, next: next.map(|id| id.to_string()) }))
}

/// Gets a key ring with its visible key pairs and what is planned for them.
#[utoipa::path(
    get, path = "/v1/key-rings/{ring}", operation_id = "getKeyRing", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`.")),
    responses((status = 200, description = "The ring.", body = KeyRingView), PathRefusals, Refusals)
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadKey, Problem>,
    PathSegment(ring, _): PathSegment<Problem>,
) -> Result<Json<KeyRingView>, Problem> {
    Ok(Json(KeyRingView::of(&services.rotation.ring_plan(&who, &id(&ring)?).await?)))
}

/// The ring that a path's segment names.
///
/// # Errors
/// `Malformed` when it is no id of a ring.
pub(crate) fn id(ring: &str) -> Result<RingId, Error> {
    ring.parse().map_err(|fault| Error::new(ErrorKind::Malformed, format!("{fault}")))
}

impl KeyRingView {
    pub(super) fn of(RingPlan { ring, plan, .. }: &RingPlan) -> Self {
        Self {
            id: ring.id.to_string(),
            keys: ring.keys.iter().map(KeyView::of).collect(),
            next_steps: plan.steps.iter().map(StepView::of).collect(),
        }
    }
}

impl StepView {
    fn of(step: &Step) -> Self {
        Self {
            step: step.kind.name(),
            at: step.at.to_string(),
            key_id: step.kind.key().map(|key| key.to_string()),
            reason: step.reason.clone(),
            early: step.early,
        }
    }
}

impl RingSummary {
    fn of(ring: &KeyRing) -> Self {
        let mut states = BTreeMap::new();
        for pair in &ring.keys {
            *states.entry(pair.state.name()).or_default() += 1;
        }
        let active = ring.keys.iter().find(|pair| pair.state == key::KeyState::Active);
        let active = active.and_then(|pair| pair.kid.as_ref()).map(ToString::to_string);
        Self { id: ring.id.to_string(), states, active }
    }
}
