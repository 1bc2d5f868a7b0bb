//! `daemon key`: what an operator does to one key, with a daemon running or without.

use std::sync::Arc;
use std::time::Duration;

use super::block_on;
use super::reconcile::Source;
use crate::auth::{Caller, Task};
use crate::config::Config;
use crate::daemon::{Offline, StoreOnly};
use crate::services::lifecycle::Keyring;
use crate::services::rotation::{CompromiseKey, Compromised};
use strongroom_domain::error::Error;
use strongroom_domain::key::{KeyName, KeyPair};

/// Time for the making of a successor.
const DEADLINE: Duration = Duration::from_secs(120);
const DAY: Duration = Duration::from_secs(86_400);

#[derive(clap::Args)]
pub(super) struct Key {
    #[command(flatten)]
    source: Source,
    /// Kid or id of the key
    #[arg(value_name = "KID")]
    kid: KeyName,
}

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Take a key out of every key set for ever and put another in its place
    ///
    /// Daemons that are running stop signing with it within 3 seconds. If the token cannot be reached, the key is
    /// compromised all the same, and the sweeps of a daemon make its successor.
    Compromise(Key),
    /// Have a key sign and decrypt nothing until it is reinstated
    Suspend {
        #[command(flatten)]
        key: Key,
        /// Leave it out of the key sets meanwhile
        #[arg(long)]
        unpublished: bool,
    },
    /// Return a suspended key to the state that it came from
    Reinstate(Key),
    /// Schedule the destruction of a key, which leaves its ring and every key set at once
    ///
    /// It can be restored until the window ends; the sweeps of a daemon destroy it then.
    Destroy {
        #[command(flatten)]
        key: Key,
        /// Days until then, instead of the configured window
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=365))]
        days: Option<u32>,
        /// Destroy it now: nothing brings it back
        #[arg(long, conflicts_with = "days")]
        now: bool,
    },
    /// Cancel the destruction of a key, which is Suspended until it is reinstated
    Restore(Key),
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Compromise(key) => {
            let config = key.source.load()?;
            report_compromised(&block_on(compromise(&config, &key.kid))?);
        }
        Command::Suspend { key, unpublished } => {
            report(&changed(key, async |keyring, who| keyring.suspend(who, &key.kid, !unpublished).await)?);
        }
        Command::Reinstate(key) => {
            report(&changed(key, async |keyring, who| keyring.reinstate(who, &key.kid).await)?);
        }
        Command::Destroy { key, now: true, .. } => {
            changed(key, async |keyring, who| keyring.destroy(who, &key.kid).await)?;
            report_destroyed(&key.kid);
        }
        Command::Destroy { key, days, now: false } => {
            let window = days.map(|days| DAY * days);
            report(&changed(key, async |keyring, who| keyring.schedule_destruction(who, &key.kid, window).await)?);
        }
        Command::Restore(key) => {
            report(&changed(key, async |keyring, who| keyring.restore(who, &key.kid).await)?);
        }
    }
    Ok(())
}

/// Carries out a change that needs no provider.
fn changed<T>(key: &Key, change: impl AsyncFnOnce(&Arc<Keyring>, &Caller) -> Result<T, Error>) -> anyhow::Result<T> {
    let config = key.source.load()?;
    block_on(async {
        let store = StoreOnly::open(&config).await?;
        let outcome = change(store.keyring(), &Caller::daemon(Task::Command)).await;
        store.close().await;
        Ok(outcome?)
    })
}

async fn compromise(config: &Config, kid: &KeyName) -> anyhow::Result<Compromised> {
    let who = Caller::daemon(Task::Command);
    let request = CompromiseKey { name: kid.clone(), deadline: DEADLINE };
    match Offline::open(config).await {
        Ok(offline) => {
            let done = offline.rotation().compromise(&who, request).await;
            offline.close().await;
            Ok(done?)
        }
        Err(failure) => {
            tracing::warn!(error = format!("{failure:#}"), "no successor is made here: the providers are not ready");
            let bystander = StoreOnly::open(config).await?;
            let done = bystander.rotation().compromise(&who, request).await;
            bystander.close().await;
            Ok(done?)
        }
    }
}

#[allow(clippy::print_stdout, reason = "the command's output")]
fn report(pair: &KeyPair) {
    println!("{} is {}", title(pair), pair.state);
    if let Some(at) = pair.destroy_at {
        println!("it is destroyed at {at} unless it is restored");
    }
    if let Some(origin) = pair.suspended_from {
        println!(
            "it is {origin} again once it is {}reinstated",
            if pair.destroy_at.is_some() { "restored and " } else { "" }
        );
    }
}

#[allow(clippy::print_stdout, reason = "the command's output")]
fn report_destroyed(name: &KeyName) {
    println!("the destruction of key {name} is committed: a running daemon carries it out within a minute,");
    println!("or `strongroom reconcile --repair`");
}

#[allow(clippy::print_stdout, reason = "the command's output")]
fn report_compromised(Compromised { key, active, without_successor, cached_until }: &Compromised) {
    println!("{} is Compromised: it is in no key set and never signs again", title(key));
    if let Some(active) = active {
        println!("{} is Active in its ring", title(active));
    }
    if let Some(why) = without_successor {
        println!("{why}");
    }
    println!("verifiers may trust it until {cached_until}, as long as key sets are cached");
}

fn title(pair: &KeyPair) -> String {
    let kid = pair.kid.as_ref().map(|kid| format!("{kid} ")).unwrap_or_default();
    format!("key {kid}({})", pair.id)
}
