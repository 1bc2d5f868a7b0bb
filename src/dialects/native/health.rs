//! Whether the daemon lives, whether it can work, and its measurements.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{Problem, Refusals};
use crate::http::Services;
use crate::http::extract::{Call, asked};

const PROMETHEUS_TEXT: [(HeaderName, &str); 1] = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];

pub(crate) fn routes() -> Router<Arc<Services>> {
    Router::new().route("/livez", get(alive)).route("/readyz", get(ready)).route("/metrics", get(metrics))
}

/// Whether the daemon can work.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Logged in to every provider, and the store answers.
    ready: bool,
    /// What is wrong and what would help, one sentence each; empty when ready.
    #[schema(example = json!(["The token is not present: no slot holds a token labelled prod-keys."]))]
    ailments: Vec<String>,
}

/// Says that the process answers.
#[utoipa::path(
    get, path = "/livez", operation_id = "live", tag = "Health", security(()),
    responses((status = 200, description = "The process answers.", body = String, content_type = "text/plain"))
)]
async fn alive() -> &'static str {
    "alive\n"
}

/// Says whether key pairs can be made and used, and if not, why.
///
/// Open to all, because probes carry no credentials: its sentences are written for operators and name
/// tokens by label. The daemon listens on loopback or behind a proxy; a proxy need not pass this path on.
#[utoipa::path(
    get, path = "/readyz", operation_id = "ready", tag = "Health", security(()),
    responses(
        (status = 200, description = "Ready.", body = Readiness),
        (status = 503, description = "Not ready; it tries again by itself.", body = Readiness,
            headers(("Retry-After" = u32, description = "Seconds."))),
    )
)]
async fn ready(State(services): State<Arc<Services>>) -> Response {
    let ailments = services.readiness.unready_reasons().await;
    let readiness = Readiness { ready: ailments.is_empty(), ailments };
    if readiness.ready {
        Json(readiness).into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")], Json(readiness)).into_response()
    }
}

/// Gives the measurements of the process in Prometheus text format.
#[utoipa::path(
    get, path = "/metrics", operation_id = "metrics", tag = "Health",
    responses(
        (status = 200, description = "Measurements.", body = String, content_type = "text/plain"),
        Refusals,
    )
)]
async fn metrics(State(services): State<Arc<Services>>, _: Call<asked::ReadMetrics, Problem>) -> Response {
    (PROMETHEUS_TEXT, (services.metrics)()).into_response()
}
