//! `strongroom token`: what is remembered of the token.

use clap::Subcommand;

use super::block_on;
use super::reconcile::Source;
use crate::store::Store;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Forget that the PIN was refused, so that it is tried once more
    Retry(Source),
}

#[allow(clippy::print_stdout, reason = "the answer is the command's output")]
pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    let Command::Retry(source) = command;
    let config = source.load()?;
    block_on(async {
        let store = Store::open_configured(&config.store).await?;
        let forgotten = store.forget_refused_pins().await;
        store.close().await;
        Ok(forgotten?)
    })?;
    strongroom_token::announce_forgotten_pin(&config.state_dir)?;
    println!(
        "the PIN will be tried again: by a running daemon within seconds, by another when it starts; not by a token \
         that says that one wrong PIN would lock it: there a right log-in by the vendor's own tool comes first"
    );
    Ok(())
}
