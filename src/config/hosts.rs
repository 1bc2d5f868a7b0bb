//! Section `[hosts]`: how many token hosts, how patient with them.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

/// Token hosts and their limits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Hosts {
    /// Processes that sign.
    pub signing_hosts: usize,
    /// Sessions, and so threads, in each signing host.
    pub workers: usize,
    /// One process for everything, for tokens that allow one client.
    pub shared_host: bool,
    /// Signatures that may wait.
    pub sign_queue: usize,
    /// Generations that may wait.
    pub generate_queue: usize,
    #[serde(deserialize_with = "duration::parse")]
    pub sign_timeout: Duration,
    #[serde(deserialize_with = "duration::parse")]
    pub generate_timeout: Duration,
    #[serde(deserialize_with = "duration::parse")]
    pub login_timeout: Duration,
}

impl Default for Hosts {
    fn default() -> Self {
        Self {
            signing_hosts: 1,
            workers: 2,
            shared_host: false,
            sign_queue: 4096,
            generate_queue: 256,
            sign_timeout: Duration::from_secs(5),
            generate_timeout: Duration::from_secs(300),
            login_timeout: Duration::from_secs(60),
        }
    }
}
