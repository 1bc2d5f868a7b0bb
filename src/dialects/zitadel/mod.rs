//! The Zitadel dialect: web keys as its resource API and its `WebKeyService` show them.
//!
//! Owns paths, field names, the JSON of Protocol Buffers, the words and ids of refusals in both shapes
//! (gateway and Connect), the discovery document, and the two keys that a new instance begins with.
//! Does not own what a key pair is or how it is made and moved (`lifecycle`), when it is succeeded by
//! itself (`rotation`), or the key set. All web keys are members of the one ring `web-keys`; a web
//! key's id is its kid.
//!
//! Invariants: a change is made by one transaction or not at all, so there is one active key at every
//! moment once there was one; v3alpha has defaults where v2beta and v2 are as strict as the product;
//! binary Protocol Buffers and gRPC are refused in words that their clients show.

mod bootstrap;
mod connect;
mod discovery;
mod document;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod key_set;
mod message;
mod rest;
mod settings;
#[cfg(test)]
mod tests;
mod v3alpha;
mod view;
mod violation;
mod web_keys;
mod wire;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, delete, get, post};

use crate::http::dialect;
pub use bootstrap::bootstrap;
pub(crate) use document::Document;
use error::GatewayError;
pub(crate) use settings::Services;
pub use settings::Settings;

/// REST under its three prefixes, the services of Connect, and discovery.
pub(crate) fn routes() -> Router<Arc<Services>> {
    let flat = || {
        web_keys_at([
            ("", get(rest::list).post(rest::create)),
            ("/{id}", delete(rest::delete)),
            ("/{id}/activate", post(rest::activate)),
            ("/{id}/_activate", post(rest::activate)),
        ])
    };
    let nested = web_keys_at([
        ("", get(v3alpha::list).post(v3alpha::create)),
        ("/{id}", delete(v3alpha::delete)),
        ("/{id}/activate", post(v3alpha::activate)),
        ("/{id}/_activate", post(v3alpha::activate)),
    ]);
    Router::new()
        .nest("/v2", dialect::with_dialect_errors::<_, GatewayError>(flat()))
        .nest("/v2beta", dialect::with_dialect_errors::<_, GatewayError>(flat()))
        .nest("/resources/v3alpha", dialect::with_dialect_errors::<_, GatewayError>(nested))
        .merge(connect::routes())
        .merge(discovery::routes())
}

/// The key set of the web keys.
pub(crate) fn key_sets() -> Router<Arc<Services>> {
    Router::new().route("/oauth/v2/keys", get(key_set::show))
}

/// Routes with and without a trailing slash.
fn web_keys_at<const N: usize>(routes: [(&str, MethodRouter<Arc<Services>>); N]) -> Router<Arc<Services>> {
    routes.into_iter().fold(Router::new(), |router, (path, methods)| {
        router.route(&format!("/web_keys{path}"), methods.clone()).route(&format!("/web_keys{path}/"), methods)
    })
}
