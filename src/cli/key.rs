//! `daemon key`: what an operator does to one key in an emergency, with a daemon running or without.

use std::time::Duration;

use super::block_on;
use super::reconcile::Source;
use crate::auth::{Caller, Task};
use crate::config::Config;
use crate::daemon::{Offline, StoreOnly};
use crate::services::rotation::{CompromiseKey, Compromised};
use strongroom_domain::key::KeyName;

/// Time for the making of a successor.
const DEADLINE: Duration = Duration::from_secs(120);

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Take a key out of every key set for ever and put another in its place
    ///
    /// Daemons that are running stop signing with it within 3 seconds. If the token cannot be reached, the key is
    /// compromised all the same, and the sweeps of a daemon make its successor.
    Compromise {
        #[command(flatten)]
        source: Source,
        /// Kid or id of the key
        #[arg(value_name = "KID")]
        kid: KeyName,
    },
}

pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    let Command::Compromise { source, kid } = command;
    let config = source.load()?;
    let done = block_on(compromise(&config, kid))?;
    report(&done);
    Ok(())
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
fn report(Compromised { key, active, without_successor, cached_until }: &Compromised) {
    let name = |kid: Option<&strongroom_domain::key::Kid>| kid.map(ToString::to_string).unwrap_or_default();
    println!("key {} ({}) is Compromised: it is in no key set and never signs again", name(key.kid.as_ref()), key.id);
    if let Some(active) = active {
        println!("key {} ({}) is Active in its ring", name(active.kid.as_ref()), active.id);
    }
    if let Some(why) = without_successor {
        println!("{why}");
    }
    println!("verifiers may trust it until {cached_until}, as long as key sets are cached");
}
