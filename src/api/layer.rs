//! What surrounds every request: its id, its span, its measurements, its headers.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{AUTHORIZATION, COOKIE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use metrics::{Unit, counter, describe_counter, describe_histogram, histogram};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use tracing::Instrument as _;

use super::Services;
use crate::clock;

const REQUEST_ID_HEADER: &str = "x-request-id";
const REQUESTS: &str = "strongroom_http_requests_total";
const DURATION: &str = "strongroom_http_request_duration_seconds";

tokio::task_local! {
    static REQUEST_ID: Arc<str>;
}

/// The id of the request that this task answers.
pub(super) fn request_id() -> Option<String> {
    REQUEST_ID.try_with(ToString::to_string).ok()
}

/// Puts the layers around all routes.
pub(super) fn around(routes: Router<Arc<Services>>) -> Router<Arc<Services>> {
    describe_counter!(REQUESTS, "HTTP requests answered, by route, method and status.");
    describe_histogram!(DURATION, Unit::Seconds, "Time from a request's head to the head of its answer.");
    routes
        .layer(SetResponseHeaderLayer::overriding(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .layer(from_fn(observe))
        .layer(SetSensitiveRequestHeadersLayer::new([AUTHORIZATION, COOKIE]))
}

async fn observe(request: Request, next: Next) -> Response {
    let id = incoming_id(request.headers()).unwrap_or_else(new_id);
    let method = method_label(request.method());
    // The pattern, never the path: paths have no end, and a metric must.
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |matched| matched.as_str().trim_end_matches('/').to_owned());
    let span = tracing::info_span!("request", id = &*id, method, path = request.uri().path());
    let answer = async {
        let started = Instant::now();
        let mut response = next.run(request).await;
        let (elapsed, status) = (started.elapsed(), response.status().as_u16());
        tracing::info!(status, latency_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX), "answered");
        let labels = [("route", route.clone()), ("method", method.to_owned()), ("status", status.to_string())];
        counter!(REQUESTS, &labels).increment(1);
        histogram!(DURATION, &labels).record(elapsed);
        if let Ok(value) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID_HEADER, value);
        }
        response
    };
    REQUEST_ID.scope(Arc::clone(&id), answer.instrument(span)).await
}

/// The caller's own id, where it is one that can stand in a log.
fn incoming_id(headers: &HeaderMap) -> Option<Arc<str>> {
    let id = headers.get(REQUEST_ID_HEADER)?.to_str().ok()?;
    let sane =
        (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    sane.then(|| Arc::from(id))
}

/// A random UUID; a request is not refused for want of a name.
fn new_id() -> Arc<str> {
    let bytes = clock::random::<16>().unwrap_or_default();
    Arc::from(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

/// The method's name; whatever a client invents is one label.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
