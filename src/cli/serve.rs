//! `daemon serve`: the daemon by its configuration file.

use std::path::Path;

use super::block_on;
use crate::config::Config;
use crate::daemon::{self, Announce, InstanceLock};

pub(super) fn run(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    let lock = InstanceLock::acquire(&config.state_dir)?;
    block_on(daemon::run(config, Announce::WhenListening, lock))
}
