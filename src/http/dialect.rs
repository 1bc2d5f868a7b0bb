//! What every dialect does the same way: refusals of the router, headers of refusals.

use std::any::Any;

use axum::Router;
use axum::http::header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::content_coding::UnsupportedCoding;
use super::forgery;
use crate::auth::AuthScheme;
use crate::auth::policy::Action;
use strongroom_domain::error::{Error, ErrorKind};

/// Seconds after which a client may try again what failed for now.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("5");

/// A domain error in the form of a dialect.
pub(crate) trait DialectError: From<Error> + IntoResponse + Send + 'static {
    /// Whether credentials may be presented in this way.
    fn knows(_scheme: AuthScheme) -> bool {
        true
    }

    /// Refuses a request that a page of another site may have caused; which those are is [`forgery`]'s to say.
    fn forged() -> Self {
        Error::new(ErrorKind::Forbidden, forgery::HEADER_MISSING).into()
    }

    /// Refuses a request whose caller may not do what its route is for.
    fn denied(_action: Action, refusal: Error) -> Self {
        refusal.into()
    }

    /// Refuses a request whose credentials are not known, or that has none: `presented` tells which.
    fn unauthenticated(_presented: bool) -> Self {
        Error::new(ErrorKind::Unauthenticated, "there are no credentials, or none that are known").into()
    }
}

/// Makes refusals of the router and panics answer in the dialect's form; forbids caching.
pub(crate) fn with_dialect_errors<S, E>(router: Router<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    E: DialectError,
{
    router
        .fallback(|| async { E::from(Error::new(ErrorKind::NotFound, "there is nothing at this path")) })
        .method_not_allowed_fallback(|| async {
            E::from(Error::new(
                ErrorKind::MethodNotAllowed,
                "this path does not have that method; see the Allow header",
            ))
        })
        .layer(CatchPanicLayer::custom(panicked::<E>))
        .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, HeaderValue::from_static("no-store")))
}

/// The response of a refusal, with the headers that its kind calls for; writes the log line.
pub(crate) fn error_response(
    error: &Error,
    status: StatusCode,
    content_type: &'static str,
    body: &impl Serialize,
) -> Response {
    if status.is_server_error() {
        tracing::warn!(kind = ?error.kind(), "{error}");
    } else {
        tracing::debug!(kind = ?error.kind(), "{error}");
    }
    let bytes = serde_json::to_vec(body).unwrap_or_default();
    let mut response = (status, [(CONTENT_TYPE, content_type)], bytes).into_response();
    let headers = response.headers_mut();
    if error.source_as::<UnsupportedCoding>().is_some() {
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(r#"Basic realm="strongroom", charset="UTF-8""#));
        }
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            headers.insert(RETRY_AFTER, RETRY_SECONDS);
        }
        _ => {}
    }
    response
}

fn panicked<E: DialectError>(payload: Box<dyn Any + Send>) -> Response {
    let what = payload
        .downcast::<String>()
        .map(|text| *text)
        .or_else(|payload| payload.downcast::<&'static str>().map(|text| (*text).to_owned()))
        .unwrap_or_default();
    E::from(Error::new(ErrorKind::Internal, "internal error").with_source(format!("a handler panicked: {what}")))
        .into_response()
}
