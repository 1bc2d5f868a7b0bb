//! Section `[token]`: which module, which token, where its PIN lies.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;
use strongroom_token::{PinSource, Profile, TokenAccess, TokenSelector};

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
    pub(super) fn validate(self, findings: &mut Vec<String>) -> Option<TokenAccess> {
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
        Some(TokenAccess {
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
    let uri = uri.and_then(|uri| match TokenSelector::from_uri(&uri) {
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
