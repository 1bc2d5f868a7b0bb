//! Section `[limits]`: how much of what, and how long.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// Bounds on clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct LimitsConfig {
    /// Size of a request body.
    pub body_bytes: usize,
    /// Open connections.
    pub connections: usize,
    /// Time from a request for a key pair to its commit.
    #[serde(deserialize_with = "duration::parse")]
    pub generate_deadline: Duration,
    /// Time from a request for a signature or decryption to its answer; clients may ask for less.
    #[serde(deserialize_with = "duration::parse")]
    pub sign_deadline: Duration,
    /// Requests for signatures and decryptions that one credential may have under way at a provider.
    pub signatures_per_principal: usize,
    /// Requests for new key pairs that one credential may have under way at a provider.
    pub generations_per_principal: usize,
    /// How long a connection may be open without a request: for the head of one to arrive, and between two.
    #[serde(deserialize_with = "duration::parse")]
    pub idle_timeout: Duration,
    /// Time for the body of a request to arrive.
    #[serde(deserialize_with = "duration::parse")]
    pub body_timeout: Duration,
    /// Time for requests under way to end after a signal to stop.
    #[serde(deserialize_with = "duration::parse")]
    pub drain: Duration,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            body_bytes: 256 * 1024,
            connections: 1024,
            generate_deadline: Duration::from_secs(120),
            sign_deadline: Duration::from_secs(30),
            signatures_per_principal: 1024,
            generations_per_principal: 128,
            idle_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}

impl LimitsConfig {
    pub(super) fn validate(&self, findings: &mut Vec<String>) {
        if !(1024..=64 * 1024 * 1024).contains(&self.body_bytes) {
            findings.push("limits.body-bytes: between 1024 and 67108864".to_owned());
        }
        let counts = [
            ("connections", self.connections),
            ("signatures-per-principal", self.signatures_per_principal),
            ("generations-per-principal", self.generations_per_principal),
        ];
        for (key, _) in counts.iter().filter(|(_, count)| *count == 0) {
            findings.push(format!("limits.{key}: at least 1"));
        }
        let times = [
            ("generate-deadline", self.generate_deadline),
            ("sign-deadline", self.sign_deadline),
            ("idle-timeout", self.idle_timeout),
            ("body-timeout", self.body_timeout),
        ];
        for (key, _) in times.iter().filter(|(_, time)| time.is_zero()) {
            findings.push(format!("limits.{key}: longer than nothing"));
        }
    }
}
