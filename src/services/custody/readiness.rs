//! Whether the daemon can make and use keys now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::provider::Providers;
use crate::store::Store;
use strongroom_domain::error::Error;
use strongroom_domain::key::ProviderKind;

/// How long the result of one ping is reused. A ping is an fsynced write, and readiness needs no
/// credentials.
pub(super) const PING_VALID_FOR: Duration = Duration::from_secs(1);

/// The service over readiness.
pub struct Readiness {
    store: Arc<Store>,
    providers: Providers,
    /// Whether the store could be written lately.
    store_health: StoreHealthCache,
}

impl Readiness {
    /// The readiness of a store and of providers.
    #[must_use]
    pub fn new(store: Arc<Store>, providers: Providers) -> Self {
        Self { store, providers, store_health: StoreHealthCache::default() }
    }

    /// Reasons why the daemon is not ready, as sentences; empty when it is ready.
    pub async fn unready_reasons(&self) -> Vec<String> {
        let mut ailments: Vec<String> = self.store_health.of(self.store.as_ref()).await.into_iter().collect();
        for provider in self.providers.iter() {
            let health = provider.health();
            if !health.ready {
                ailments.push(format!("{}: {}", provider.kind().name(), health.detail));
            }
        }
        ailments
    }
}

/// Warnings about keys whose provider is not configured, as sentences.
///
/// # Errors
/// When the store cannot be asked.
pub async fn unreachable_keys(store: &Store, providers: &[ProviderKind]) -> Result<Vec<String>, Error> {
    let mut sentences = Vec::new();
    for (kind, section) in [(ProviderKind::Hsm, "[token]"), (ProviderKind::Local, "[local]")] {
        let count = if providers.contains(&kind) { 0 } else { store.count_held_by(kind).await? };
        if count > 0 {
            sentences.push(format!(
                "key pairs of the provider {} in the store: {count}; they can neither sign nor be exported, \
                 because the configuration has no section {section}",
                kind.name()
            ));
        }
    }
    Ok(sentences)
}

/// The last result of a ping; concurrent callers share one.
#[derive(Default)]
struct StoreHealthCache(Mutex<Option<(Instant, Option<String>)>>);

impl StoreHealthCache {
    /// The error of the store, if the last ping failed.
    async fn of(&self, store: &Store) -> Option<String> {
        let mut last = self.0.lock().await;
        if let Some((at, ailment)) = last.as_ref()
            && at.elapsed() < PING_VALID_FOR
        {
            return ailment.clone();
        }
        let ailment = store.ping().await.err().map(|failure| failure.to_string());
        *last = Some((Instant::now(), ailment.clone()));
        ailment
    }
}
