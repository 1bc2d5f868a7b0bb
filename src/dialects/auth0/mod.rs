//! The Auth0 dialect: connection keys as its Management API v2 has them.
//!
//! Owns paths, bodies, the seven signing algorithms, the rules of connections, the rendering of keys,
//! the error body of every refusal, and the rate limit with its headers. Does not own how keys are made
//! (`lifecycle`), succeed each other (`rotation`), or what a connection says (`settings`). The keys of
//! a connection are the ring `connection:{id}`: its Active key is `current`, the `PreActive` one
//! `next`, the latest Deactivated one `previous`.
//!
//! Invariants: checked in the order credentials, scope, path, body, connection, state; each answer has
//! the rate limit's headers; an answer of 5xx means that nothing was changed, for this product's
//! clients send such a request again.

mod access;
mod algorithm;
mod body;
mod connection_keys;
mod connections;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod key_set;
mod options;
mod paging;
mod rate_limit;
mod rules;
mod settings;
#[cfg(test)]
mod tests;
mod view;
mod violation;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post};
use utoipa::OpenApi;

use crate::http::dialect;
use error::ApiError;
use rate_limit::Meter;
pub(crate) use settings::Services;
pub use settings::{Connections, Settings};

/// The dialect under its prefix.
pub(crate) fn routes(services: &Arc<Services>) -> Router<Arc<Services>> {
    let connections = Router::new()
        .route("/", get(paging::list).post(connections::create))
        .route("/{id}", get(connections::show).patch(connections::update).delete(connections::delete))
        .route("/{id}/keys", get(connection_keys::list).post(connection_keys::create))
        .route("/{id}/keys/rotate", post(connection_keys::rotate))
        // An empty id matches no variable segment.
        .route("//keys", any(access::nameless))
        .route("//keys/rotate", any(access::nameless));
    let meter = Meter::new(Arc::clone(services));
    let dressed = dialect::with_dialect_errors::<_, ApiError>(Router::new().nest("/connections", connections));
    Router::new().nest("/api/v2", dressed.layer(from_fn_with_state(meter, rate_limit::metered)))
}

/// The key sets of connections.
pub(crate) fn key_sets() -> Router<Arc<Services>> {
    Router::new().route("/oauth/connection/{name}/.well-known/jwks.json", get(key_set::show))
}

/// The part of the OpenAPI document that describes this dialect.
#[derive(OpenApi)]
#[openapi(
    paths(
        connection_keys::list,
        connection_keys::create,
        connection_keys::rotate,
        paging::list,
        connections::create,
        connections::show,
        connections::update,
        connections::delete,
        key_set::show
    ),
    components(schemas(error::ApiErrorBody))
)]
pub(crate) struct Document;
