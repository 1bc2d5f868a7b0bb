//! What a daemon, and a command that acts on its data, stand on: store, providers, keyring.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::instance::{InstanceLock, new_life};
use super::pins::{BystanderPins, StorePins};
use crate::admission::{Detached, QueueBounds};
use crate::config::{Config, MasterKeySource};
use crate::provider::local::{LocalProvider, MasterSealer};
use crate::provider::pkcs11::Pkcs11Provider;
use crate::provider::{KeyProvider as _, Providers};
use crate::services::connections::Connections;
use crate::services::custody::{MasterKeys, Readiness, Reconciler, unreachable_keys};
use crate::services::lifecycle::Keyring;
use crate::services::publication::Publication;
use crate::services::rotation::{self, Policies, Rotation};
use crate::services::settings::Catalog;
use crate::services::signing::{INPUTS_PER_PERMIT, Signing};
use crate::services::web_keys::WebKeys;
use crate::store::{LeaseOwner, Store};
use strongroom_domain::clock::{Clock, SystemClock};
use strongroom_domain::key::StoreId;
use strongroom_token::{HostCommand, PinMemory, TokenOptions};

/// Time for what follows generation: issuance and two transactions.
const LEASE_MARGIN: Duration = Duration::from_secs(120);

/// Store, providers and the services over both.
pub(super) struct Components {
    pub(super) keyring: Arc<Keyring>,
    pub(super) readiness: Arc<Readiness>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) publication: Arc<Publication>,
    pub(super) rotation: Arc<Rotation>,
    pub(super) web_keys: Arc<WebKeys>,
    pub(super) connections: Arc<Connections>,
    pub(super) signing: Arc<Signing>,
    /// The provider `HSM`, where there is one.
    pub(super) token: Option<Arc<Pkcs11Provider>>,
    /// What unlocks the provider `LOCAL`, where there is one.
    pub(super) master_keys: Option<Arc<MasterKeys>>,
    /// Changes at work.
    pub(super) detached: Detached,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) store: Arc<Store>,
}

impl Components {
    pub(super) async fn open(config: &Config, owner: LeaseOwner) -> anyhow::Result<Self> {
        let store = Store::open_configured(&config.store).await.context("the store cannot be opened")?;
        let (clock, lease): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), config.hosts.login_timeout * 2);
        let pins = StorePins::open(&store, &owner, &clock, lease, &config.state_dir).await?;
        Self::over(store, config, owner, pins)
    }

    fn over(store: Arc<Store>, config: &Config, owner: LeaseOwner, pins: Arc<dyn PinMemory>) -> anyhow::Result<Self> {
        let (clock, detached): (Arc<dyn Clock>, _) = (Arc::new(SystemClock), Detached::default());
        let token = token_options(config, pins)?.map(Pkcs11Provider::start);
        let local = local_provider(config, store.id(), token.as_ref());
        let providers =
            Providers::new(token.clone().map(|token| token as Arc<_>), local.clone().map(|local| local as Arc<_>));
        let signing = Signing::new(Arc::clone(&store) as Arc<_>, providers.clone(), Arc::clone(&clock));
        let signing = signing.with_bounds(signing_bounds(config));
        let keyring =
            Keyring::new(Arc::clone(&store) as Arc<_>, providers.clone(), Arc::clone(&clock), owner, lease(config));
        let keyring = keyring
            .with_requests_per_principal(config.limits.generations_per_principal)
            .with_keys(config.keys)
            .with_stock(config.stock.clone())
            .with_detached(detached.clone());
        let catalog = Catalog::new(Arc::clone(&store) as Arc<_>, Arc::clone(&clock)).with_detached(detached.clone());
        let catalog = Arc::new(catalog);
        let master_keys =
            local.map(|local| Arc::new(MasterKeys::new(Arc::clone(&store) as Arc<_>, local, Arc::clone(&clock))));
        let (keyring, signing) = (Arc::new(keyring), Arc::new(signing));
        let readiness = Arc::new(Readiness::new(Arc::clone(&store), providers.clone()));
        let policies = policies(config, &catalog);
        let publication = Arc::new(Publication::new(
            Arc::clone(&store),
            providers,
            Arc::clone(&catalog),
            policies.clone(),
            Arc::clone(&clock),
        ));
        let rotation = rotation(config, &store, &keyring, policies, &clock);
        let web_keys =
            WebKeys::new(Arc::clone(&store), Arc::clone(&keyring), Arc::clone(&rotation), Arc::clone(&clock));
        let web_keys = Arc::new(web_keys);
        let connections = Connections::new(Arc::clone(&store), Arc::clone(&keyring), Arc::clone(&clock));
        let connections = Arc::new(connections);
        Ok(Self {
            keyring,
            readiness,
            catalog,
            publication,
            rotation,
            web_keys,
            connections,
            signing,
            token,
            master_keys,
            detached,
            clock,
            store,
        })
    }

    /// Warnings about keys whose provider is not configured, as sentences.
    pub(super) async fn unreachable_keys(&self, config: &Config) -> anyhow::Result<Vec<String>> {
        Ok(unreachable_keys(self.store.as_ref(), &config.providers()).await?)
    }

    pub(super) async fn close(self) {
        if let Some(token) = self.token {
            token.client().stop().await;
        }
        self.store.close().await;
    }
}

/// Concurrency at the token: enough to keep every worker of every host busy and calls coalesced, and so
/// low that the token's queue has room for all calls and no principal waits long behind another.
fn signing_bounds(config: &Config) -> QueueBounds {
    let hosts = &config.hosts;
    let workers = hosts.signing_hosts.saturating_mul(hosts.workers);
    let at_once = workers.saturating_mul(4).max(128).min(hosts.sign_queue / INPUTS_PER_PERMIT).max(1);
    QueueBounds { concurrency: at_once, share: config.limits.signatures_per_principal }
}

/// The policies of rings, with the defaults of the configuration.
pub(super) fn policies(config: &Config, catalog: &Arc<Catalog>) -> Policies {
    let settings = &config.rotation;
    let defaults = rotation::PolicyDefaults {
        lead: settings.lead,
        max_age: settings.jwks_max_age,
        overlap: settings.overlap,
        connection_overlap: config.auth0.overlap,
        connection_period: config.auth0.rotation_period,
        web_key_period: config.zitadel.rotation_period,
        web_key_overlap: config.zitadel.overlap,
    };
    Policies::new(Arc::clone(catalog), defaults)
}

/// The service over succession.
pub(super) fn rotation(
    config: &Config,
    store: &Arc<Store>,
    keyring: &Arc<Keyring>,
    policies: Policies,
    clock: &Arc<dyn Clock>,
) -> Arc<Rotation> {
    let settings = &config.rotation;
    let options = rotation::SweepOptions {
        destroy_limit: settings.destroy_limit,
        // Without regular sweeps the last one says nothing about the clock.
        clock_guard: settings.enabled.then_some(settings.clock_guard),
        deadline: config.limits.generate_deadline,
    };
    let store = Arc::clone(store) as Arc<_>;
    let rotation = Rotation::new(store, Arc::clone(keyring), policies, Arc::clone(clock));
    Arc::new(rotation.with_sweep_options(options))
}

/// How long a reservation is safe from other daemons.
pub(super) fn lease(config: &Config) -> Duration {
    config.hosts.generate_timeout + config.limits.generate_deadline + LEASE_MARGIN
}

/// What the provider of a configuration's token is started with; `None` without a token.
///
/// # Errors
/// When the path of this program is not known.
fn token_options(config: &Config, pins: Arc<dyn PinMemory>) -> anyhow::Result<Option<TokenOptions>> {
    let Some(token) = &config.token else { return Ok(None) };
    Ok(Some(TokenOptions {
        command: host_command()?,
        token: token.clone(),
        hosts: config.hosts.clone(),
        state_dir: config.state_dir.clone(),
        pins: Some(pins),
    }))
}

/// What the token of a configuration is looked at with, by a command that writes to no store; `None` without a token.
///
/// # Errors
/// When the path of this program is not known.
pub fn probed_token_options(config: &Config, store: Option<Arc<Store>>) -> anyhow::Result<Option<TokenOptions>> {
    token_options(config, Arc::new(BystanderPins::new(store, &config.state_dir)))
}

fn local_provider(config: &Config, store: StoreId, token: Option<&Arc<Pkcs11Provider>>) -> Option<Arc<LocalProvider>> {
    let sealer = match config.local.as_ref()? {
        MasterKeySource::Token => MasterSealer::Token(Arc::clone(token?)),
        MasterKeySource::KeyFile(file) => MasterSealer::KeyFile(file.clone()),
    };
    Some(LocalProvider::new(store, sealer))
}

/// The command that starts this program again as a token host.
///
/// # Errors
/// When the path of this program is not known.
pub fn host_command() -> anyhow::Result<HostCommand> {
    let program = std::env::current_exe().context("the path of this program is not known")?;
    Ok(HostCommand::new(program).arg("token-host"))
}

/// A keyring without a daemon, for commands.
pub struct Offline {
    components: Components,
    lock: Option<InstanceLock>,
}

impl Offline {
    /// Opens the store, logs in to the token with one token host, and unlocks software keys.
    ///
    /// # Errors
    /// When the store cannot be opened, the token does not become ready in time, or a master
    /// key does not open.
    pub async fn open(config: &Config) -> anyhow::Result<Self> {
        let mut config = config.clone();
        config.hosts.signing_hosts = 1;
        let lock = InstanceLock::try_acquire(&config.state_dir)?;
        // While the daemon lives, its reservations are no former life's.
        let instance = if lock.is_some() { config.instance.clone() } else { format!("{}/command", config.instance) };
        let components = Components::open(&config, new_life(&instance)?).await?;
        if let Err(failure) = ready(&components, config.hosts.login_timeout).await {
            components.close().await;
            return Err(failure);
        }
        Ok(Self { components, lock })
    }

    /// Inspects the LOCAL keys of a store opened for reading only: nothing is locked, unlocked or
    /// created, and no token is used unless it seals master keys.
    ///
    /// # Errors
    /// When that token does not become ready in time.
    pub async fn inspect(config: &Config, store: Arc<Store>) -> anyhow::Result<Self> {
        let mut config = config.clone();
        config.hosts.signing_hosts = 1;
        if !matches!(config.local, Some(MasterKeySource::Token)) {
            config.token = None;
        }
        let owner = new_life(&format!("{}/command", config.instance))?;
        let pins = Arc::new(BystanderPins::new(Some(Arc::clone(&store)), &config.state_dir));
        let components = Components::over(store, &config, owner, pins)?;
        if let Err(failure) = logged_in(&components, config.hosts.login_timeout).await {
            components.close().await;
            return Err(failure);
        }
        Ok(Self { components, lock: None })
    }

    /// The reconciler of the keys.
    #[must_use]
    pub fn reconciler(&self) -> Reconciler {
        Reconciler::new(Arc::clone(&self.components.keyring))
    }

    /// Succession and publication.
    #[must_use]
    pub fn rotation(&self) -> &Arc<Rotation> {
        &self.components.rotation
    }

    /// The master keys of the provider `LOCAL`, where there is one.
    #[must_use]
    pub fn master_keys(&self) -> Option<&MasterKeys> {
        self.components.master_keys.as_deref()
    }

    /// Whether no daemon is running on the same state.
    #[must_use]
    pub const fn holds_lock(&self) -> bool {
        self.lock.is_some()
    }

    /// Closes store and token.
    pub async fn close(self) {
        self.components.close().await;
    }
}

/// Waits until the token is logged in, then unlocks the software keys as far as they are needed.
async fn ready(components: &Components, patience: Duration) -> anyhow::Result<()> {
    logged_in(components, patience).await?;
    if let Some(master_keys) = &components.master_keys {
        master_keys.unlock_needed().await.context("the LOCAL keys are locked")?;
    }
    Ok(())
}

async fn logged_in(components: &Components, patience: Duration) -> anyhow::Result<()> {
    if let Some(token) = &components.token {
        let waited = tokio::time::timeout(patience, async {
            while !token.health().ready && token.client().verdict().is_none() {
                tokio::time::sleep(super::POLL_EVERY).await;
            }
        });
        if waited.await.is_err() || !token.health().ready {
            bail!("the token is not ready: {}", token.health().detail);
        }
    }
    Ok(())
}
