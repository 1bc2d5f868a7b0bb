//! `strongroom credential`: secrets for clients, hashes for the configuration.

use clap::Subcommand;

use crate::auth::{SecretHash, new_secret};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print a new secret and the section that lets it in
    New {
        /// The name that logs and the audit trail will show
        #[arg(value_name = "NAME")]
        name: String,
    },
}

#[allow(clippy::print_stdout, reason = "printing the secret once is the command's purpose")]
pub(super) fn run(command: &Command) -> anyhow::Result<()> {
    let Command::New { name } = command;
    let secret = new_secret()?;
    let hash = SecretHash::of(&secret)?;
    println!("# The secret, shown this once: a bearer token, or the Basic password of user `{name}`");
    println!("# {}", String::from_utf8_lossy(secret.expose()));
    println!("[[credentials]]\nname = {}\nhash = \"{hash}\"\nscopes = [\"read\"]", toml::Value::from(name.as_str()));
    Ok(())
}
