//! Section `[rotation]`: when key rings are looked at, and how careful succession is.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

const DAY: Duration = Duration::from_secs(86_400);

/// Succession of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct RotationConfig {
    /// Whether keys are succeeded by themselves; on demand they are in any case.
    pub enabled: bool,
    /// Between sweeps, give or take a tenth.
    #[serde(deserialize_with = "duration::parse")]
    pub interval: Duration,
    /// How long a key is published before it signs by schedule; at least twice `jwks_max_age`.
    #[serde(deserialize_with = "duration::parse")]
    pub lead: Duration,
    /// How long verifiers may keep a key set.
    #[serde(deserialize_with = "duration::parse")]
    pub jwks_max_age: Duration,
    /// How long the key pairs of PingFederate's rings stay after they ceased to sign.
    #[serde(deserialize_with = "duration::parse")]
    pub overlap: Duration,
    /// Keys that one sweep may destroy.
    pub destroy_limit: u32,
    /// How far the clock may stand past the last sweep before an operator has to say that it is right.
    #[serde(deserialize_with = "duration::parse")]
    pub clock_guard: Duration,
}

impl Default for RotationConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            interval: Duration::from_secs(60),
            lead: DAY,
            jwks_max_age: Duration::from_secs(300),
            overlap: DAY,
            destroy_limit: 100,
            clock_guard: DAY * 7,
        }
    }
}

impl RotationConfig {
    pub(super) fn validate(&self, findings: &mut Vec<String>) {
        let second = Duration::from_secs(1);
        if !(second..=DAY).contains(&self.interval) {
            findings.push("rotation.interval: between 1s and 1d".to_owned());
        }
        if self.lead < self.jwks_max_age.saturating_mul(2) {
            let least = humantime::format_duration(self.jwks_max_age.saturating_mul(2));
            findings.push(format!("rotation.lead: at least twice rotation.jwks-max-age, which is {least}"));
        }
        if self.overlap < self.jwks_max_age {
            findings.push("rotation.overlap: at least rotation.jwks-max-age".to_owned());
        }
        if self.destroy_limit == 0 {
            findings.push("rotation.destroy-limit: at least 1".to_owned());
        }
        if self.clock_guard < self.interval.saturating_mul(2) {
            findings.push("rotation.clock-guard: at least twice rotation.interval".to_owned());
        }
    }

    /// Holds what a dialect's section says of its own keys against what holds for all.
    pub(super) fn validate_schedule(
        &self,
        section: &str,
        period: Option<Duration>,
        overlap: Duration,
        findings: &mut Vec<String>,
    ) {
        if period.is_some_and(|period| period < self.lead) {
            let lead = humantime::format_duration(self.lead);
            findings.push(format!("{section}.rotation-period: at least rotation.lead, which is {lead}"));
        }
        if overlap < self.jwks_max_age {
            findings.push(format!("{section}.overlap: at least rotation.jwks-max-age"));
        }
    }
}
