//! `daemon local`: software keys and what seals them.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;

use super::reconcile::Source;
use super::{block_on, fail};
use crate::config::Config;
use crate::daemon::Offline;
use crate::provider::local::key_file;
use crate::services::custody::{MasterKeys, NewMasterKey, REFRESH_EVERY, ResealReport};

/// How often to look, beside running daemons, for keys that are sealed under a former master key.
const ROUNDS: usize = 3;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a new master key and seal every LOCAL key under it; a running daemon follows
    RotateMaster(Source),
    /// Write a new random key, to seal master keys where there is no token
    NewKeyFile {
        /// A file that does not exist yet; without it every LOCAL key is lost, so keep a copy elsewhere
        #[arg(value_name = "PATH")]
        path: PathBuf,
    },
}

/// Exits 0 when everything was done, 1 otherwise.
pub(super) fn run(command: &Command) -> ExitCode {
    let outcome = match command {
        Command::RotateMaster(source) => source.load().and_then(|config| rotate(&config)),
        Command::NewKeyFile { path } => new_key_file(path),
    };
    outcome.unwrap_or_else(|failure| fail(&failure))
}

#[allow(clippy::print_stdout, reason = "the answer is the command's output")]
fn rotate(config: &Config) -> anyhow::Result<ExitCode> {
    let (renewed, done, retired) = block_on(async {
        let offline = Offline::open(config).await?;
        let rotated = match offline.master_keys() {
            Some(master_keys) => renew(master_keys, offline.holds_lock()).await,
            None => Err(anyhow::anyhow!("there is no section [local]: this daemon has no LOCAL keys")),
        };
        offline.close().await;
        rotated
    })?;
    println!("master key {} seals new keys; {} keys were sealed anew", renewed.version, done.keys);
    for idle in &renewed.unused {
        println!("left alone: {idle}");
    }
    println!("former master keys stay in the store: backups may need them");
    if retired {
        println!("sealed keys from before are refused from now on, also when they are put back into their rows");
    } else {
        println!("former master keys are still in use: run this again once every key opens and every daemon follows");
    }
    for key in &done.broken {
        println!("key {key} does not open: its seal is broken; restore its row from a backup, or delete it");
    }
    Ok(if done.broken.is_empty() && retired { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Gives what was renewed and resealed, and whether the former master keys are retired.
async fn renew(master_keys: &MasterKeys, alone: bool) -> anyhow::Result<(NewMasterKey, ResealReport, bool)> {
    let renewed = master_keys.renew().await?;
    let mut done = master_keys.reseal().await?;
    for _ in 0..if alone { 0 } else { ROUNDS } {
        // What a running daemon has sealed until it knew the new master key. After a wait that
        // left nothing to do, none has a former sealed key in its cache either.
        tokio::time::sleep(REFRESH_EVERY * 2).await;
        let later = master_keys.reseal().await?;
        done = ResealReport { keys: done.keys + later.keys, broken: later.broken };
        if later.keys == 0 {
            break;
        }
    }
    let retired = master_keys.retire_below(renewed.version).await?;
    Ok((renewed, done, retired))
}

#[allow(clippy::print_stdout, reason = "the answer is the command's output")]
fn new_key_file(path: &Path) -> anyhow::Result<ExitCode> {
    key_file::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    println!("{} was made; losing it loses every LOCAL key, so keep a copy elsewhere", path.display());
    Ok(ExitCode::SUCCESS)
}
