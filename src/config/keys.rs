//! Section `[keys]`: what holds for key pairs of every ring.

use std::time::Duration;

use serde::Deserialize;

use super::duration;
use strongroom_domain::key::ProviderKind;

const DAY: Duration = Duration::from_secs(86_400);

/// Key pairs of every ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct KeysConfig {
    /// Time between the deletion of a key in the token and its destruction; with none it is destroyed at once.
    #[serde(deserialize_with = "duration::parse")]
    pub destruction_window: Duration,
    /// The same of a software key.
    #[serde(deserialize_with = "duration::parse")]
    pub local_destruction_window: Duration,
}

impl Default for KeysConfig {
    fn default() -> Self {
        Self { destruction_window: DAY * 7, local_destruction_window: Duration::ZERO }
    }
}

impl KeysConfig {
    /// Deleted keys are destroyed at once.
    pub const NO_WINDOW: Self = Self { destruction_window: Duration::ZERO, local_destruction_window: Duration::ZERO };

    /// Longest time between a deletion and the destruction that follows it.
    pub const LONGEST_WINDOW: Duration = Duration::from_secs(365 * 86_400);

    /// Time between the deletion of a provider's key and its destruction.
    #[must_use]
    pub const fn window(&self, provider: ProviderKind) -> Duration {
        match provider {
            ProviderKind::Hsm => self.destruction_window,
            ProviderKind::Local => self.local_destruction_window,
        }
    }

    pub(super) fn validate(&self, findings: &mut Vec<String>) {
        let windows = [
            ("destruction-window", self.destruction_window),
            ("local-destruction-window", self.local_destruction_window),
        ];
        for (name, window) in windows {
            if window > Self::LONGEST_WINDOW {
                findings.push(format!("keys.{name}: at most 365d"));
            }
        }
    }
}
