//! Who may do what here, and to which connection.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Services;
use super::error::ApiError;
use crate::auth::policy::Action;
use crate::http::extract::{Call, PathSegment, asked};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{RingId, RingKind};

/// The product's words for a missing scope.
pub(super) const fn missing(action: Action) -> Option<&'static str> {
    match action {
        Action::ReadKey => Some("Insufficient scope; expected any of: read:connections_keys."),
        Action::ChangeRing => Some("Insufficient scope; expected any of: create:connections_keys."),
        Action::RotateRing => {
            Some("Insufficient scope; expected all of: create:connections_keys, update:connections_keys.")
        }
        Action::ReadConnection => Some("Insufficient scope; expected any of: read:connections."),
        Action::CreateConnection => Some("Insufficient scope; expected any of: create:connections."),
        Action::UpdateConnection => Some("Insufficient scope; expected any of: update:connections."),
        Action::DeleteConnection => Some("Insufficient scope; expected any of: delete:connections."),
        _ => None,
    }
}

/// The id of a connection in a path.
pub(super) struct ConnectionId(pub RingId);

impl FromRequestParts<Arc<Services>> for ConnectionId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, ApiError> {
        let Ok(PathSegment(id, _)) = PathSegment::<ApiError>::from_request_parts(parts, services).await else {
            return Err(ApiError::invalid_uri("Object didn't pass validation for format utf-8"));
        };
        if id.trim().is_empty() { Err(unfit()) } else { ring(&id).map(Self).map_err(|_| unfit()) }
    }
}

/// The ring of a connection's keys.
///
/// # Errors
/// `Malformed` when the id is none.
pub(super) fn ring(id: &str) -> Result<RingId, Error> {
    RingId::new(RingKind::Connection, id).map_err(|fault| Error::new(ErrorKind::Malformed, fault.to_string()))
}

/// What a path with an empty id answers to those who are known.
pub(super) async fn nameless(_: Call<asked::Authenticate, ApiError>) -> ApiError {
    unfit()
}

fn unfit() -> ApiError {
    ApiError::invalid_uri("Object didn't pass validation for format connection-id: 1 to 200 printable characters")
}
