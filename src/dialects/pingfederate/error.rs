//! Refusals: the `ApiResult` body and the status of each kind of error.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema};

use super::violation::violation;
use crate::http::dialect::{self, DialectError};
use crate::http::{document, forgery};
use strongroom_domain::error::{Error, ErrorKind, Violation};

/// What went wrong, as every refusal says it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ApiResult {
    /// A stable word for programs.
    #[schema(example = "validation_error")]
    result_id: &'static str,
    /// A sentence for people.
    #[schema(example = "Validation error(s) occurred. Please review the error(s) and address accordingly.")]
    message: String,
    /// Everything that is wrong with the values of the request; absent when nothing is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    validation_errors: Vec<ValidationError>,
}

/// One value that cannot be.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ValidationError {
    /// `required`, `invalid_value`, `too_long`, `not_unique` or `not_supported_by_provider`.
    #[schema(example = "invalid_value")]
    error_id: &'static str,
    /// What would be accepted.
    #[schema(example = "validDays must be from 1 to 36500.")]
    message: String,
    /// JSON path of the value; absent when the error is not about one field.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "validDays")]
    field_path: Option<String>,
}

/// A domain error on its way to becoming an [`ApiResult`].
#[derive(Debug)]
pub(super) struct ApiError {
    status: StatusCode,
    result_id: &'static str,
    error: Error,
}

impl ApiError {
    /// The same error; where it is `NotFound`, in the product's words about `id`.
    pub(super) fn about(id: &str) -> impl FnOnce(Error) -> Self + use<> {
        let id = id.to_owned();
        move |error| {
            if error.kind() != ErrorKind::NotFound {
                return error.into();
            }
            let message = format!("The resource with ID '{id}' is not found. Please specify a recognized resource ID.");
            Error::new(ErrorKind::NotFound, message).with_source(error).into()
        }
    }
}

impl ApiError {
    /// The same error; what no provider here can do, where the product's configuration may forbid it, is 403.
    pub(super) fn of_configuration(error: Error) -> Self {
        let known = Self::from(error);
        let forbidden = known.error.kind() == ErrorKind::Unsupported;
        Self { status: if forbidden { StatusCode::FORBIDDEN } else { known.status }, ..known }
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let (status, result_id) = status_and_id(error.kind());
        Self { status, result_id, error }
    }
}

impl DialectError for ApiError {
    fn forged() -> Self {
        let error = Error::new(ErrorKind::Forbidden, forgery::HEADER_MISSING);
        Self { result_id: "xsrf_header_required", ..error.into() }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let violations = self.error.rendered_violations(violation);
        let message = match self.error.kind() {
            ErrorKind::Unauthenticated => "The credentials you provided were not recognized.",
            ErrorKind::Invalid if !violations.is_empty() => {
                "Validation error(s) occurred. Please review the error(s) and address accordingly."
            }
            _ => self.error.public(),
        };
        let body = ApiResult {
            result_id: self.result_id,
            message: message.to_owned(),
            validation_errors: violations.iter().map(ValidationError::from).collect(),
        };
        dialect::error_response(&self.error, self.status, "application/json", &body)
    }
}

impl From<&Violation> for ValidationError {
    fn from(violation: &Violation) -> Self {
        Self { error_id: violation.rule.code(), message: violation.message.clone(), field_path: violation.path.clone() }
    }
}

const fn status_and_id(kind: ErrorKind) -> (StatusCode, &'static str) {
    match kind {
        ErrorKind::Invalid => (StatusCode::UNPROCESSABLE_ENTITY, "validation_error"),
        ErrorKind::Malformed => (StatusCode::BAD_REQUEST, "malformed_request"),
        ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "request_too_large"),
        ErrorKind::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
        ErrorKind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, "resource_not_found"),
        ErrorKind::Conflict => (StatusCode::CONFLICT, "conflict"),
        ErrorKind::InUse => (StatusCode::UNPROCESSABLE_ENTITY, "resource_in_use"),
        ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, "invalid_credentials"),
        ErrorKind::Forbidden => (StatusCode::FORBIDDEN, "insufficient_permission"),
        ErrorKind::NotExportable => (StatusCode::FORBIDDEN, "not_exportable"),
        ErrorKind::Unsupported => (StatusCode::UNPROCESSABLE_ENTITY, "not_supported_by_provider"),
        ErrorKind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "crypto_provider_busy"),
        ErrorKind::ProviderUnavailable => (StatusCode::SERVICE_UNAVAILABLE, "crypto_provider_unavailable"),
        ErrorKind::Deadline => (StatusCode::SERVICE_UNAVAILABLE, "deadline_exceeded"),
        ErrorKind::Throttled => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
        ErrorKind::Damaged => (StatusCode::INTERNAL_SERVER_ERROR, "key_damaged"),
        ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal_error"),
    }
}

/// The refusals that every operation of this dialect may answer.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        refusals(&[401, 403, 500, 503])
    }
}

/// Those of an operation on what a path names besides [`Refusals`].
pub(super) struct PathRefusals;

impl IntoResponses for PathRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        refusals(&[400, 404])
    }
}

/// Those of an operation that takes a body besides [`Refusals`].
pub(super) struct BodyRefusals;

impl IntoResponses for BodyRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        refusals(&[400, 409, 413, 415, 422])
    }
}

fn refusals(statuses: &[u16]) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    document::refusals(statuses, "application/json", &ApiResult::name())
}
