//! Public key sets: anybody may have them, and keep them for as long as the schedule allows.
//!
//! They are sent as `application/json`, as the products do: clients that are strict about
//! content types know that one, and `application/jwk-set+json` not always.

use std::time::Duration;

use axum::http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, WARNING};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Services;
use crate::services::publication::KeySetId;
use strongroom_domain::error::Error;

/// How long a verifier may keep a set that the store could not confirm.
const STALE_FOR: Duration = Duration::from_secs(5);

/// Public keys (RFC 7517 section 5).
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes what the domain writes")]
pub(crate) struct JwkSet {
    /// `kty`, `use`, `kid`, `alg`, the members of the public key (RFC 7518 section 6, RFC 8037 section 2), and
    /// `x5c` with `x5t#S256` where a certificate is shown.
    #[schema(value_type = Vec<Object>)]
    keys: Vec<Map<String, Value>>,
}

/// The key set of a place, unless the caller has it already.
///
/// `scope` begins the `Cache-Control` that goes with it.
pub(crate) async fn answer(
    services: &Services,
    place: &KeySetId,
    asked: &HeaderMap,
    scope: &str,
) -> Result<Response, Error> {
    let published = services.publication.key_set(place).await?;
    let set = &published.set;
    let age = if published.stale { STALE_FOR } else { services.publication.max_age(set) }.as_secs();
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
    if published.stale {
        headers.insert(WARNING, HeaderValue::from_static("110 - \"Response is Stale\""));
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
