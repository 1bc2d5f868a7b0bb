//! One sweep of rotation, at once.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, RawQuery, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{Problem, ProblemDetails, Refusals};
use crate::http::Services;
use crate::http::extract::{Call, asked};
use crate::services::rotation::{Step, SweepMode, SweepOutcome, SweepResult};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::RingId;

/// How a sweep is made.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[into_params(parameter_in = Query)]
pub(super) struct Options {
    /// Only say what is due.
    #[serde(default)]
    #[param(default = false)]
    dry_run: bool,
}

/// What a sweep did.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SweepReport {
    /// `done`; `planned` where nothing was to be carried out; `held`: the clock stands where it should not, and
    /// nothing was carried out; `elsewhere`: another daemon is sweeping; `cut`: the rest is left to the next sweep.
    #[schema(example = "done")]
    outcome: &'static str,
    /// Why it was held.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
    /// What was carried out; what is due where nothing was.
    steps: Vec<StepView>,
    /// Rings where it failed; they are tried again later.
    failures: Vec<FailureView>,
    /// Destructions that are due and left to later sweeps.
    postponed: usize,
}

/// One step of one ring.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct StepView {
    #[schema(example = "signing:orders-2026")]
    key_ring: String,
    /// `create`, `activate`, `replace` or `destroy`.
    #[schema(example = "activate")]
    kind: &'static str,
    /// The key pair that it is about; absent where it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    key_id: Option<String>,
    /// When it was due.
    #[schema(format = DateTime)]
    at: String,
    reason: String,
    /// It came before the successor had been published for its lead.
    early: bool,
}

/// A ring where a step failed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FailureView {
    key_ring: String,
    detail: String,
}

/// Carries out what rotation has due now.
///
/// Takes the scope `manage` or `operate`. Runs also where sweeps are not enabled.
#[utoipa::path(
    post, path = "/v1/rotation/sweep", operation_id = "sweepRotation", tag = "Native", params(Options),
    responses(
        (status = 200, description = "What was done.", body = SweepReport),
        (status = 400, description = "The query cannot be read.", body = ProblemDetails,
            content_type = "application/problem+json"),
        Refusals
    )
)]
pub(super) async fn sweep(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::Sweep, Problem>,
    RawQuery(query): RawQuery,
) -> Result<Json<SweepReport>, Problem> {
    let mode = if options(query.as_deref())?.dry_run { SweepMode::PlanOnly } else { SweepMode::Run };
    Ok(Json(SweepReport::from(services.rotation.sweep(&who, mode).await?)))
}

fn options(query: Option<&str>) -> Result<Options, Error> {
    let malformed = |why: &str| Error::new(ErrorKind::Malformed, format!("the query cannot be read: {why}"));
    let uri = format!("/?{}", query.unwrap_or_default()).parse().map_err(|_| malformed("it is no query"))?;
    let Query(options) = Query::<Options>::try_from_uri(&uri).map_err(|rejection| malformed(&rejection.body_text()))?;
    Ok(options)
}

impl From<SweepResult> for SweepReport {
    fn from(sweep: SweepResult) -> Self {
        let outcome = sweep.outcome.name();
        let step = |(ring, step): (RingId, Step)| StepView {
            key_ring: ring.to_string(),
            kind: step.kind.name(),
            key_id: step.kind.key().map(|key| key.to_string()),
            at: step.at.to_string(),
            reason: step.reason,
            early: step.early,
        };
        let failure = |(ring, detail): (RingId, String)| FailureView { key_ring: ring.to_string(), detail };
        Self {
            outcome,
            detail: if let SweepOutcome::Held(why) = sweep.outcome { Some(why) } else { None },
            steps: sweep.steps.into_iter().map(step).collect(),
            failures: sweep.failures.into_iter().map(failure).collect(),
            postponed: sweep.postponed,
        }
    }
}
