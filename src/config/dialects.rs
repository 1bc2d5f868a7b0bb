//! Sections of the dialects: what each product lets its administrators choose.

use serde::Deserialize;

use crate::key::ProviderKind;

/// Section `[pingfederate]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct PingFederate {
    /// Hybrid HSM mode: views and requests say where a key lives.
    pub hybrid: bool,
    /// Where a key goes when the request does not say: `"HSM"` or `"LOCAL"`.
    #[serde(deserialize_with = "provider")]
    pub default_provider: ProviderKind,
    pub san_format: SanFormat,
    /// Take a CSR response only if its certificates lead to a trusted CA.
    pub require_trusted_issuer: bool,
}

impl Default for PingFederate {
    fn default() -> Self {
        Self {
            hybrid: true,
            default_provider: ProviderKind::Hsm,
            san_format: SanFormat::Bare,
            require_trusted_issuer: false,
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

fn provider<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ProviderKind, D::Error> {
    let word = String::deserialize(deserializer)?;
    ProviderKind::from_name(&word)
        .ok_or_else(|| serde::de::Error::custom(format!("`{word}` is no provider: \"HSM\" or \"LOCAL\"")))
}
