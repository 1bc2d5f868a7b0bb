//! The routes of signatures and decryption, each by key and by ring.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::Response;
use axum::routing::{MethodRouter, post};
use utoipa::OpenApi;

use super::error::{BodyRefusals, PathRefusals, Problem, Refusals};
use super::request_timeout::{RequestTimeout, SigningCall};
use super::{decrypt, jws, keys, rings, sign};
use crate::http::Services;
use crate::http::extract::{Call, JsonBody, PathSegment, asked};
use crate::services::signing::Target;

/// The largest body of a batch, in bytes.
const BATCH_BODY: usize = 8 * 1024 * 1024;

type Answer<T> = Result<Json<T>, Problem>;

pub(super) fn routes() -> Router<Arc<Services>> {
    let batch = |route: MethodRouter<Arc<Services>>| route.layer(DefaultBodyLimit::max(BATCH_BODY));
    Router::new()
        .route("/v1/keys/{kid}/sign", post(sign_by_key))
        .route("/v1/keys/{kid}/sign-batch", batch(post(sign_batch_by_key)))
        .route("/v1/keys/{kid}/verify", post(verify_by_key))
        .route("/v1/keys/{kid}/jws", post(jws_by_key))
        .route("/v1/key-rings/{ring}/sign", post(sign_by_ring))
        .route("/v1/key-rings/{ring}/sign-batch", batch(post(sign_batch_by_ring)))
        .route("/v1/key-rings/{ring}/verify", post(verify_by_ring))
        .route("/v1/key-rings/{ring}/jws", post(jws_by_ring))
        .route("/v1/keys/{kid}/decrypt", post(decrypt_by_key))
        .route("/v1/key-rings/{ring}/decrypt", post(decrypt_by_ring))
}

/// The part of the OpenAPI document that describes signatures and decryption.
#[derive(OpenApi)]
#[openapi(paths(
    sign_by_key,
    sign_batch_by_key,
    verify_by_key,
    jws_by_key,
    sign_by_ring,
    sign_batch_by_ring,
    verify_by_ring,
    jws_by_ring,
    decrypt_by_key,
    decrypt_by_ring
))]
pub(super) struct Document;

/// Signs one input, with a key.
#[utoipa::path(
    post, path = "/v1/keys/{kid}/sign", operation_id = "signByKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair."), RequestTimeout),
    request_body = sign::SignRequest,
    responses((status = 200, description = "The signature.", body = sign::SignAnswer), PathRefusals, BodyRefusals, Refusals)
)]
async fn sign_by_key(
    State(services): State<Arc<Services>>,
    SigningCall(caller, _): SigningCall<asked::Sign>,
    PathSegment(kid, _): PathSegment<Problem>,
    body: JsonBody<sign::SignRequest, Problem>,
) -> Answer<sign::SignAnswer> {
    let target = Target::Key(keys::name(&kid)?);
    Ok(Json(sign::sign(&services, &caller, &target, body.value).await?))
}

/// Signs up to 1,000 inputs with a key; one that fails, fails alone. The body may have 8 MiB.
#[utoipa::path(
    post, path = "/v1/keys/{kid}/sign-batch", operation_id = "signBatchByKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair."), RequestTimeout),
    request_body = sign::BatchRequest,
    responses((status = 200, description = "Signatures and failures, in order.", body = sign::BatchAnswer), PathRefusals, BodyRefusals, Refusals)
)]
async fn sign_batch_by_key(
    State(services): State<Arc<Services>>,
    SigningCall(caller, _): SigningCall<asked::Sign>,
    PathSegment(kid, _): PathSegment<Problem>,
    body: JsonBody<sign::BatchRequest, Problem>,
) -> Result<Response, Problem> {
    let target = Target::Key(keys::name(&kid)?);
    Ok(sign::sign_batch(&services, &caller, &target, body.value).await?)
}

/// Verifies a signature, with a key.
#[utoipa::path(
    post, path = "/v1/keys/{kid}/verify", operation_id = "verifyByKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    request_body = sign::VerifyRequest,
    responses((status = 200, description = "Whether it is valid.", body = sign::VerifyAnswer), PathRefusals, BodyRefusals, Refusals)
)]
async fn verify_by_key(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::Verify, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
    body: JsonBody<sign::VerifyRequest, Problem>,
) -> Answer<sign::VerifyAnswer> {
    let target = Target::Key(keys::name(&kid)?);
    Ok(Json(sign::verify(&services, &who, &target, body.value).await?))
}

/// Makes a JWS, with a key.
#[utoipa::path(
    post, path = "/v1/keys/{kid}/jws", operation_id = "jwsByKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair."), RequestTimeout),
    request_body = jws::JwsRequest,
    responses((status = 200, description = "The JWS.", body = jws::JwsAnswer), PathRefusals, BodyRefusals, Refusals)
)]
async fn jws_by_key(
    State(services): State<Arc<Services>>,
    SigningCall(caller, _): SigningCall<asked::Sign>,
    PathSegment(kid, _): PathSegment<Problem>,
    body: JsonBody<jws::JwsRequest, Problem>,
) -> Answer<jws::JwsAnswer> {
    let target = Target::Key(keys::name(&kid)?);
    Ok(Json(jws::jws(&services, &caller, &target, body.value).await?))
}

/// Signs one input, with a ring's Active key.
#[utoipa::path(
    post, path = "/v1/key-rings/{ring}/sign", operation_id = "signByRing", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`."), RequestTimeout),
    request_body = sign::SignRequest,
    responses((status = 200, description = "The signature.", body = sign::SignAnswer), PathRefusals, BodyRefusals, Refusals)
)]
async fn sign_by_ring(
    State(services): State<Arc<Services>>,
    SigningCall(caller, _): SigningCall<asked::Sign>,
    PathSegment(ring, _): PathSegment<Problem>,
    body: JsonBody<sign::SignRequest, Problem>,
) -> Answer<sign::SignAnswer> {
    let target = Target::Ring(rings::id(&ring)?);
    Ok(Json(sign::sign(&services, &caller, &target, body.value).await?))
}

/// Signs up to 1,000 inputs with a ring's Active key; one that fails, fails alone. The body may have 8 MiB.
#[utoipa::path(
    post, path = "/v1/key-rings/{ring}/sign-batch", operation_id = "signBatchByRing", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`."), RequestTimeout),
    request_body = sign::BatchRequest,
    responses((status = 200, description = "Signatures and failures, in order.", body = sign::BatchAnswer), PathRefusals, BodyRefusals, Refusals)
)]
async fn sign_batch_by_ring(
    State(services): State<Arc<Services>>,
    SigningCall(caller, _): SigningCall<asked::Sign>,
    PathSegment(ring, _): PathSegment<Problem>,
    body: JsonBody<sign::BatchRequest, Problem>,
) -> Result<Response, Problem> {
    let target = Target::Ring(rings::id(&ring)?);
    Ok(sign::sign_batch(&services, &caller, &target, body.value).await?)
}

/// Verifies a signature, with a ring's Active key.
#[utoipa::path(
    post, path = "/v1/key-rings/{ring}/verify", operation_id = "verifyByRing", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`.")),
    request_body = sign::VerifyRequest,
    responses((status = 200, description = "Whether it is valid.", body = sign::VerifyAnswer), PathRefusals, BodyRefusals, Refusals)
)]
async fn verify_by_ring(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::Verify, Problem>,
    PathSegment(ring, _): PathSegment<Problem>,
    body: JsonBody<sign::VerifyRequest, Problem>,
) -> Answer<sign::VerifyAnswer> {
    let target = Target::Ring(rings::id(&ring)?);
    Ok(Json(sign::verify(&services, &who, &target, body.value).await?))
}

/// Makes a JWS, with a ring's Active key.
#[utoipa::path(
    post, path = "/v1/key-rings/{ring}/jws", operation_id = "jwsByRing", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`."), RequestTimeout),
    request_body = jws::JwsRequest,
    responses((status = 200, description = "The JWS.", body = jws::JwsAnswer), PathRefusals, BodyRefusals, Refusals)
)]
async fn jws_by_ring(
    State(services): State<Arc<Services>>,
    SigningCall(caller, _): SigningCall<asked::Sign>,
    PathSegment(ring, _): PathSegment<Problem>,
    body: JsonBody<jws::JwsRequest, Problem>,
) -> Answer<jws::JwsAnswer> {
    let target = Target::Ring(rings::id(&ring)?);
    Ok(Json(jws::jws(&services, &caller, &target, body.value).await?))
}

/// Decrypts, with a key whose use is decryption.
///
/// Every ciphertext that does not decrypt gets the same answer, whatever is wrong with it.
#[utoipa::path(
    post, path = "/v1/keys/{kid}/decrypt", operation_id = "decryptByKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair."), RequestTimeout),
    request_body = decrypt::DecryptRequest,
    responses((status = 200, description = "The plaintext.", body = decrypt::DecryptAnswer), PathRefusals, BodyRefusals, Refusals)
)]
async fn decrypt_by_key(
    State(services): State<Arc<Services>>,
    SigningCall(caller, _): SigningCall<asked::Decrypt>,
    PathSegment(kid, _): PathSegment<Problem>,
    body: JsonBody<decrypt::DecryptRequest, Problem>,
) -> Answer<decrypt::DecryptAnswer> {
    let target = Target::Key(keys::name(&kid)?);
    Ok(Json(decrypt::decrypt(&services, &caller, &target, body.value).await?))
}

/// Decrypts, with a ring's Active key.
///
/// Every ciphertext that does not decrypt gets the same answer, whatever is wrong with it.
#[utoipa::path(
    post, path = "/v1/key-rings/{ring}/decrypt", operation_id = "decryptByRing", tag = "Native",
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`."), RequestTimeout),
    request_body = decrypt::DecryptRequest,
    responses((status = 200, description = "The plaintext.", body = decrypt::DecryptAnswer), PathRefusals, BodyRefusals, Refusals)
)]
async fn decrypt_by_ring(
    State(services): State<Arc<Services>>,
    SigningCall(caller, _): SigningCall<asked::Decrypt>,
    PathSegment(ring, _): PathSegment<Problem>,
    body: JsonBody<decrypt::DecryptRequest, Problem>,
) -> Answer<decrypt::DecryptAnswer> {
    let target = Target::Ring(rings::id(&ring)?);
    Ok(Json(decrypt::decrypt(&services, &caller, &target, body.value).await?))
}
