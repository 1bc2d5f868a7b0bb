//! The native API: key rings as the domain sees them.
//!
//! Owns the paths under `/v1` and the problem document (RFC 9457) that answers every
//! refusal there and wherever no other dialect lives. Does not own the domain.
//!
//! Invariants: words on this wire are those of the domain, unchanged; a problem names
//! the request that it belongs to.

mod error;
mod rings;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use utoipa::OpenApi;

use super::Services;

pub(super) use error::{Problem, Refusals};

pub(super) fn routes() -> Router<Arc<Services>> {
    Router::new().route("/v1/key-rings/{ring}", get(rings::show))
}

/// The part of the OpenAPI document that describes this dialect.
#[derive(OpenApi)]
#[openapi(paths(rings::show), components(schemas(error::ProblemDetails)))]
pub(super) struct Document;
