//! What a client of a token is told: how hosts start, which token they open, how many there are.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::selector::TokenSelector;

/// Everything that a client of a token needs to know.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    pub command: HostCommand,
    pub token: TokenAccess,
    pub hosts: HostOptions,
    /// Where a refused PIN is remembered, and hosts register.
    pub state_dir: PathBuf,
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

impl PinSource {
    /// The file that holds the PIN.
    ///
    /// # Errors
    /// When it is a credential and systemd gave none.
    pub(crate) fn path(&self) -> Result<PathBuf, String> {
        match self {
            Self::File(path) => Ok(path.clone()),
            Self::Credential(name) => std::env::var_os("CREDENTIALS_DIRECTORY")
                .map(|folder| PathBuf::from(folder).join(name))
                .ok_or_else(|| format!("credential {name}: systemd gave no credentials")),
        }
    }
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
    pub verify_signatures: SignatureVerification,
    /// Where the log-in lock of the token lies; shared by daemons of one group. `/run/lock/strongroom-{gid}`
    /// where absent.
    pub lock_dir: Option<PathBuf>,
}

/// Which signatures a host verifies before it gives them out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureVerification {
    /// All: a token's error never gets out.
    Every,
    /// The first by each key in each session of a host, and one of so many from then on.
    #[default]
    Sampled,
    /// The first by each key in each session of a host.
    First,
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
            verify_signatures: SignatureVerification::default(),
            lock_dir: None,
        }
    }
}
