//! `strongroom token`: what is remembered of the token.

use clap::Subcommand;

use super::reconcile::Source;
use crate::provider::pkcs11;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Forget that the PIN was refused, so that it is tried once more
    Retry(Source),
}

#[allow(clippy::print_stdout, reason = "the answer is the command's output")]
pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    let Command::Retry(source) = command;
    let config = source.load()?;
    if pkcs11::forget_refused_pin(&config.state_dir)? {
        println!("the refused PIN is forgotten; a daemon that starts now, or that is running, tries the PIN once more");
    } else {
        println!("no PIN was refused");
    }
    Ok(())
}
