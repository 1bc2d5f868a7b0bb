//! The composition root: builds bottom-up, spawns, serves, drains.
//!
//! Owns the order of things at start and at stop, the hand-over of plain values and
//! service handles from configuration to rooms, and the hardening of the process. Does
//! not own any rule of the domain.
//!
//! Invariants: one life of an instance at a time (a lock in the state directory); at
//! stop no request under way is cut off before its drain is over, and the token hosts
//! end last.

mod components;
mod instance;
mod store_only;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::admission::BlockingPool;
use crate::auth::Authenticator;
use crate::config::{self, Config};
use crate::dialects::{auth0, pingfederate, zitadel};
use crate::http::{Detached, Services};
use crate::router;
use crate::serve;
use crate::services::custody::{MasterKeys, MissingKeys, Reconciler, StockFiller};
use crate::services::lifecycle::Keyring;
use crate::services::rotation::Rotation;
use crate::store::poll_epoch;
use crate::telemetry;
use components::Components;
use instance::{NameLock, new_life};

pub use components::{Offline, host_command, token_options};
pub use instance::{InstanceLock, make_state_dir};
pub use store_only::StoreOnly;

/// When the line that the daemon is ready is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// Once connections are accepted; readiness is asked over HTTP.
    WhenListening,
    /// Once the token is logged in too.
    WhenReady,
}

/// For mutations to end once their connections have.
const LAST_WORK: Duration = Duration::from_secs(5);

/// How long a development daemon waits for its own token.
const READY_WITHIN: Duration = Duration::from_secs(90);
/// Between looks at whether it is.
const POLL_EVERY: Duration = Duration::from_millis(50);

/// Runs the daemon of the locked state until SIGTERM or SIGINT; a second signal ends it at once.
///
/// # Errors
/// When it cannot start (no store, no listener), or, announced when ready, does not become
/// ready in time.
pub async fn run(config: Config, announce: Announce, _lock: InstanceLock) -> anyhow::Result<()> {
    let metrics = telemetry::start_metrics()?;
    tokio::spawn(telemetry::run_metrics_upkeep(metrics.clone()));
    let stop = stop_on_signals()?;
    ignore_other_signals()?;
    let listener = TcpListener::bind(config.listener.address)
        .await
        .with_context(|| format!("cannot listen on {}", config.listener.address))?;
    let address = listener.local_addr()?;
    let _name = NameLock::acquire(&config.store, &config.instance)?;
    let components = Components::open(&config, new_life(&config.instance)?).await?;

    for sentence in components.unreachable_keys(&config).await? {
        tracing::warn!("{sentence}");
    }

    let detached = Detached::default();
    let router = router::router(services(&config, &components, metrics, detached.clone()), dialects(&config, address));
    let reconciler = tokio::spawn(reconcile(&components, stop.clone()));
    let rotator = tokio::spawn(rotate(Arc::clone(&components.rotation), config.rotation, stop.clone()));
    let unlocker = tokio::spawn(keep_unlocked(components.master_keys.clone(), stop.clone()));
    let (filler, stock_stop) = (StockFiller::new(Arc::clone(&components.keyring)), stop.clone());
    let stockist = tokio::spawn(async move { filler.run(stock_stop).await });
    let bootstrapper = tokio::spawn(bootstrap(&config, Arc::clone(&components.keyring), stop.clone()));
    let cache = tokio::spawn(keep_current(&components, stop.clone()));
    let server = tokio::spawn(serve::serve(listener, router, listen_limits(&config), stop.clone()));
    let started = match announce {
        Announce::WhenListening => Ok(()),
        Announce::WhenReady => wait_until_ready(&components, stop.clone()).await,
    };
    if started.is_ok() && !*stop.borrow() {
        say_ready(address);
        let mut stop = stop.clone();
        stop.wait_for(|stop| *stop).await?;
        tracing::info!("draining");
        if let Some(token) = &components.token {
            token.client().refuse_generations();
        }
        let drained = server.await?;
        // What outlasts the drain is undone by the next life; its client was not answered.
        let finished = tokio::time::timeout(LAST_WORK, detached.wait_until_idle()).await.is_ok();
        tracing::info!(cut = drained.cut, finished, "drained");
        reconciler.await?;
        // A step that has begun is given the time of a request to end.
        if tokio::time::timeout(config.limits.drain, rotator).await.is_err() {
            tracing::warn!("a step of rotation is cut off; the next life undoes it");
        }
        unlocker.await?;
        bootstrapper.await?;
        // A key that takes longer is undone by the next life.
        let _ = tokio::time::timeout(LAST_WORK, stockist).await;
    }
    cache.abort();
    components.close().await;
    started
}

fn services(config: &Config, components: &Components, metrics: PrometheusHandle, detached: Detached) -> Services {
    Services {
        keyring: Arc::clone(&components.keyring),
        signing: Arc::clone(&components.signing),
        catalog: Arc::clone(&components.catalog),
        readiness: Arc::clone(&components.readiness),
        publication: Arc::clone(&components.publication),
        rotation: Arc::clone(&components.rotation),
        authenticator: Arc::new(Authenticator::new(config.credentials.clone())),
        clock: Arc::clone(&components.clock),
        metrics: Box::new(move || metrics.render()),
        generate_deadline: config.limits.generate_deadline,
        sign_deadline: config.limits.sign_deadline,
        body_limit: config.limits.body_bytes,
        detached,
        key_files: BlockingPool::for_key_files(),
        documents: BlockingPool::for_documents(),
    }
}

fn dialects(config: &Config, address: SocketAddr) -> router::Settings {
    router::Settings {
        pingfederate: pingfederate::Settings {
            hybrid: config.pingfederate.hybrid,
            default_provider: config.pingfederate.default_provider,
            san_format: match config.pingfederate.san_format {
                config::SanFormat::Bare => pingfederate::SanFormat::Bare,
                config::SanFormat::Typed => pingfederate::SanFormat::Typed,
            },
            require_trusted_issuer: config.pingfederate.require_trusted_issuer,
        },
        auth0: auth0::Settings {
            connections: match config.auth0.connections {
                config::Connections::Implicit => auth0::Connections::Implicit,
                config::Connections::Declared => auth0::Connections::Declared,
            },
            provider: config.auth0.provider,
            rsa: config.auth0.rsa,
            valid_days: config.auth0.valid_days,
            rate_limit: config.auth0.rate_limit,
        },
        zitadel: zitadel::Settings {
            instance_id: config.zitadel.instance_id.clone(),
            provider: config.zitadel.provider,
            // Elsewhere than on loopback a proxy stands before the daemon, whose address nobody but the operator knows.
            issuer: config
                .zitadel
                .issuer
                .clone()
                .or_else(|| address.ip().is_loopback().then(|| format!("http://{address}"))),
        },
    }
}

fn listen_limits(config: &Config) -> serve::ConnectionLimits {
    let limits = &config.limits;
    serve::ConnectionLimits {
        connections: limits.connections,
        idle: limits.idle_timeout,
        body: limits.body_timeout,
        drain: limits.drain,
    }
}

/// Reconciles in the background; a generation host that died asks for a whole inventory. What signatures
/// did not find is marked meanwhile.
fn reconcile(components: &Components, stop: watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
    let (keyring, token) = (Arc::clone(&components.keyring), components.token.clone());
    let reports = components.signing.take_missing_reports();
    async move {
        let reconciler = Reconciler::new(Arc::clone(&keyring));
        let asked = async {
            if let Some(mut due) = token.map(|token| token.client().subscribe()) {
                while due.changed().await.is_ok() {
                    keyring.reconcile_soon(true);
                }
            }
            std::future::pending::<()>().await;
        };
        let missing = async {
            if let Some(reports) = reports {
                MissingKeys::new(Arc::clone(&keyring)).run(reports).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = reconciler.run(stop) => {}
            () = asked => {}
            () = missing => {}
        }
    }
}

/// Has keys succeeded by themselves, where that is wanted.
async fn rotate(rotation: Arc<Rotation>, settings: config::RotationConfig, stop: watch::Receiver<bool>) {
    if settings.enabled {
        rotation.run_scheduler(settings.interval, stop).await;
    }
}

/// Tells every cache what epoch the store has.
fn keep_current(components: &Components, stop: watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
    let (signing, publication) = (Arc::clone(&components.signing), Arc::clone(&components.publication));
    poll_epoch(Arc::clone(&components.store) as Arc<_>, stop, move |seen| {
        signing.observe_epoch(seen);
        publication.observe_epoch(seen);
    })
}

/// Unlocks the software keys, where there are any, and follows their master keys.
async fn keep_unlocked(master_keys: Option<Arc<MasterKeys>>, stop: watch::Receiver<bool>) {
    if let Some(master_keys) = master_keys {
        master_keys.run_unlocker(stop).await;
    }
}

/// Makes the first web keys, where the configuration asks for them.
fn bootstrap(config: &Config, keyring: Arc<Keyring>, stop: watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
    let (wanted, provider) = (config.zitadel.bootstrap, config.zitadel.provider);
    let deadline = config.limits.generate_deadline;
    async move {
        if wanted {
            zitadel::bootstrap(&keyring, provider, deadline, stop).await;
        }
    }
}

async fn wait_until_ready(components: &Components, mut stop: watch::Receiver<bool>) -> anyhow::Result<()> {
    let ready = async {
        while !components.readiness.unready_reasons().await.is_empty() {
            if let Some(verdict) = components.token.as_ref().and_then(|token| token.client().verdict()) {
                bail!("not ready: {verdict}");
            }
            tokio::time::sleep(POLL_EVERY).await;
        }
        Ok(())
    };
    tokio::select! {
        outcome = ready => outcome,
        _ = stop.wait_for(|stop| *stop) => Ok(()),
        () = tokio::time::sleep(READY_WITHIN) => bail!("not ready: {}", components.readiness.unready_reasons().await.join("; ")),
    }
}

#[allow(clippy::print_stdout, reason = "the one line that whoever started the daemon waits for")]
fn say_ready(address: SocketAddr) {
    println!("strongroom is ready at http://{address}");
}

/// Turns true at the first SIGTERM or SIGINT.
fn stop_on_signals() -> anyhow::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (sender, stop) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        sender.send_replace(true);
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::warn!("a second signal: ending at once");
        std::process::exit(1);
    });
    Ok(stop)
}

/// Goes on at signals that would end the process undrained; nothing of it is read anew by one.
fn ignore_other_signals() -> anyhow::Result<()> {
    let others = [
        ("SIGHUP", SignalKind::hangup()),
        ("SIGUSR1", SignalKind::user_defined1()),
        ("SIGUSR2", SignalKind::user_defined2()),
    ];
    for (name, kind) in others {
        let mut received = signal(kind)?;
        tokio::spawn(async move {
            while received.recv().await.is_some() {
                tracing::warn!("{name} is ignored: the configuration is read at a start, and SIGTERM drains");
            }
        });
    }
    Ok(())
}

/// Keeps secrets out of core dumps and debuggers, and new files from other users.
pub fn harden() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit, umask};
    umask(rustix::fs::Mode::from_raw_mode(0o077));
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    for outcome in [
        setrlimit(Resource::Core, none),
        set_dumpable_behavior(DumpableBehavior::NotDumpable),
        rustix::thread::set_no_new_privs(true),
    ] {
        if let Err(failure) = outcome {
            tracing::warn!(error = %failure, "the process could not be hardened");
        }
    }
}
