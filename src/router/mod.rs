//! The one router and the one OpenAPI document, put together from the dialects.
//!
//! Owns the order in which dialects, key sets and the documentation page are merged, the
//! body limit and the layers around all of them. Does not own any route: each dialect
//! brings its own, with its settings as their state.
//!
//! Invariants: a path under no dialect's prefix is answered by the native API's problem
//! document; every route but health, key sets, the document and its page asks for credentials.

mod document;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;

use crate::dialects::{auth0, native, pingfederate, zitadel};
use crate::http::{Dialect, Services, dialect, layer};

pub use document::document;

/// The settings of the dialects that have some.
#[derive(Clone, Debug)]
pub struct Settings {
    pub pingfederate: pingfederate::Settings,
    pub auth0: auth0::Settings,
    pub zitadel: zitadel::Settings,
}

/// Every route of the daemon.
pub fn router(services: Services, settings: Settings) -> Router {
    let body_limit = DefaultBodyLimit::max(services.body_limit);
    let (authenticator, services) = (Arc::clone(&services.authenticator), Arc::new(services));
    let pingfederate = Dialect::new(Arc::clone(&services), settings.pingfederate);
    let auth0 = Dialect::new(Arc::clone(&services), settings.auth0);
    let zitadel = Dialect::new(Arc::clone(&services), settings.zitadel);
    let root = Router::new()
        .merge(native::routes().with_state(services))
        .merge(pingfederate::key_sets().with_state(Arc::clone(&pingfederate)))
        .merge(auth0::key_sets().with_state(Arc::clone(&auth0)))
        .merge(zitadel::key_sets().with_state(Arc::clone(&zitadel)))
        .merge(document::routes());
    let routes = dialect::with_dialect_errors::<(), native::Problem>(root)
        .merge(pingfederate::routes().with_state(pingfederate))
        .merge(auth0::routes(&auth0).with_state(auth0))
        .merge(zitadel::routes().with_state(zitadel));
    layer::with_request_layers(routes.layer(body_limit), authenticator)
}
