//! Section `[auth0]`: connections, their keys and certificates, and how often they may be asked for.

use std::time::Duration;

use serde::Deserialize;

use super::dialects::{default_provider, provider};
use super::duration;
use strongroom_domain::key::{KeyAlgorithm, ProviderKind};

const DAY: Duration = Duration::from_secs(86_400);

/// What the dialect of Auth0 is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth0 {
    pub connections: Connections,
    /// Who makes the keys of connections.
    pub provider: ProviderKind,
    /// The key algorithm of the RS and PS algorithms.
    pub rsa: KeyAlgorithm,
    /// Validity of the certificates of connections, in days.
    pub valid_days: u32,
    /// Requests a minute that each credential may make.
    pub rate_limit: u32,
    /// How often the keys of a connection are succeeded by themselves; never when absent.
    pub rotation_period: Option<Duration>,
    /// How long a key is published after it ceased to sign.
    pub overlap: Duration,
}

/// Where connections come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Connections {
    /// The first request for keys makes the connection, named by its id.
    #[default]
    Implicit,
    /// Only those that were made by `POST /api/v2/connections`.
    Declared,
}

/// Section `[auth0]` as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Section {
    connections: Connections,
    /// `"HSM"` or `"LOCAL"`; by default the token where there is one.
    #[serde(deserialize_with = "provider")]
    provider: Option<ProviderKind>,
    rsa_bits: u32,
    valid_days: u32,
    rate_limit: u32,
    #[serde(deserialize_with = "duration::parse_some")]
    rotation_period: Option<Duration>,
    #[serde(deserialize_with = "duration::parse")]
    overlap: Duration,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            connections: Connections::default(),
            provider: None,
            rsa_bits: 2048,
            valid_days: 365,
            rate_limit: 6000,
            rotation_period: None,
            overlap: DAY,
        }
    }
}

impl Auth0 {
    /// What holds where the file says nothing, the keys made by `provider`.
    #[must_use]
    pub fn with_provider(provider: ProviderKind) -> Self {
        Section::default().validate(provider == ProviderKind::Hsm, provider == ProviderKind::Local, &mut Vec::new())
    }
}

impl Section {
    pub(super) fn validate(self, has_token: bool, has_local: bool, findings: &mut Vec<String>) -> Auth0 {
        let rsa = KeyAlgorithm::rsa(self.rsa_bits).unwrap_or_else(|| {
            findings.push(format!("auth0.rsa-bits: {} is none of 2048, 3072 and 4096", self.rsa_bits));
            KeyAlgorithm::RSA_2048
        });
        if !(1..=36_500).contains(&self.valid_days) {
            findings.push("auth0.valid-days: from 1 to 36500".to_owned());
        }
        if self.rate_limit == 0 {
            findings.push("auth0.rate-limit: at least 1 request a minute".to_owned());
        }
        if self.rotation_period.is_some_and(|period| period < DAY) {
            findings.push("auth0.rotation-period: at least a day".to_owned());
        }
        Auth0 {
            connections: self.connections,
            provider: default_provider("auth0.provider", self.provider, has_token, has_local, findings),
            rsa,
            valid_days: self.valid_days,
            rate_limit: self.rate_limit,
            rotation_period: self.rotation_period,
            overlap: self.overlap,
        }
    }
}
