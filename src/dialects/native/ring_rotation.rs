//! Rotation of a ring: now, and how often by itself.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::error::{BodyRefusals, PathRefusals, Problem, Refusals};
use super::rings::{self, KeyRingView};
use crate::http::Services;
use crate::http::extract::{Call, Idempotency, JsonBody, PathSegment, asked};
use crate::services::rotation::RotateRing;
use strongroom_domain::error::{Error, ErrorKind, Rule, Violation};
use strongroom_domain::key::{KeyAlgorithm, RingId, RingKind, SignatureAlgorithm};
use strongroom_formats::jose;

const DAY: u64 = 24 * 3600;
/// Ten years.
const MAX_PERIOD_DAYS: u32 = 3650;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/v1/key-rings/{ring}/rotate", post(rotate))
        .route("/v1/key-rings/{ring}/rotation", get(period).put(set_period).delete(forget_period))
}

/// The part of the OpenAPI document that describes rotation.
#[derive(OpenApi)]
#[openapi(paths(rotate, period, set_period, forget_period))]
pub(super) struct Document;

/// How a ring is rotated.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Rotate {
    /// Key algorithm and size of the new key, such as `rsa-2048` or `p-256`; as before when absent.
    #[schema(nullable = false, example = "p-256")]
    algorithm: Option<String>,
    /// JOSE or JCA name of its signature algorithm; what is usual for `algorithm` when absent, without which it
    /// cannot be given.
    #[schema(nullable = false, example = "ES256")]
    signature_algorithm: Option<String>,
}

/// How often the key of a ring is succeeded by itself.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RotationPeriod {
    /// Days from the activation of a key to that of its successor.
    #[schema(minimum = 1, maximum = 3650, example = 90)]
    period_days: u32,
}

/// Rotates a key ring now: a successor becomes Active, and the key that was is Deactivated.
///
/// A waiting successor is taken, else a new key is made. An answer of 5xx means that nothing was changed. With an
/// `Idempotency-Key`, a request that is sent again within 24 hours rotates once.
#[utoipa::path(
    post, path = "/v1/key-rings/{ring}/rotate", operation_id = "rotateKeyRing", tag = "Native",
    params(
        ("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`."),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, pattern = "^[!-~]{1,255}$",
            description = "A name for this request, unique among those of the caller.")
    ),
    request_body = Option<Rotate>,
    responses((status = 200, description = "The ring as it is now.", body = KeyRingView),
        PathRefusals, BodyRefusals, Refusals)
)]
async fn rotate(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::RotateRing, Problem>,
    PathSegment(ring, _): PathSegment<Problem>,
    Idempotency(key, _): Idempotency<Problem>,
    body: Option<JsonBody<Rotate, Problem>>,
) -> Result<Json<KeyRingView>, Problem> {
    let ring = rings::id(&ring)?;
    let (wire, body) = body.map(|body| (body.value, body.bytes)).unwrap_or_default();
    let route = || format!("POST /v1/key-rings/{ring}/rotate");
    let who = who.with_idempotency(services.idempotency(key, route, &body));
    let rotation = RotateRing { algorithm: wire.algorithms()?, deadline: services.generate_deadline, ring };
    let ring = rotation.ring.clone();
    services.rotation.rotate(&who, rotation).await?;
    Ok(Json(KeyRingView::of(&services.rotation.ring_plan(&who, &ring).await?)))
}

/// Gets how often the key of a ring is succeeded by itself.
#[utoipa::path(
    get, path = "/v1/key-rings/{ring}/rotation", operation_id = "getKeyRingRotation", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring: `connection:` and a name, or `web-keys`.")),
    responses((status = 200, description = "The period that was set for the ring.", body = RotationPeriod),
        PathRefusals, BodyRefusals, Refusals)
)]
async fn period(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadSettings, Problem>,
    PathSegment(ring, _): PathSegment<Problem>,
) -> Result<Json<RotationPeriod>, Problem> {
    let period = services.catalog.rotation_period(&who, &periodic(&ring)?).await?;
    Ok(Json(RotationPeriod { period_days: u32::try_from(period.as_secs() / DAY).unwrap_or(u32::MAX) }))
}

/// Sets how often the key of a ring is succeeded by itself, in place of what the configuration says.
#[utoipa::path(
    put, path = "/v1/key-rings/{ring}/rotation", operation_id = "updateKeyRingRotation", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring: `connection:` and a name, or `web-keys`.")),
    request_body = RotationPeriod,
    responses((status = 200, description = "The period.", body = RotationPeriod),
        PathRefusals, BodyRefusals, Refusals)
)]
async fn set_period(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, Problem>,
    PathSegment(ring, _): PathSegment<Problem>,
    body: JsonBody<RotationPeriod, Problem>,
) -> Result<Json<RotationPeriod>, Problem> {
    let ring = periodic(&ring)?;
    if !(1..=MAX_PERIOD_DAYS).contains(&body.value.period_days) {
        let message = format!("must be from 1 to {MAX_PERIOD_DAYS} days.");
        return Err(Error::invalid(vec![Violation::at("periodDays", Rule::InvalidValue, message)]).into());
    }
    let period = Duration::from_secs(u64::from(body.value.period_days) * DAY);
    services.catalog.put_rotation_period(&who, &ring, period).await?;
    Ok(Json(body.value))
}

/// Forgets the period of a ring: what the configuration says holds from then on.
#[utoipa::path(
    delete, path = "/v1/key-rings/{ring}/rotation", operation_id = "deleteKeyRingRotation", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring: `connection:` and a name, or `web-keys`.")),
    responses((status = 204, description = "Forgotten."), PathRefusals, BodyRefusals, Refusals)
)]
async fn forget_period(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, Problem>,
    PathSegment(ring, _): PathSegment<Problem>,
) -> Result<StatusCode, Problem> {
    services.catalog.delete_rotation_period(&who, &periodic(&ring)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The ring that a path's segment names, if it is one that is rotated by a period.
fn periodic(ring: &str) -> Result<RingId, Error> {
    let ring = rings::id(ring)?;
    match ring.kind() {
        RingKind::Connection | RingKind::WebKeys => Ok(ring),
        RingKind::Signing | RingKind::SslServer | RingKind::SslClient => Err(Error::new(
            ErrorKind::Unsupported,
            "a rotation period is for web-keys and connection: rings; a signing: ring has rotation settings",
        )),
    }
}

impl Rotate {
    /// What the new key shall be.
    pub(super) fn algorithms(&self) -> Result<Option<(KeyAlgorithm, SignatureAlgorithm)>, Error> {
        let invalid =
            |path: &str, message: String| Error::invalid(vec![Violation::at(path, Rule::InvalidValue, message)]);
        let Some(name) = &self.algorithm else {
            return match self.signature_algorithm {
                None => Ok(None),
                Some(_) => Err(invalid("signatureAlgorithm", "goes with algorithm only.".to_owned())),
            };
        };
        let known = || KeyAlgorithm::all().map(KeyAlgorithm::name).collect::<Vec<_>>().join(", ");
        let algorithm = KeyAlgorithm::from_name(name);
        let algorithm = algorithm.ok_or_else(|| invalid("algorithm", format!("must be one of {}.", known())))?;
        let fitting = algorithm.signature_algorithms();
        let signature = match &self.signature_algorithm {
            None => fitting.first().copied(),
            Some(name) => SignatureAlgorithm::from_jca_name(name)
                .filter(|signature| fitting.contains(signature))
                .or_else(|| jose::algorithm_of(algorithm, name)),
        };
        let names = || fitting.iter().map(|fit| fit.jca_name()).collect::<Vec<_>>().join(", ");
        let signature = signature
            .ok_or_else(|| invalid("signatureAlgorithm", format!("of {algorithm} must be one of {}.", names())))?;
        Ok(Some((algorithm, signature)))
    }
}
