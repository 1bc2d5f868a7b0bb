//! The native API: keys, key rings and signatures as the domain sees them.
//!
//! Owns the paths under `/v1` and the problem document (RFC 9457) that answers every
//! refusal there and wherever no other dialect lives. Does not own the domain.
//!
//! Invariants: words on this wire are those of the domain, unchanged; a problem names
//! the request that it belongs to.

mod decrypt;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod health;
mod input;
mod jws;
mod key_set;
mod key_states;
mod keys;
mod new_key;
mod request_timeout;
mod ring_rotation;
mod ring_settings;
mod rings;
mod sign;
mod signatures;
mod sweep;
mod violation;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use utoipa::OpenApi;

use crate::http::Services;

pub(crate) use error::Problem;

pub(crate) fn routes() -> Router<Arc<Services>> {
    Router::new()
        .merge(health::routes())
        .route("/v1/key-rings", get(rings::list))
        .route("/v1/key-rings/{ring}", get(rings::show))
        .route(
            "/v1/key-rings/{ring}/settings",
            get(ring_settings::show).put(ring_settings::replace).delete(ring_settings::delete),
        )
        .route("/v1/keys", get(keys::list).post(new_key::create))
        .route("/v1/keys/{kid}", get(keys::show).delete(keys::delete))
        .route("/v1/keys/{kid}/public.pem", get(keys::public_key))
        .route("/v1/keys/{kid}/certificate.pem", get(keys::certificate))
        .route("/v1/keys/{kid}/chain.pem", get(keys::chain))
        .merge(key_states::routes())
        .merge(ring_rotation::routes())
        .route("/v1/keys/{kid}/csr.pem", get(keys::csr))
        .route("/v1/rotation/sweep", post(sweep::sweep))
        .route("/v1/key-rings/{ring}/jwks.json", get(key_set::show))
        .merge(signatures::routes())
}

/// The part of the OpenAPI document that describes this dialect.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.merge(key_states::Document::openapi());
    document.merge(ring_rotation::Document::openapi());
    document.merge(signatures::Document::openapi());
    document
}

#[derive(OpenApi)]
#[openapi(
    paths(
        health::alive,
        health::ready,
        health::metrics,
        rings::list,
        rings::show,
        ring_settings::show,
        ring_settings::replace,
        ring_settings::delete,
        keys::list,
        new_key::create,
        keys::show,
        keys::delete,
        keys::public_key,
        keys::certificate,
        keys::chain,
        keys::csr,
        key_set::show,
        sweep::sweep
    ),
    components(schemas(error::ProblemDetails))
)]
struct Document;
