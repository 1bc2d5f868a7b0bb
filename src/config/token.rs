//! Section `[token]`: which module, which token, where its PIN lies.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::pkcs11_uri;

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

/// The selector as an operator would say it.
impl fmt::Display for TokenSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = match self {
            Self::Label(label) => vec![format!("label {label:?}")],
            Self::Serial(serial) => vec![format!("serial {serial:?}")],
            Self::SlotId(id) => vec![format!("slot {id}")],
            Self::Uri { token, serial, manufacturer, model } => {
                [("label", token), ("serial", serial), ("manufacturer", manufacturer), ("model", model)]
                    .into_iter()
                    .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value:?}")))
                    .collect()
            }
        };
        f.write_str(&parts.join(", "))
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

/// The section as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Section {
    module: PathBuf,
    label: Option<String>,
    serial: Option<String>,
    uri: Option<String>,
    slot_id: Option<u64>,
    pin_file: Option<PathBuf>,
    pin_credential: Option<String>,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

impl Section {
    pub(super) fn validate(self, findings: &mut Vec<String>) -> Option<Token> {
        if !self.module.is_absolute() {
            findings.push(format!("token.module: `{}` is not an absolute path", self.module.display()));
        }
        let selector = selector(self.label, self.serial, self.uri, self.slot_id, findings);
        let pin = match (self.pin_file, self.pin_credential) {
            (Some(file), None) if file.is_absolute() => Some(PinSource::File(file)),
            (Some(file), None) => {
                findings.push(format!("token.pin-file: `{}` is not an absolute path", file.display()));
                None
            }
            (None, Some(name)) => Some(PinSource::Credential(name)),
            _ => {
                findings.push("token: give either pin-file or pin-credential".to_owned());
                None
            }
        };
        Some(Token {
            module: self.module,
            selector: selector?,
            pin: pin?,
            profile: self.profile,
            environment: self.environment,
        })
    }
}

fn selector(
    label: Option<String>,
    serial: Option<String>,
    uri: Option<String>,
    slot_id: Option<u64>,
    findings: &mut Vec<String>,
) -> Option<TokenSelector> {
    let uri = uri.and_then(|uri| match pkcs11_uri::parse(&uri) {
        Ok(selector) => Some(selector),
        Err(fault) => {
            findings.push(format!("token.uri: {fault}"));
            None
        }
    });
    let given =
        [label.map(TokenSelector::Label), serial.map(TokenSelector::Serial), uri, slot_id.map(TokenSelector::SlotId)];
    let mut given: Vec<_> = given.into_iter().flatten().collect();
    if given.len() == 1 {
        return given.pop();
    }
    findings.push("token: give exactly one of label, serial, uri and (as a last resort) slot-id".to_owned());
    None
}
