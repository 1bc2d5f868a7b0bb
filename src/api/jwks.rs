//! Public key sets: anybody may have them, and keep them for as long as the schedule allows.
//!
//! They are sent as `application/json`, as the products do: clients that are strict about
//! content types know that one, and `application/jwk-set+json` not always.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Map, Value};
use utoipa::{OpenApi, ToSchema};

use super::Services;
use super::auth0::{ApiError, ApiErrorBody};
use super::extract::Segment;
use super::native::{PathRefusals, Problem, ring_id};
use crate::rotation::Published;
use strongroom_domain::error::Error;

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .route("/pf/JWKS", get(oidc))
        .route("/v1/key-rings/{ring}/jwks.json", get(ring))
        .route("/oauth/connection/{name}/.well-known/jwks.json", get(connection))
        .route("/oauth/v2/keys", get(web_keys))
}

/// The part of the OpenAPI document that describes key sets.
#[derive(OpenApi)]
#[openapi(paths(oidc, ring, connection, web_keys), components(schemas(JwkSet)))]
pub(super) struct Document;

/// Public keys (RFC 7517 section 5).
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what the domain writes")]
struct JwkSet {
    /// `kty`, `use`, `kid`, `alg`, the members of the public key (RFC 7518 section 6, RFC 8037 section 2), and
    /// `x5c` with `x5t#S256` where a certificate is shown.
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Map<String, Value>>,
}

/// Gets the keys that OAuth and `OpenID` Connect tokens are signed with and encrypted to.
#[utoipa::path(
    get, path = "/pf/JWKS", operation_id = "getOidcKeySet", tag = "Key sets", security(()),
    responses(
        (status = 200, description = "The keys that the settings name; none until they name some.", body = JwkSet),
        (status = 304, description = "The caller has them.")
    )
)]
async fn oidc(State(services): State<Arc<Services>>, headers: HeaderMap) -> Result<Response, Problem> {
    Ok(answer(&services, &Published::Oidc, &headers, "public, ").await?)
}

/// Gets the public keys of a key ring.
#[utoipa::path(
    get, path = "/v1/key-rings/{ring}/jwks.json", operation_id = "getKeyRingKeySet", tag = "Key sets", security(()),
    params(("ring" = String, Path, description = "Id of the ring, for example `signing:orders-2026`.")),
    responses(
        (status = 200, description = "The key that signs, the one that will, and those that did lately.", body = JwkSet),
        (status = 304, description = "The caller has them."),
        PathRefusals
    )
)]
async fn ring(
    State(services): State<Arc<Services>>,
    Segment(ring, _): Segment<Problem>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    Ok(answer(&services, &Published::Ring(ring_id(&ring)?), &headers, "public, ").await?)
}

/// Gets the public keys of a connection.
#[utoipa::path(
    get, path = "/oauth/connection/{name}/.well-known/jwks.json", operation_id = "getConnectionKeySet",
    tag = "Key sets", security(()),
    params(("name" = String, Path, description = "Name of the connection.")),
    responses(
        (status = 200, description = "The key that signs, the one that will, and those that did lately.", body = JwkSet),
        (status = 304, description = "The caller has them."),
        (status = 400, description = "The path is not UTF-8.", body = ApiErrorBody),
        (status = 404, description = "There is no connection of this name, or it has no keys.", body = ApiErrorBody)
    )
)]
async fn connection(
    State(services): State<Arc<Services>>,
    Segment(name, _): Segment<ApiError>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = Published::ConnectionNamed(name);
    answer(&services, &place, &headers, "public, ").await.map_err(ApiError::of_rotation)
}

/// Gets the public web keys.
#[utoipa::path(
    get, path = "/oauth/v2/keys", operation_id = "getWebKeySet", tag = "Key sets", security(()),
    responses(
        (status = 200, description = "Every web key that was not deleted.", body = JwkSet),
        (status = 304, description = "The caller has them.")
    )
)]
async fn web_keys(State(services): State<Arc<Services>>, headers: HeaderMap) -> Result<Response, Problem> {
    Ok(answer(&services, &Published::Ring(ring_id("web-keys")?), &headers, "").await?)
}

/// The key set of a place, unless the caller has it already.
///
/// `scope` begins the `Cache-Control` that goes with it.
async fn answer(services: &Services, place: &Published, asked: &HeaderMap, scope: &str) -> Result<Response, Error> {
    let set = services.rotation.key_set(place).await?;
    let age = services.rotation.max_age(&set).as_secs();
    let mut response = if has_it(asked, &set.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], set.body.clone()).into_response()
    };
    let headers = response.headers_mut();
    let cached = format!("{scope}max-age={age}, must-revalidate");
    for (name, value) in [(CACHE_CONTROL, &cached), (ETAG, &set.etag)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    // Verifiers in browsers read it too; it is no secret.
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(response)
}

/// Whether the caller's `If-None-Match` has this tag (RFC 9110 section 13.1.2).
fn has_it(headers: &HeaderMap, etag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}
