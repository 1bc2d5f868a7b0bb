//! Section `[token]`: which module, which token, where its PIN lies.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How one token is told from the others; exactly one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenSelector {
    /// `CK_TOKEN_INFO`'s label, trailing blanks left out.
    Label(String),
    /// `CK_TOKEN_INFO`'s serialNumber.
    Serial(String),
    /// Label and serial of a PKCS#11 URI (RFC 7512); each given part must match.
    Uri { token: Option<String>, serial: Option<String>, manufacturer: Option<String>, model: Option<String> },
    /// The slot's number: a last resort, because slots are renumbered.
    SlotId(u64),
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

/// The token of this daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Absolute path of the PKCS#11 module.
    pub module: PathBuf,
    pub selector: TokenSelector,
    pub pin: PinSource,
    pub profile: Profile,
    /// The environment of token hosts, beyond nothing: `SOFTHSM2_CONF` and its like.
    pub environment: BTreeMap<String, String>,
}
