//! The state of the routers: the services, and a dialect's settings beside them.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::admission::BlockingPool;
use crate::auth::{Authenticator, IdempotencyKey};
use crate::services::connections::Connections;
use crate::services::custody::Readiness;
use crate::services::lifecycle::Keyring;
use crate::services::publication::Publication;
use crate::services::rotation::Rotation;
use crate::services::settings::Catalog;
use crate::services::signing::Signing;
use crate::services::web_keys::WebKeys;
use strongroom_domain::clock::Clock;

/// Everything that handlers work with.
pub struct Services {
    pub keyring: Arc<Keyring>,
    pub readiness: Arc<Readiness>,
    pub signing: Arc<Signing>,
    pub catalog: Arc<Catalog>,
    pub publication: Arc<Publication>,
    pub rotation: Arc<Rotation>,
    pub web_keys: Arc<WebKeys>,
    pub connections: Arc<Connections>,
    pub authenticator: Arc<Authenticator>,
    pub clock: Arc<dyn Clock>,
    /// Renders the metrics of the process as Prometheus text.
    pub metrics: Box<dyn Fn() -> String + Send + Sync>,
    /// Time that a generation has until its commit begins.
    pub generate_deadline: Duration,
    /// Time that a signature or decryption has until its answer.
    pub sign_deadline: Duration,
    /// The largest request body, in bytes.
    pub body_limit: usize,
    /// Work on key files and chains, bounded.
    pub key_files: BlockingPool,
    /// Reading of large bodies and rendering of long lists, bounded.
    pub documents: BlockingPool,
}

impl Services {
    /// What a body is remembered by: the body itself need not be kept.
    pub(crate) fn idempotency(
        &self,
        key: Option<String>,
        route: impl FnOnce() -> String,
        body: &[u8],
    ) -> Option<IdempotencyKey> {
        key.map(|key| IdempotencyKey { key, route: route(), fingerprint: self.keyring.fingerprint(body) })
    }
}

/// The services together with the settings of one dialect.
pub struct Dialect<T> {
    services: Arc<Services>,
    /// What an operator decides about the dialect.
    pub settings: T,
}

impl<T> Dialect<T> {
    /// The state of a dialect's router.
    #[must_use]
    pub fn new(services: Arc<Services>, settings: T) -> Arc<Self> {
        Arc::new(Self { services, settings })
    }
}

impl<T> Deref for Dialect<T> {
    type Target = Services;

    fn deref(&self) -> &Services {
        &self.services
    }
}

/// State of a router whose handlers need the services.
pub trait ServiceState: Clone + Send + Sync + 'static {
    /// The services.
    fn services(&self) -> &Services;
}

impl ServiceState for Arc<Services> {
    fn services(&self) -> &Services {
        self
    }
}

impl<T: Send + Sync + 'static> ServiceState for Arc<Dialect<T>> {
    fn services(&self) -> &Services {
        self
    }
}
