//! The commands: what operators and developers type.
//!
//! Owns arguments, what is printed, exit codes, and the preparation of a development
//! set-up. Does not own how the daemon is put together (`daemon`). The only room that
//! prints. Errors are one sentence and a remedy, never a backtrace.

mod backup;
mod check;
mod credential;
mod dev;
mod key;
mod local;
mod outcome;
mod reconcile;
mod rotation;
mod serve;
mod token;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::daemon;
use crate::telemetry::{self, Verbosity};
use outcome::{block_on, fail};

/// A key daemon for hardware security modules.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run a daemon with a `SoftHSM` token of its own, nothing to configure
    Dev(dev::Arguments),
    /// Run the daemon that a configuration file describes
    Serve {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Check a configuration file, its token and its store
    Check {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Compare the token with the store
    Reconcile(reconcile::Arguments),
    /// Copy the store of a daemon, which may be running, to a file, with a manifest beside it
    Backup(backup::BackupArguments),
    /// Put a backup in the place of the store of a stopped daemon
    Restore(backup::RestoreArguments),
    /// What rotation would do and when, and the word to go on
    #[command(subcommand)]
    Rotation(rotation::Command),
    /// Act on one key
    #[command(subcommand)]
    Key(key::Command),
    /// Act on what is remembered of the token
    #[command(subcommand)]
    Token(token::Command),
    /// Software keys and what seals them
    #[command(subcommand)]
    Local(local::Command),
    /// Make credentials for the configuration file
    #[command(subcommand)]
    Credential(credential::Command),
    /// The child process that alone loads the module; started by the daemon
    #[command(hide = true)]
    TokenHost,
}

/// Runs the command that the arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let command = Arguments::parse().command;
    telemetry::start_logging(match &command {
        Command::Dev(_) | Command::Serve { .. } | Command::TokenHost => Verbosity::Daemon,
        Command::Check { .. }
        | Command::Reconcile(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Rotation(_)
        | Command::Key(_)
        | Command::Token(_)
        | Command::Local(_)
        | Command::Credential(_) => Verbosity::Command,
    });
    daemon::harden();
    let outcome = match command {
        Command::Dev(arguments) => dev::run(arguments),
        Command::Serve { config } => serve::run(&config),
        Command::Check { config } => return check::run(&config),
        Command::Reconcile(arguments) => return reconcile::run(&arguments),
        Command::Backup(arguments) => backup::back_up(&arguments),
        Command::Restore(arguments) => backup::restore(&arguments),
        Command::Rotation(command) => return rotation::run(&command),
        Command::Key(command) => key::run(&command),
        Command::Token(command) => token::run(&command),
        Command::Local(command) => return local::run(&command),
        Command::Credential(command) => credential::run(&command),
        Command::TokenHost => strongroom_token::host::main().map_err(Into::into),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}
