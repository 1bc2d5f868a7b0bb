//! `strongroom serve`: the daemon by its configuration file.

use std::path::Path;

use super::block_on;
use crate::config::Config;
use crate::daemon::{self, Announce};

pub(super) fn run(path: &Path) -> anyhow::Result<()> {
    let config = Config::load(path)?;
    block_on(daemon::run(config, Announce::WhenListening))
}
