//! States that an operator gives a key: suspended for a while, compromised for ever, destroyed once a window ends.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::error::{BodyRefusals, PathRefusals, Problem, Refusals};
use super::keys::{KeyView, name};
use crate::http::Services;
use crate::http::extract::{Call, JsonBody, PathSegment, asked};
use crate::services::rotation::{CompromiseKey, Compromised};
use strongroom_domain::error::{Error, Rule, Violation};

const DAY: Duration = Duration::from_secs(86_400);
/// The longest window.
const MOST_DAYS: u32 = 365;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/v1/keys/{kid}/suspend", post(suspend))
        .route("/v1/keys/{kid}/reinstate", post(reinstate))
        .route("/v1/keys/{kid}/compromise", post(compromise))
        .route("/v1/keys/{kid}/schedule-destruction", post(schedule_destruction))
        .route("/v1/keys/{kid}/restore", post(restore))
        .route("/v1/keys/{kid}/destroy", post(destroy))
}

#[derive(OpenApi)]
#[openapi(paths(suspend, reinstate, compromise, schedule_destruction, restore, destroy))]
pub(super) struct Document;

/// How a key is suspended.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Suspend {
    /// Whether the key stays in the key sets meanwhile: `true` when absent.
    #[schema(nullable = false)]
    published: Option<bool>,
}

/// When a key is destroyed.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ScheduleDestruction {
    /// Days until then; the configured window of the key's provider when absent.
    #[schema(nullable = false, minimum = 1, maximum = 365, example = 7)]
    days: Option<u32>,
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

/// Schedules the destruction of a key: it leaves its ring and every key set at once, and can be restored until then.
///
/// The Active key of a ring with others is refused, and so is a key that something refers to.
#[utoipa::path(
    post, path = "/v1/keys/{kid}/schedule-destruction", operation_id = "scheduleKeyDestruction", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    request_body = Option<ScheduleDestruction>,
    responses((status = 200, description = "The key pair.", body = KeyView), PathRefusals, BodyRefusals, Refusals)
)]
async fn schedule_destruction(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::DeleteKey, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
    body: Option<JsonBody<ScheduleDestruction, Problem>>,
) -> Result<Json<KeyView>, Problem> {
    let window = window(body.and_then(|body| body.value.days))?;
    Ok(Json(KeyView::of(&services.keyring.schedule_destruction(&who, &name(&kid)?, window).await?)))
}

/// Cancels the destruction of a key: it is Suspended and in no key set, until it is reinstated.
///
/// A compromised key is Compromised again.
#[utoipa::path(
    post, path = "/v1/keys/{kid}/restore", operation_id = "restoreKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    responses((status = 200, description = "The key pair.", body = KeyView), PathRefusals, Refusals)
)]
async fn restore(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::RestoreKey, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
) -> Result<Json<KeyView>, Problem> {
    Ok(Json(KeyView::of(&services.keyring.restore(&who, &name(&kid)?).await?)))
}

/// Destroys a key now, whether its destruction is scheduled or not.
///
/// The private key is destroyed in its provider shortly afterwards, unless it was linked. The Active key of a ring with
/// others is refused, and so is a key that something refers to.
#[utoipa::path(
    post, path = "/v1/keys/{kid}/destroy", operation_id = "destroyKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    responses((status = 204, description = "Its destruction is committed."), PathRefusals, Refusals)
)]
async fn destroy(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::DestroyKey, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
) -> Result<StatusCode, Problem> {
    services.keyring.destroy(&who, &name(&kid)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The window of so many days.
fn window(days: Option<u32>) -> Result<Option<Duration>, Error> {
    let Some(days) = days else { return Ok(None) };
    if !(1..=MOST_DAYS).contains(&days) {
        let message = format!("must be from 1 to {MOST_DAYS} days.");
        return Err(Error::invalid(vec![Violation::at("days", Rule::InvalidValue, message)]));
    }
    Ok(Some(DAY * days))
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
