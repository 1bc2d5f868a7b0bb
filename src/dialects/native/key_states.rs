//! States that an operator gives a key: suspended for a while, or compromised for ever.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::error::{BodyRefusals, PathRefusals, Problem, Refusals};
use super::keys::{KeyView, name};
use crate::http::Services;
use crate::http::extract::{Call, JsonBody, PathSegment, asked};
use crate::services::rotation::{CompromiseKey, Compromised};

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/v1/keys/{kid}/suspend", post(suspend))
        .route("/v1/keys/{kid}/reinstate", post(reinstate))
        .route("/v1/keys/{kid}/compromise", post(compromise))
}

#[derive(OpenApi)]
#[openapi(paths(suspend, reinstate, compromise))]
pub(super) struct Document;

/// How a key is suspended.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Suspend {
    /// Whether the key stays in the key sets meanwhile: `true` when absent.
    #[schema(nullable = false)]
    published: Option<bool>,
}

/// A compromised key, and what followed it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CompromisedKey {
    /// The key.
    key: KeyView,
    /// The key that signs in its ring now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    active: Option<KeyView>,
    /// Why a ring that was left without a key has none yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    without_successor: Option<String>,
    /// Until when verifiers may still trust the key, because they keep a key set that has it.
    #[schema(format = DateTime, example = "2026-08-13T20:26:00.000Z")]
    cached_until: String,
}

/// Suspends a key: it signs and decrypts nothing until it is reinstated.
///
/// No other key takes its place; it stays in the key sets unless `published` is false.
#[utoipa::path(
    post, path = "/v1/keys/{kid}/suspend", operation_id = "suspendKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    request_body = Option<Suspend>,
    responses((status = 200, description = "The key pair.", body = KeyView), PathRefusals, BodyRefusals, Refusals)
)]
async fn suspend(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::SuspendKey, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
    body: Option<JsonBody<Suspend, Problem>>,
) -> Result<Json<KeyView>, Problem> {
    let published = body.and_then(|body| body.value.published).unwrap_or(true);
    Ok(Json(KeyView::of(&services.keyring.suspend(&who, &name(&kid)?, published).await?)))
}

/// Reinstates a suspended key: it returns to the state that it came from.
///
/// A key that was Active is Deactivated where another became Active meanwhile.
#[utoipa::path(
    post, path = "/v1/keys/{kid}/reinstate", operation_id = "reinstateKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    responses((status = 200, description = "The key pair.", body = KeyView), PathRefusals, Refusals)
)]
async fn reinstate(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReinstateKey, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
) -> Result<Json<KeyView>, Problem> {
    Ok(Json(KeyView::of(&services.keyring.reinstate(&who, &name(&kid)?).await?)))
}

/// Compromises a key: it leaves every key set at once and never signs again.
///
/// If it was the one that signs, the waiting successor, or else a new key, becomes Active in the same transaction. A
/// successor that cannot be made now does not save the key; sweeps make it as soon as they can.
#[utoipa::path(
    post, path = "/v1/keys/{kid}/compromise", operation_id = "compromiseKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    responses(
        (status = 200, description = "The key, and the one that signs now.", body = CompromisedKey),
        PathRefusals, Refusals
    )
)]
async fn compromise(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::CompromiseKey, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
) -> Result<Json<CompromisedKey>, Problem> {
    let request = CompromiseKey { name: name(&kid)?, deadline: services.generate_deadline };
    Ok(Json(CompromisedKey::of(services.rotation.compromise(&who, request).await?)))
}

impl CompromisedKey {
    fn of(Compromised { key, active, without_successor, cached_until }: Compromised) -> Self {
        Self {
            key: KeyView::of(&key),
            active: active.as_ref().map(KeyView::of),
            without_successor,
            cached_until: cached_until.to_string(),
        }
    }
}
