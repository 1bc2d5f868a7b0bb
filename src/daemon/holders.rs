//! What a daemon, and a command that acts on its data, stand on: store, token, keyring.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::instance::{InstanceLock, new_life};
use crate::catalog::Catalog;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::keyring::Keyring;
use crate::provider::pkcs11::{Pkcs11Options, Pkcs11Provider};
use crate::provider::{KeyProvider as _, Providers};
use crate::store::{Owner, SqlStore};

/// Time for what follows generation: issuance and two transactions.
const LEASE_MARGIN: Duration = Duration::from_secs(120);

/// Store, token and the service over both.
pub(super) struct Holders {
    pub(super) keyring: Arc<Keyring>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) provider: Arc<Pkcs11Provider>,
    pub(super) clock: Arc<dyn Clock>,
    store: Arc<SqlStore>,
}

impl Holders {
    pub(super) async fn open(config: &Config, owner: Owner) -> anyhow::Result<Self> {
        let store = SqlStore::open(&config.store).await.context("the store cannot be opened")?;
        let provider = Pkcs11Provider::start(pkcs11_options(config)?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let providers = Providers::default().with(Arc::clone(&provider) as Arc<_>);
        let lease = config.hosts.generate_timeout + config.limits.generate_deadline + LEASE_MARGIN;
        let keyring = Keyring::new(Arc::clone(&store) as Arc<_>, providers, Arc::clone(&clock), owner, lease);
        let catalog = Arc::new(Catalog::new(Arc::clone(&store) as Arc<_>, Arc::clone(&clock)));
        Ok(Self { keyring: Arc::new(keyring), catalog, provider, clock, store })
    }

    pub(super) async fn close(self) {
        self.provider.stop().await;
        self.store.close().await;
    }
}

/// What the provider of a configuration's token is started with.
///
/// # Errors
/// When the path of this program is not known.
pub fn pkcs11_options(config: &Config) -> anyhow::Result<Pkcs11Options> {
    Ok(Pkcs11Options {
        executable: executable()?,
        token: config.token.clone(),
        hosts: config.hosts.clone(),
        state_dir: config.state_dir.clone(),
    })
}

/// This program, to be started again as a token host.
///
/// # Errors
/// When its path is not known.
pub fn executable() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("the path of this program is not known")
}

/// A keyring without a daemon, for commands.
pub struct Offline {
    holders: Holders,
    lock: Option<InstanceLock>,
}

impl Offline {
    /// Opens the store and logs in to the token, with one token host.
    ///
    /// # Errors
    /// When the store cannot be opened or the token does not become ready in time.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let mut config = config.clone();
        config.hosts.signing_hosts = 1;
        let lock = InstanceLock::take(&config.state_dir)?;
        // While the daemon lives, its reservations are no former life's.
        let instance = if lock.is_some() { config.instance.clone() } else { format!("{}/command", config.instance) };
        let holders = Holders::open(&config, new_life(&instance)?).await?;
        let patience = config.hosts.login_timeout;
        let waited = tokio::time::timeout(patience, async {
            while !holders.provider.health().ready {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        if waited.await.is_err() {
            let detail = holders.provider.health().detail;
            holders.close().await;
            bail!("the token is not ready: {detail}");
        }
        Ok(Self { holders, lock })
    }

    /// The keyring.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.holders.keyring
    }

    /// Whether no daemon is running on the same state.
    #[must_use]
    pub const fn is_alone(&self) -> bool {
        self.lock.is_some()
    }

    /// Closes store and token.
    pub async fn close(self) {
        self.holders.close().await;
    }
}
