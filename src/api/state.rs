//! What the entrance hands in, and the one router it gets back.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;

use super::{Derivations, Detached, auth0, dialect, health, jwks, layer, native, openapi, pingfederate, zitadel};
use crate::auth::Authenticator;
use crate::catalog::Catalog;
use crate::keyring::Keyring;
use crate::rotation::Rotation;
use crate::signing::Signing;
use strongroom_domain::clock::Clock;

/// Everything that handlers work with.
pub struct Services {
    pub keyring: Arc<Keyring>,
    pub signing: Arc<Signing>,
    pub catalog: Arc<Catalog>,
    pub rotation: Arc<Rotation>,
    pub authenticator: Arc<Authenticator>,
    pub clock: Arc<dyn Clock>,
    /// Renders the metrics of the process as Prometheus text.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
    pub pingfederate: pingfederate::Settings,
    pub auth0: auth0::Settings,
    pub zitadel: zitadel::Settings,
    /// Time that a generation has until its commit begins.
    pub generate_deadline: Duration,
    /// Time that a signature or decryption has until its answer.
    pub sign_deadline: Duration,
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// Mutations at work; wait for them after the last connection has closed.
    pub detached: Detached,
    /// Work on key files, bounded.
    pub derivations: Derivations,
}

/// Every route of the daemon.
pub fn router(services: Services) -> Router {
    let body_limit = DefaultBodyLimit::max(services.body_limit);
    let services = Arc::new(services);
    let root =
        Router::new().merge(health::routes()).merge(jwks::routes()).merge(native::routes()).merge(openapi::routes());
    let routes = dialect::dress::<native::Problem>(root)
        .merge(pingfederate::routes())
        .merge(auth0::routes(&services))
        .merge(zitadel::routes());
    layer::around(routes.layer(body_limit)).with_state(services)
}
