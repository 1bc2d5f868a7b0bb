//! Sections of the dialects: what each product lets its administrators choose.

use serde::Deserialize;

use strongroom_domain::key::ProviderKind;

/// What the dialect of PingFederate is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PingFederate {
    /// Hybrid HSM mode: views and requests say where a key lives.
    pub hybrid: bool,
    /// Where a key goes when the request does not say.
    pub default_provider: ProviderKind,
    pub san_format: SanFormat,
    /// Take a CSR response only if its certificates lead to a trusted CA.
    pub require_trusted_issuer: bool,
}

/// Section `[pingfederate]` as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub(super) struct Section {
    hybrid: bool,
    /// `"HSM"` or `"LOCAL"`; by default the token where there is one.
    #[serde(deserialize_with = "provider")]
    default_provider: Option<ProviderKind>,
    san_format: SanFormat,
    require_trusted_issuer: bool,
}

impl Default for Section {
    fn default() -> Self {
        Self { hybrid: true, default_provider: None, san_format: SanFormat::default(), require_trusted_issuer: false }
    }
}

impl Section {
    pub(super) fn validate(self, has_token: bool, has_local: bool, findings: &mut Vec<String>) -> PingFederate {
        PingFederate {
            hybrid: self.hybrid,
            default_provider: default_provider(
                "pingfederate.default-provider",
                self.default_provider,
                has_token,
                has_local,
                findings,
            ),
            san_format: self.san_format,
            require_trusted_issuer: self.require_trusted_issuer,
        }
    }
}

/// How subject alternative names are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SanFormat {
    /// `example.com`, as version 12 of the product does.
    #[default]
    Bare,
    /// `DNS: 'example.com'`, as version 13 does.
    Typed,
}

/// The provider of a dialect's new keys: the configured one, by default the token where there is one.
pub(super) fn default_provider(
    path: &str,
    given: Option<ProviderKind>,
    has_token: bool,
    has_local: bool,
    findings: &mut Vec<String>,
) -> ProviderKind {
    let only = if has_token { ProviderKind::Hsm } else { ProviderKind::Local };
    let chosen = given.unwrap_or(only);
    let (configured, section) = match chosen {
        ProviderKind::Hsm => (has_token, "[token]"),
        ProviderKind::Local => (has_local, "[local]"),
    };
    if !configured && given.is_some() {
        findings.push(format!("{path}: {} needs a section {section}", chosen.name()));
    }
    chosen
}

pub(super) fn provider<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<ProviderKind>, D::Error> {
    let word = String::deserialize(deserializer)?;
    ProviderKind::from_name(&word)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("`{word}` is no provider: \"HSM\" or \"LOCAL\"")))
}
