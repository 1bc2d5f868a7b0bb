//! Refusals: the problem document (RFC 9457) of each kind of error.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema};

use super::violation::violation;
use crate::http::dialect::{self, DialectError};
use crate::http::document;
use crate::http::layer::request_id;
use strongroom_domain::error::{Error, ErrorKind, Violation};

const CONTENT_TYPE: &str = "application/problem+json";

/// What went wrong (RFC 9457 section 3).
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ProblemDetails {
    /// `urn:strongroom:error:` and the kind of error.
    #[serde(rename = "type")]
    #[schema(example = "urn:strongroom:error:not-found")]
    kind: String,
    /// The status in words.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// The status of the answer.
    #[schema(example = 404)]
    status: u16,
    /// A sentence about this occurrence.
    #[schema(example = "there is no key ring signing:orders")]
    detail: String,
    /// Equal to the header `X-Request-Id`, and in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Everything that is wrong with the values of the request; absent when nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<ViolationView>,
}

/// One value that cannot be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Violation)]
struct ViolationView {
    /// JSON path of the value; absent when it is not about one field.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// A stable word for programs.
    #[schema(example = "invalid_value")]
    code: &'static str,
    /// What would be accepted.
    message: String,
}

/// What went wrong with one item of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ItemProblem {
    /// `urn:strongroom:error:` and the kind of error.
    #[serde(rename = "type")]
    #[schema(example = "urn:strongroom:error:invalid")]
    kind: String,
    /// A sentence about this item.
    detail: String,
    /// What is wrong with its values; absent when nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<ViolationView>,
}

impl ItemProblem {
    /// The failure of one item.
    pub(super) fn of(error: &Error) -> Self {
        Self { kind: urn(error.kind()), detail: error.public().to_owned(), violations: violations(error) }
    }
}

/// A domain error on its way to becoming a problem document.
#[derive(Debug)]
pub(crate) struct Problem(Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl DialectError for Problem {}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, _) = status_and_word(self.0.kind());
        let body = ProblemDetails {
            kind: urn(self.0.kind()),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.0.public().to_owned(),
            request_id: request_id(),
            violations: violations(&self.0),
        };
        dialect::error_response(&self.0, status, CONTENT_TYPE, &body)
    }
}

fn urn(kind: ErrorKind) -> String {
    format!("urn:strongroom:error:{}", status_and_word(kind).1)
}

fn violations(error: &Error) -> Vec<ViolationView> {
    let view = |found: Violation| ViolationView { path: found.path, code: found.rule.code(), message: found.message };
    error.rendered_violations(violation).into_iter().map(view).collect()
}

const fn status_and_word(kind: ErrorKind) -> (StatusCode, &'static str) {
    match kind {
        ErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
        ErrorKind::Malformed => (StatusCode::BAD_REQUEST, "malformed"),
        ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too-large"),
        ErrorKind::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type"),
        ErrorKind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed"),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "not-found"),
        ErrorKind::Conflict => (StatusCode::CONFLICT, "conflict"),
        ErrorKind::InUse => (StatusCode::CONFLICT, "in-use"),
        ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
        ErrorKind::Forbidden => (StatusCode::FORBIDDEN, "forbidden"),
        ErrorKind::NotExportable => (StatusCode::FORBIDDEN, "not-exportable"),
        ErrorKind::Unsupported => (StatusCode::UNPROCESSABLE_ENTITY, "unsupported"),
        ErrorKind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        ErrorKind::ProviderUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "provider-unavailable"),
        ErrorKind::Deadline => (StatusCode::SERVICE_UNAVAILABLE, "deadline"),
        ErrorKind::Throttled => (StatusCode::TOO_MANY_REQUESTS, "throttled"),
        ErrorKind::Damaged => (StatusCode::INTERNAL_SERVER_ERROR, "damaged"),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// The refusals that every operation of this dialect may answer.
pub(crate) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        document::refusals(&[401, 403, 500, 503], CONTENT_TYPE, &ProblemDetails::name())
    }
}

/// Those of an operation on what a path names besides [`Refusals`].
pub(crate) struct PathRefusals;

impl IntoResponses for PathRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        document::refusals(&[400, 404, 409], CONTENT_TYPE, &ProblemDetails::name())
    }
}

/// Those of an operation with a body that acts on a key besides [`Refusals`].
pub(super) struct BodyRefusals;

impl IntoResponses for BodyRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        document::refusals(&[409, 413, 415, 422], CONTENT_TYPE, &ProblemDetails::name())
    }
}
