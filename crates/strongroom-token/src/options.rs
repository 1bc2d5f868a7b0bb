//! What a client of a token is told: how hosts start, which token they open, how many there are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pin_memory::PinMemory;
use crate::selector::TokenSelector;

/// Everything that a client of a token needs to know.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    pub command: HostCommand,
    pub token: TokenAccess,
    pub hosts: HostOptions,
    /// The directory of what is remembered over restarts.
    pub state_dir: PathBuf,
    /// Where PINs are remembered; in the state directory where absent.
    pub pins: Option<Arc<dyn PinMemory>>,
}

/// The command that starts a token host: a program that calls [`crate::host::main`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCommand {
    pub program: PathBuf,
    pub arguments: Vec<OsString>,
}

impl HostCommand {
    /// A program that is a token host when it has no arguments.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: Vec::new() }
    }

    /// The same with one more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }
}

/// Where the PIN is read from, by token hosts alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PinSource {
    /// A file with nothing but the PIN; one trailing newline is left out.
    File(PathBuf),
    /// A systemd credential: a file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Which quirks to expect of the module.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// A token that follows the standard.
    #[default]
    Generic,
    /// SoftHSM: may leave half-made objects, which may be removed.
    Softhsm,
}

/// Where a token is and how it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenAccess {
    /// Absolute path of the PKCS#11 module.
    pub module: PathBuf,
    pub selector: TokenSelector,
    pub pin: PinSource,
    pub profile: Profile,
    /// The environment of token hosts, beyond nothing: `SOFTHSM2_CONF` and its like.
    pub environment: BTreeMap<String, String>,
}

/// Token hosts and their limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostOptions {
    /// Processes that sign.
    pub signing_hosts: usize,
    /// Sessions, and so threads, in each signing host.
    pub workers: usize,
    /// One process for everything, for tokens that allow one client.
    pub shared_host: bool,
    /// Signatures that may wait.
    pub sign_queue: usize,
    /// Generations that may wait.
    pub generate_queue: usize,
    pub sign_timeout: Duration,
    pub generate_timeout: Duration,
    pub login_timeout: Duration,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self {
            signing_hosts: 1,
            workers: 2,
            shared_host: false,
            sign_queue: 4096,
            generate_queue: 256,
            sign_timeout: Duration::from_secs(5),
            generate_timeout: Duration::from_secs(300),
            login_timeout: Duration::from_secs(60),
        }
    }
}
