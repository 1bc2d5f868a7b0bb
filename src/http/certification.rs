//! Certification requests as answers: the same in every dialect but for the media type.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::Method;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};

use super::Services;
use crate::auth::Caller;
use crate::services::signing::Target;
use strongroom_domain::error::Error;
use strongroom_formats::x509;

/// Answers with a certification request in PEM; `HEAD` has nothing signed.
///
/// # Errors
/// Those of [`crate::services::signing::Signing::certification_request`].
pub(crate) async fn answer(
    services: &Services,
    method: &Method,
    caller: &Caller,
    target: &Target,
    media_type: &'static str,
) -> Result<Response, Error> {
    let request = if method == Method::HEAD {
        services.signing.kept_certification_request(caller, target).await?
    } else {
        Some(services.signing.certification_request(caller, target).await?)
    };
    let body = request.map_or_else(unknown, |request| Body::from(x509::request_to_pem(&request)));
    Ok(([(CONTENT_TYPE, media_type)], body).into_response())
}

/// A body of unknown length, so that a `HEAD` says no `Content-Length` that `GET` would not (RFC 9110 section 8.6).
fn unknown() -> Body {
    Body::from_stream(futures_util::stream::empty::<Result<Bytes, Infallible>>())
}
