//! Services over the store alone, for commands beside a running daemon.

use std::sync::Arc;

use anyhow::Context as _;

use super::components;
use super::instance::new_life;
use crate::config::Config;
use crate::provider::Providers;
use crate::services::lifecycle::Keyring;
use crate::services::rotation::Rotation;
use crate::services::settings::Catalog;
use crate::store::Store;
use strongroom_domain::clock::{Clock, SystemClock, Timestamp};

/// The services over the store alone; operations on private keys are unavailable.
pub struct StoreOnly {
    store: Arc<Store>,
    keyring: Arc<Keyring>,
    rotation: Arc<Rotation>,
    clock: Arc<dyn Clock>,
}

impl StoreOnly {
    /// Opens the store.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let store = Store::open_configured(&config.store).await.context("the store cannot be opened")?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        // It owns none of the daemon's reservations.
        let owner = new_life(&format!("{}/bystander", config.instance))?;
        let (providers, lease) = (Providers::default(), components::lease(config));
        let keyring = Keyring::new(Arc::clone(&store) as Arc<_>, providers, Arc::clone(&clock), owner, lease)
            .with_keys(config.keys);
        let (keyring, catalog) =
            (Arc::new(keyring), Arc::new(Catalog::new(Arc::clone(&store) as Arc<_>, Arc::clone(&clock))));
        let rotation = components::rotation(config, &store, &keyring, components::policies(config, &catalog), &clock);
        Ok(Self { store, keyring, rotation, clock })
    }

    /// The keyring.
    #[must_use]
    pub fn keyring(&self) -> &Arc<Keyring> {
        &self.keyring
    }

    /// Succession.
    #[must_use]
    pub fn rotation(&self) -> &Arc<Rotation> {
        &self.rotation
    }

    /// The present moment, as the daemon sees it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Closes the store.
    pub async fn close(self) {
        self.store.close().await;
    }
}
