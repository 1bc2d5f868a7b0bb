//! Section `[local]`: software keys, and what seals their master keys.

use std::path::PathBuf;

use serde::Deserialize;

/// What seals the master keys of the provider `LOCAL`; losing it loses every LOCAL key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MasterKeySource {
    /// A key of the token.
    Token,
    /// A file with 32 bytes in base64 or hex.
    KeyFile(PathBuf),
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Section {
    master_key: Option<Sealer>,
    key_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Sealer {
    Token,
}

impl Section {
    pub(super) fn validate(self, has_token: bool, findings: &mut Vec<String>) -> Option<MasterKeySource> {
        match (self.master_key, self.key_file) {
            (Some(Sealer::Token), None) if has_token => return Some(MasterKeySource::Token),
            (None, Some(file)) if file.is_absolute() => return Some(MasterKeySource::KeyFile(file)),
            (Some(Sealer::Token), None) => {
                findings.push("local.master-key: there is no [token] to seal it; give key-file instead".to_owned());
            }
            (None, Some(file)) => {
                findings.push(format!("local.key-file: `{}` is not an absolute path", file.display()));
            }
            _ => findings.push("local: give either master-key = \"token\" or key-file".to_owned()),
        }
        None
    }
}
