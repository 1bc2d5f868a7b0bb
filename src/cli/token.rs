//! `strongroom token`: what is remembered of the token.

use clap::Subcommand;

use super::reconcile::Source;
#[derive(Subcommand)]
pub(super) enum Command {
    /// Forget that the PIN was refused, so that it is tried once more
    Retry(Source),
}

#[allow(clippy::print_stdout, reason = "the answer is the command's output")]
pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    let Command::Retry(source) = command;
    let config = source.load()?;
    strongroom_token::forget_refused_pin(&config.state_dir)?;
    println!(
        "the PIN will be tried again: by a running daemon within seconds, by another when it starts; not by a token \
         that says that one wrong PIN would lock it: there a right log-in by the vendor's own tool comes first"
    );
    Ok(())
}
