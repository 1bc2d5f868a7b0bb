//! Refusals in both shapes: `google.rpc.Status` in JSON behind the gateway, Connect's error
//! (<https://connectrpc.com/docs/protocol#error-end-stream>) behind the services.

use std::collections::BTreeMap;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::{IntoResponses, ToSchema};

use super::violation::violation;
use crate::auth::AuthScheme;
use crate::http::dialect::{self, DialectError};
use crate::http::document;
use strongroom_domain::error::{Error, ErrorKind};

/// The type that carries the product's ids.
const DETAIL: &str = "zitadel.v1.ErrorDetail";

/// An id of the product and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    pub id: &'static str,
    pub text: &'static str,
}

pub(super) const NO_SUCH_KEY: Cause = Cause { id: "COMMAND-teiG3", text: "Web key not found" };
pub(super) const NEVER_EXISTED: Cause = Cause { id: "COMMAND-ooCa7", text: "Web key not found" };
pub(super) const KEY_IS_ACTIVE: Cause =
    Cause { id: "COMMAND-Chai1", text: "The active web key cannot be deleted; activate another first" };
const UNKNOWN_TOKEN: Cause = Cause { id: "AUTH-7fs1e", text: "The token is not known" };
const NO_PERMISSION: Cause = Cause { id: "AUTH-5mWD2", text: "No matching permissions found" };

/// A domain error with the product's id, where it has one for it.
#[derive(Debug)]
pub(super) struct Refusal {
    error: Error,
    cause: Option<Cause>,
}

impl Refusal {
    /// A refusal that the product has an id for.
    pub(super) fn of(kind: ErrorKind, cause: Cause) -> Self {
        Self { error: Error::new(kind, cause.text), cause: Some(cause) }
    }

    fn unauthenticated(presented: bool) -> Self {
        if presented {
            return Self::of(ErrorKind::Unauthenticated, UNKNOWN_TOKEN);
        }
        Self { error: Error::new(ErrorKind::Unauthenticated, "auth header missing"), cause: None }
    }

    fn code(&self) -> Code {
        Code::of(self.error.kind())
    }

    /// Whether it is the router's: there is nothing at the path.
    fn is_of_a_path(&self) -> bool {
        self.error.kind() == ErrorKind::NotFound && self.cause.is_none()
    }

    fn status(&self) -> StatusCode {
        match self.error.kind() {
            ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            _ => self.code().status(),
        }
    }

    fn message(&self) -> String {
        let violations = self.error.rendered_violations(violation);
        match (self.cause, violations.as_slice()) {
            (Some(Cause { id, text }), _) => format!("{text} ({id})"),
            (None, []) => self.error.public().to_owned(),
            (None, violations) => {
                violations.iter().map(|violation| violation.message.as_str()).collect::<Vec<_>>().join(" ")
            }
        }
    }

    fn answer(&self, status: StatusCode, body: &impl Serialize) -> Response {
        let mut response = dialect::error_response(&self.error, status, "application/json", body);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let cause = (error.kind() == ErrorKind::Forbidden).then_some(NO_PERMISSION);
        Self { error, cause }
    }
}

/// The codes of gRPC that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Code {
    InvalidArgument = 3,
    NotFound = 5,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

impl Code {
    const fn of(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Invalid | ErrorKind::Malformed => Self::InvalidArgument,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Forbidden => Self::PermissionDenied,
            ErrorKind::TooLarge | ErrorKind::Throttled => Self::ResourceExhausted,
            ErrorKind::InUse | ErrorKind::NotExportable | ErrorKind::Unsupported => Self::FailedPrecondition,
            ErrorKind::Conflict => Self::Aborted,
            ErrorKind::UnsupportedMediaType | ErrorKind::MethodNotAllowed => Self::Unimplemented,
            ErrorKind::Damaged | ErrorKind::Internal => Self::Internal,
            ErrorKind::Busy | ErrorKind::ProviderUnavailable | ErrorKind::Deadline => Self::Unavailable,
            ErrorKind::Unauthenticated => Self::Unauthenticated,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::NotFound => "not_found",
            Self::PermissionDenied => "permission_denied",
            Self::ResourceExhausted => "resource_exhausted",
            Self::FailedPrecondition => "failed_precondition",
            Self::Aborted => "aborted",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
            Self::Unauthenticated => "unauthenticated",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::InvalidArgument | Self::FailedPrecondition => StatusCode::BAD_REQUEST,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::PermissionDenied => StatusCode::FORBIDDEN,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Aborted => StatusCode::CONFLICT,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
        }
    }
}

/// What went wrong, as REST says it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelStatus)]
pub(super) struct GatewayStatus {
    /// The code of gRPC.
    #[schema(example = 9)]
    code: u8,
    /// A sentence, and the product's id in parentheses where it has one.
    #[schema(example = "Web key not found (COMMAND-teiG3)")]
    message: String,
    /// One where the product has an id, else none.
    details: Vec<GatewayDetail>,
}

/// The product's id of a refusal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelErrorDetail)]
struct GatewayDetail {
    #[serde(rename = "@type")]
    #[schema(example = "type.googleapis.com/zitadel.v1.ErrorDetail")]
    kind: String,
    #[schema(example = "COMMAND-teiG3")]
    id: &'static str,
    message: &'static str,
}

/// What went wrong, as the services of Connect say it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelConnectError)]
pub(super) struct ConnectStatus {
    /// A code of Connect.
    #[schema(example = "failed_precondition")]
    code: &'static str,
    /// A sentence, and the product's id in parentheses where it has one.
    #[schema(example = "Web key not found (COMMAND-teiG3)")]
    message: String,
    /// One where the product has an id; absent otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<ConnectDetail>,
}

/// The product's id of a refusal.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelConnectDetail)]
struct ConnectDetail {
    #[serde(rename = "type")]
    #[schema(example = "zitadel.v1.ErrorDetail")]
    kind: &'static str,
    /// The message of that type, in base64 without padding.
    value: String,
    debug: ConnectDebug,
}

/// The same for readers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelConnectDebug)]
struct ConnectDebug {
    #[schema(example = "COMMAND-teiG3")]
    id: &'static str,
    message: &'static str,
}

/// A refusal on its way to becoming a [`GatewayStatus`].
#[derive(Debug)]
pub(super) struct GatewayError(Refusal);

/// A refusal on its way to becoming a [`ConnectStatus`].
#[derive(Debug)]
pub(super) struct ConnectError(Refusal);

impl IntoResponse for GatewayError {
    fn into_response(self) -> Response {
        let Self(refusal) = self;
        let message = match refusal.error.kind() {
            ErrorKind::NotFound if refusal.is_of_a_path() => "Not Found".to_owned(),
            ErrorKind::MethodNotAllowed => "Method Not Allowed".to_owned(),
            _ => refusal.message(),
        };
        let detail =
            |Cause { id, text }| GatewayDetail { kind: format!("type.googleapis.com/{DETAIL}"), id, message: text };
        let details = refusal.cause.map(detail).into_iter().collect();
        refusal.answer(refusal.status(), &GatewayStatus { code: refusal.code() as u8, message, details })
    }
}

impl IntoResponse for ConnectError {
    fn into_response(self) -> Response {
        let Self(refusal) = self;
        // What is not served is unimplemented; that a key is not there is something else.
        let code = if refusal.is_of_a_path() { Code::Unimplemented } else { refusal.code() };
        let detail = |cause: Cause| ConnectDetail {
            kind: DETAIL,
            value: STANDARD_NO_PAD.encode(error_detail(cause)),
            debug: ConnectDebug { id: cause.id, message: cause.text },
        };
        let details = refusal.cause.map(detail).into_iter().collect();
        let body = ConnectStatus { code: code.word(), message: refusal.message(), details };
        refusal.answer(refusal.status(), &body)
    }
}

/// `zitadel.v1.ErrorDetail { string id = 1; string message = 2; }` in Protocol Buffers.
fn error_detail(Cause { id, text }: Cause) -> Vec<u8> {
    let mut message = Vec::new();
    for (tag, field) in [(0x0a, id), (0x12, text)] {
        message.push(tag);
        let mut length = field.len();
        while length > 0x7f {
            message.push(u8::try_from(length & 0x7f).unwrap_or_default() | 0x80);
            length >>= 7;
        }
        message.push(u8::try_from(length).unwrap_or_default());
        message.extend_from_slice(field.as_bytes());
    }
    message
}

/// Both shapes wear a refusal in the same way.
macro_rules! dialect_error {
    ($shape:ident) => {
        impl<E: Into<Refusal>> From<E> for $shape {
            fn from(error: E) -> Self {
                Self(error.into())
            }
        }

        impl DialectError for $shape {
            /// Browsers add Basic credentials by themselves, and the gateway takes any type of body.
            fn knows(scheme: AuthScheme) -> bool {
                scheme == AuthScheme::Bearer
            }

            fn unauthenticated(presented: bool) -> Self {
                Self(Refusal::unauthenticated(presented))
            }
        }
    };
}

dialect_error!(GatewayError);
dialect_error!(ConnectError);

/// The refusals that every operation of REST may answer.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        document::refusals(&[401, 403, 500, 503], "application/json", &GatewayStatus::name())
    }
}

/// Those of an operation that changes something besides [`Refusals`].
pub(super) struct ChangeRefusals;

impl IntoResponses for ChangeRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        document::refusals(&[400, 404, 409, 413], "application/json", &GatewayStatus::name())
    }
}

/// Every refusal of a service of Connect.
pub(super) struct ConnectRefusals;

impl IntoResponses for ConnectRefusals {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let statuses = [400, 401, 403, 404, 409, 413, 415, 500, 503];
        document::refusals(&statuses, "application/json", &ConnectStatus::name())
    }
}
