//! The configuration file: TOML, `version = 1`, kebab-case.
//!
//! Owns the shape of the file, one section a file, defaults, and all findings about it,
//! reported at once. Does not own what the values do. Unknown keys are refused; secrets
//! come from files or systemd credentials, never as values.

mod auth0;
mod credentials;
mod dialects;
mod duration;
mod hosts;
mod keys;
mod limits;
mod listener;
mod local;
mod rotation;
mod stock;
mod store;
#[cfg(test)]
mod tests;
mod token;
mod zitadel;

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::auth::Credential;
use strongroom_domain::key::ProviderKind;
use strongroom_token::{HostOptions, TokenAccess};

pub use auth0::{Auth0, Connections};
pub use dialects::{PingFederate, SanFormat};
pub use keys::KeysConfig;
pub use limits::LimitsConfig;
pub use listener::{Listener, Plaintext};
pub use local::MasterKeySource;
pub use rotation::RotationConfig;
pub use stock::StockConfig;
pub use store::{DatabaseHost, PasswordSource, Pooler, PostgresConfig, PostgresTls, StoreConfig};
pub use zitadel::Zitadel;

/// Everything that the daemon is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the daemon keeps locks and what it must remember apart from the store.
    pub state_dir: PathBuf,
    /// Tells daemons that share a store apart; stays the same over restarts.
    pub instance: String,
    pub listener: Listener,
    /// The provider `HSM`; absent where keys are `LOCAL` only.
    pub token: Option<TokenAccess>,
    /// What seals the master keys of the provider `LOCAL`; absent where there is none.
    pub local: Option<MasterKeySource>,
    pub hosts: HostOptions,
    /// The database of keys and settings.
    pub store: StoreConfig,
    pub credentials: Vec<Credential>,
    pub limits: LimitsConfig,
    pub keys: KeysConfig,
    pub stock: StockConfig,
    pub pingfederate: PingFederate,
    pub rotation: RotationConfig,
    pub auth0: Auth0,
    pub zitadel: Zitadel,
}

/// Everything that is wrong with a configuration, one sentence each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings(pub Vec<String>);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl std::error::Error for Findings {}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// Everything that is wrong with it, syntax errors excepted, which come alone.
    pub fn load(path: &Path) -> Result<Self, Findings> {
        let text = std::fs::read_to_string(path)
            .map_err(|failure| Findings(vec![format!("cannot read {}: {failure}", path.display())]))?;
        Self::parse(&text).map_err(|Findings(findings)| {
            Findings(findings.into_iter().map(|finding| format!("{}: {finding}", path.display())).collect())
        })
    }

    /// Reads the text of a configuration file.
    ///
    /// # Errors
    /// Everything that is wrong with it, syntax errors excepted, which come alone.
    pub fn parse(text: &str) -> Result<Self, Findings> {
        let mut findings = Vec::new();
        let config = read::<File>(text, &mut findings)?.validate(&mut findings);
        if findings.is_empty() { Ok(config) } else { Err(Findings(findings)) }
    }

    /// The providers that it sets up.
    #[must_use]
    pub fn providers(&self) -> Vec<ProviderKind> {
        let hsm = self.token.as_ref().map(|_| ProviderKind::Hsm);
        let local = self.local.as_ref().map(|_| ProviderKind::Local);
        hsm.into_iter().chain(local).collect()
    }
}

/// Reads TOML; unknown keys become findings.
fn read<T: DeserializeOwned>(text: &str, findings: &mut Vec<String>) -> Result<T, Findings> {
    let parsed = toml::Deserializer::parse(text).and_then(|deserializer| {
        serde_ignored::deserialize(deserializer, |path| {
            // An optional section adds a `?` to the path.
            findings.push(format!("`{}` is no known key", path.to_string().replace("?.", "")));
        })
    });
    parsed.map_err(|failure: toml::de::Error| {
        let start = failure.span().map_or(0, |span| span.start);
        let line = text.get(..start).unwrap_or_default().matches('\n').count() + 1;
        Findings(vec![format!("line {line}: {}", failure.message())])
    })
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    version: Option<u32>,
    state_dir: Option<PathBuf>,
    instance: Option<String>,
    #[serde(default)]
    listener: Listener,
    token: Option<token::Section>,
    local: Option<local::Section>,
    #[serde(default, with = "hosts::Section")]
    hosts: HostOptions,
    #[serde(default)]
    store: store::Section,
    #[serde(default)]
    credentials: Vec<credentials::Section>,
    #[serde(default)]
    limits: LimitsConfig,
    #[serde(default)]
    keys: KeysConfig,
    #[serde(default)]
    stock: stock::Section,
    #[serde(default)]
    pingfederate: dialects::Section,
    #[serde(default)]
    rotation: RotationConfig,
    #[serde(default)]
    auth0: auth0::Section,
    #[serde(default)]
    zitadel: zitadel::Section,
}

impl File {
    fn validate(self, findings: &mut Vec<String>) -> Config {
        match self.version {
            Some(1) => {}
            Some(other) => findings.push(format!("version: {other} is unknown; this program reads version 1")),
            None => findings.push("version: it is missing; this program reads version 1".to_owned()),
        }
        let state_dir = absolute("state-dir", self.state_dir, findings);
        let store = self.store.validate(findings);
        self.listener.validate(findings);
        hosts::validate(&self.hosts, findings);
        self.limits.validate(findings);
        self.keys.validate(findings);
        self.rotation.validate(findings);
        let credentials = credentials::validate(self.credentials, findings);
        let (has_token, has_local) = (self.token.is_some(), self.local.is_some());
        let local = self.local.and_then(|section| section.validate(has_token, findings));
        let token = self.token.and_then(|section| section.validate(findings));
        if !has_token && !has_local {
            findings.push("there is neither [token] nor [local], so no key could be made".to_owned());
        }
        let stock = self.stock.validate(has_token, findings);
        let pingfederate = self.pingfederate.validate(has_token, has_local, findings);
        let auth0 = self.auth0.validate(has_token, has_local, findings);
        let zitadel = self.zitadel.validate(has_token, has_local, findings);
        let schedules =
            [("auth0", auth0.rotation_period, auth0.overlap), ("zitadel", zitadel.rotation_period, zitadel.overlap)];
        for (section, period, overlap) in schedules {
            self.rotation.validate_schedule(section, period, overlap, findings);
        }
        Config {
            state_dir,
            instance: self.instance.unwrap_or_else(|| "default".to_owned()),
            listener: self.listener,
            token,
            local,
            hosts: self.hosts,
            store,
            credentials,
            limits: self.limits,
            keys: self.keys,
            stock,
            pingfederate,
            rotation: self.rotation,
            auth0,
            zitadel,
        }
    }
}

fn absolute(key: &str, path: Option<PathBuf>, findings: &mut Vec<String>) -> PathBuf {
    let path = path.unwrap_or_default();
    if !path.is_absolute() {
        findings.push(format!("{key}: `{}` is not an absolute path", path.display()));
    }
    path
}
