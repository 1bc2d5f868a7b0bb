//! Who may do what here, and to which connection.

use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Services;
use super::error::ApiError;
use crate::auth::{Principal, Scope};
use crate::http::extract::{Caller, PathSegment};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{RingId, RingKind};

/// The scopes that the product asks for at a route, and ours in their stead.
pub(super) trait Grant: Send {
    const SCOPE: Scope;
    /// The product's words for what is missing.
    const MISSING: &'static str;
}

/// `read:connections_keys`.
pub(super) struct ReadKeys;

impl Grant for ReadKeys {
    const SCOPE: Scope = Scope::Read;
    const MISSING: &'static str = "Insufficient scope; expected any of: read:connections_keys.";
}

/// `create:connections_keys`.
pub(super) struct CreateKeys;

impl Grant for CreateKeys {
    const SCOPE: Scope = Scope::Manage;
    const MISSING: &'static str = "Insufficient scope; expected any of: create:connections_keys.";
}

/// `create:connections_keys` and `update:connections_keys`.
pub(super) struct RotateKeys;

impl Grant for RotateKeys {
    const SCOPE: Scope = Scope::Manage;
    const MISSING: &'static str =
        "Insufficient scope; expected all of: create:connections_keys, update:connections_keys.";
}

/// `read:connections`.
pub(super) struct ReadConnections;

impl Grant for ReadConnections {
    const SCOPE: Scope = Scope::Read;
    const MISSING: &'static str = "Insufficient scope; expected any of: read:connections.";
}

/// `create:connections`.
pub(super) struct CreateConnections;

impl Grant for CreateConnections {
    const SCOPE: Scope = Scope::Manage;
    const MISSING: &'static str = "Insufficient scope; expected any of: create:connections.";
}

/// `update:connections`.
pub(super) struct UpdateConnections;

impl Grant for UpdateConnections {
    const SCOPE: Scope = Scope::Manage;
    const MISSING: &'static str = "Insufficient scope; expected any of: update:connections.";
}

/// `delete:connections`.
pub(super) struct DeleteConnections;

impl Grant for DeleteConnections {
    const SCOPE: Scope = Scope::Manage;
    const MISSING: &'static str = "Insufficient scope; expected any of: delete:connections.";
}

/// A caller who has what the route asks for.
pub(super) struct Granted<G>(pub Principal, pub PhantomData<G>);

impl<G: Grant> FromRequestParts<Arc<Services>> for Granted<G> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, ApiError> {
        let Caller(principal, _) = Caller::<ApiError>::from_request_parts(parts, services).await?;
        principal
            .require(G::SCOPE)
            .map_err(|denied| Error::new(ErrorKind::Forbidden, G::MISSING).with_source(denied))?;
        Ok(Self(principal, PhantomData))
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
pub(super) async fn nameless(_: Caller<ApiError>) -> ApiError {
    unfit()
}

fn unfit() -> ApiError {
    ApiError::invalid_uri("Object didn't pass validation for format connection-id: 1 to 200 printable characters")
}
