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

impl Hosts {
    pub(super) fn validate(&self, findings: &mut Vec<String>) {
        let counts = [
            ("signing-hosts", self.signing_hosts, 64),
            ("workers", self.workers, 256),
            ("sign-queue", self.sign_queue, 1 << 20),
            ("generate-queue", self.generate_queue, 1 << 20),
        ];
        for (key, count, most) in counts {
            if !(1..=most).contains(&count) {
                findings.push(format!("hosts.{key}: between 1 and {most}"));
            }
        }
        if self.shared_host && self.signing_hosts != 1 {
            findings.push("hosts: shared-host = true means one process, so signing-hosts stays 1".to_owned());
        }
        let times = [
            ("sign-timeout", self.sign_timeout),
            ("generate-timeout", self.generate_timeout),
            ("login-timeout", self.login_timeout),
        ];
        for (key, _) in times.iter().filter(|(_, time)| time.is_zero()) {
            findings.push(format!("hosts.{key}: longer than nothing"));
        }
    }
}
