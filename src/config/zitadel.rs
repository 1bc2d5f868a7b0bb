//! Section `[zitadel]`: whose the web keys are, who makes them, and when they succeed each other.

use std::time::Duration;

use serde::Deserialize;

use super::dialects::{default_provider, provider};
use super::duration;
use strongroom_domain::key::ProviderKind;

const DAY: Duration = Duration::from_secs(86_400);

/// What the dialect of Zitadel is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zitadel {
    /// The owner of all web keys in views of v3alpha.
    pub instance_id: String,
    /// Who makes web keys.
    pub provider: ProviderKind,
    /// The issuer that discovery names; the listener's address where that is on loopback.
    pub issuer: Option<String>,
    /// An empty ring is given two keys at start: one that signs, one that waits.
    pub bootstrap: bool,
    /// How often the key that signs is succeeded by itself; never when absent.
    pub rotation_period: Option<Duration>,
    /// How long a key that was succeeded by itself is published afterwards.
    pub overlap: Duration,
}

/// Section `[zitadel]` as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Section {
    instance_id: String,
    /// `"HSM"` or `"LOCAL"`; by default the token where there is one.
    #[serde(deserialize_with = "provider")]
    provider: Option<ProviderKind>,
    issuer: Option<String>,
    bootstrap: bool,
    #[serde(deserialize_with = "duration::parse_some")]
    rotation_period: Option<Duration>,
    #[serde(deserialize_with = "duration::parse")]
    overlap: Duration,
}

impl Default for Section {
    fn default() -> Self {
        Self {
            instance_id: "strongroom".to_owned(),
            provider: None,
            issuer: None,
            bootstrap: false,
            rotation_period: None,
            overlap: DAY,
        }
    }
}

impl Zitadel {
    /// What holds where the file says nothing, the keys made by `provider`.
    #[must_use]
    pub fn with_provider(provider: ProviderKind) -> Self {
        Section::default().validate(provider == ProviderKind::Hsm, provider == ProviderKind::Local, &mut Vec::new())
    }
}

impl Section {
    pub(super) fn validate(self, has_token: bool, has_local: bool, findings: &mut Vec<String>) -> Zitadel {
        if !(1..=200).contains(&self.instance_id.chars().count()) || self.instance_id.chars().any(char::is_control) {
            findings.push("zitadel.instance-id: 1 to 200 characters".to_owned());
        }
        if let Some(issuer) = self.issuer.as_deref().filter(|issuer| !is_issuer(issuer)) {
            findings.push(format!(
                "zitadel.issuer: `{issuer}` is no http or https URL without query, fragment and slash at its end"
            ));
        }
        if self.rotation_period.is_some_and(|period| period < DAY) {
            findings.push("zitadel.rotation-period: at least a day".to_owned());
        }
        Zitadel {
            provider: default_provider("zitadel.provider", self.provider, has_token, has_local, findings),
            instance_id: self.instance_id,
            issuer: self.issuer,
            bootstrap: self.bootstrap,
            rotation_period: self.rotation_period,
            overlap: self.overlap,
        }
    }
}

/// Whether a text can be an issuer (`OpenID` Connect Discovery 1.0 section 3); `http` is for trials.
fn is_issuer(text: &str) -> bool {
    let uri = text.parse::<http::Uri>().ok();
    let absolute = uri.is_some_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    });
    absolute && !text.contains(['?', '#', '@']) && !text.ends_with('/')
}
