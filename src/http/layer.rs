//! What surrounds every request: its id, its span, its measurements, its headers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::header::{AUTHORIZATION, COOKIE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tracing::Instrument as _;

use super::extract::Presented;
use super::route_metrics::RouteMetrics;
use crate::auth::{Authenticator, Caller};
use strongroom_domain::clock;

const REQUEST_ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The address of a connection's other end, as its requests carry it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub SocketAddr);

tokio::task_local! {
    static REQUEST_ID: Arc<str>;
}

/// The id of the request that this task answers, for the bodies of refusals.
pub(crate) fn request_id() -> Option<String> {
    REQUEST_ID.try_with(ToString::to_string).ok()
}

/// Puts the layers around all routes: one middleware, because each costs every request.
pub(crate) fn with_request_layers(routes: Router, authenticator: Arc<Authenticator>) -> Router {
    let observer = Arc::new(Observer { measures: RouteMetrics::new(), authenticator });
    routes.layer(from_fn(move |request, next| observe(Arc::clone(&observer), request, next)))
}

/// What requests are measured with, and their credentials told by.
struct Observer {
    measures: RouteMetrics,
    authenticator: Arc<Authenticator>,
}

impl Observer {
    /// The caller of a request, if its credentials are known.
    fn caller(&self, request: &Request, id: &Arc<str>) -> Option<Caller> {
        let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
        let (principal, scheme) = self.authenticator.authenticate(header)?;
        let peer = request.extensions().get::<Peer>().map(|Peer(address)| *address);
        Some(Caller::of_request(principal, scheme).with_request_id(Arc::clone(id)).with_peer(peer))
    }
}

async fn observe(observer: Arc<Observer>, mut request: Request, next: Next) -> Response {
    for secret in [AUTHORIZATION, COOKIE] {
        if let Some(value) = request.headers_mut().get_mut(secret) {
            value.set_sensitive(true);
        }
    }
    let id = incoming_id(request.headers()).unwrap_or_else(new_id);
    let method = method_label(request.method());
    let route =
        observer.measures.route(request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str));
    let caller = observer.caller(&request, &id);
    let name = caller.as_ref().map(Caller::name);
    let span = tracing::info_span!("request", id = &*id, method, path = request.uri().path(), principal = name);
    request.extensions_mut().insert(Presented(caller));
    let answer = async {
        let started = Instant::now();
        let mut response = next.run(request).await;
        let (elapsed, status) = (started.elapsed(), response.status());
        log(status, elapsed, route.frequent);
        route.record(method, status, elapsed);
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Ok(value) = HeaderValue::from_str(&id) {
            headers.insert(REQUEST_ID_HEADER, value);
        }
        response
    };
    REQUEST_ID.scope(Arc::clone(&id), answer.instrument(span)).await
}

/// Writes the line of a request; a line for each signature would cost as much as half of one.
fn log(status: StatusCode, elapsed: Duration, frequent: bool) {
    let latency_us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
    let quiet = frequent && (status.is_success() || status == StatusCode::NOT_MODIFIED);
    let status = status.as_u16();
    if quiet {
        tracing::debug!(status, latency_us, "answered");
    } else {
        tracing::info!(status, latency_us, "answered");
    }
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
