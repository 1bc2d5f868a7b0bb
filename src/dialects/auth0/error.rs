//! Refusals: the product's error body, and the status and code of each kind of error.

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema};

use super::access;
use super::violation::violation;
use crate::auth::policy::Action;
use crate::http::dialect::{self, DialectError};
use crate::http::{document, forgery};
use strongroom_domain::error::{Error, ErrorKind, Field, Reason, Violation};

pub(super) const JSON: &str = "application/json; charset=utf-8";

/// What went wrong, as every refusal says it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApiErrorBody {
    /// The status of the answer.
    #[schema(example = 404)]
    status_code: u16,
    /// The reason phrase of the status.
    #[schema(example = "Not Found")]
    error: &'static str,
    /// A sentence for people.
    #[schema(example = "Connection not found.")]
    message: String,
    /// A stable word for programs; absent where the product has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "inexistent_connection")]
    error_code: Option<&'static str>,
}

/// A domain error on its way to becoming an [`ApiErrorBody`].
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: Option<&'static str>,
    error: Error,
}

impl ApiError {
    /// The path names no connection that could be.
    pub(super) fn invalid_uri(fault: &str) -> Self {
        let message = format!("Path validation error: '{fault}' on property id.");
        Self { code: Some("invalid_uri"), ..Error::new(ErrorKind::Malformed, message).into() }
    }

    /// The body says what cannot be, at a property or as a whole.
    pub(super) fn invalid_body(property: Option<&str>, fault: impl AsRef<str>) -> Self {
        let place = property.map(|property| format!(" on property {property}")).unwrap_or_default();
        let message = format!("Payload validation error: '{}'{place}.", fault.as_ref());
        Error::new(ErrorKind::Malformed, message).into()
    }

    pub(super) fn inexistent_connection() -> Self {
        let code = Some("inexistent_connection");
        Self { code, ..Error::new(ErrorKind::NotFound, "Connection not found.").into() }
    }

    /// A parameter of the query says what cannot be.
    pub(super) fn invalid_query(name: &str, accepted: &str) -> Self {
        let message = format!("Query validation error: 'It must be {accepted}' on property {name}.");
        Self { code: Some("invalid_query_string"), ..Error::new(ErrorKind::Malformed, message).into() }
    }

    /// The connection is not one that this can be done with.
    pub(super) fn not_supported(message: &'static str) -> Self {
        Error::new(ErrorKind::Unsupported, message).into()
    }

    /// A refusal of a creation: that the ring has keys is a conflict here.
    pub(super) fn of_creation(error: Error) -> Self {
        if !ring_has_keys(&error) {
            return error.into();
        }
        let message = "Keys have already been created for this connection.";
        let known = Error::new(ErrorKind::Conflict, message).with_source(error);
        Self { code: Some("connection_keys_exist"), ..known.into() }
    }

    /// A refusal of a rotation, or of a key set: a ring that is not there is a connection that is not.
    pub(crate) fn of_rotation(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::inexistent_connection(),
            _ => error.into(),
        }
    }

    /// A refusal of a request for a connection itself.
    pub(super) fn of_connection(error: Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => {
                let known = Error::new(ErrorKind::NotFound, "The connection does not exist").with_source(error);
                Self { code: Some("inexistent_connection"), ..known.into() }
            }
            _ => error.into(),
        }
    }
}

/// Whether an error says that a ring has keys already.
pub(super) fn ring_has_keys(error: &Error) -> bool {
    error
        .field_violations()
        .iter()
        .any(|found| matches!(found.reason, Reason::IdInUse(_)) && found.field == Field::RingId)
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let (status, code) = status_and_code(error.kind());
        Self { status, code, error }
    }
}

impl DialectError for ApiError {
    fn forged() -> Self {
        let error = Error::new(ErrorKind::Forbidden, forgery::HEADER_MISSING);
        Self { code: Some("xsrf_header_required"), ..error.into() }
    }

    fn denied(action: Action, refusal: Error) -> Self {
        match access::missing(action) {
            Some(missing) => Error::new(ErrorKind::Forbidden, missing).with_source(refusal).into(),
            None => refusal.into(),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = ApiErrorBody {
            status_code: self.status.as_u16(),
            error: self.status.canonical_reason().unwrap_or("Error"),
            message: message(&self.error).into_owned(),
            error_code: self.code,
        };
        dialect::error_response(&self.error, self.status, JSON, &body)
    }
}

/// The product's words where it has some, else ours.
fn message(error: &Error) -> Cow<'_, str> {
    let violations = error.rendered_violations(violation);
    match (error.kind(), violations.as_slice()) {
        (ErrorKind::Unauthenticated, _) => "Invalid token.".into(),
        (ErrorKind::Invalid, [violation, ..]) => sentence(violation).into(),
        _ => error.public().to_owned().into(),
    }
}

fn sentence(Violation { path, message, .. }: &Violation) -> String {
    let place = path.as_ref().map(|path| format!(" on property {path}")).unwrap_or_default();
    format!("Payload validation error: '{message}'{place}.")
}

const fn status_and_code(kind: ErrorKind) -> (StatusCode, Option<&'static str>) {
    match kind {
        ErrorKind::Invalid | ErrorKind::Malformed => (StatusCode::BAD_REQUEST, Some("invalid_body")),
        ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, None),
        ErrorKind::UnsupportedMediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
        ErrorKind::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, None),
        ErrorKind::NotFound => (StatusCode::NOT_FOUND, None),
        ErrorKind::Conflict | ErrorKind::InUse => (StatusCode::CONFLICT, None),
        ErrorKind::Unauthenticated => (StatusCode::UNAUTHORIZED, Some("invalid_token")),
        ErrorKind::Forbidden | ErrorKind::NotExportable => (StatusCode::FORBIDDEN, Some("insufficient_scope")),
        ErrorKind::Unsupported => (StatusCode::BAD_REQUEST, Some("operation_not_supported")),
        ErrorKind::Busy | ErrorKind::ProviderUnavailable | ErrorKind::Deadline => {
            (StatusCode::SERVICE_UNAVAILABLE, None)
        }
        ErrorKind::Throttled => (StatusCode::TOO_MANY_REQUESTS, Some("too_many_requests")),
        ErrorKind::Damaged | ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, None),
    }
}

/// The refusals that every operation of this dialect may answer.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        refusals(&[400, 401, 403, 404, 429, 500, 503])
    }
}

/// Those of an operation that makes keys besides [`Refusals`].
pub(super) struct BodyRefusals;

impl IntoResponses for BodyRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        refusals(&[409, 413, 415])
    }
}

fn refusals(statuses: &[u16]) -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
    document::refusals(statuses, JSON, &ApiErrorBody::name())
}
