//! Section `[hosts]`: how many token hosts, how patient with them.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use strongroom_token::{HostOptions, SignatureVerification};

use super::duration;

/// The section as it is written.
#[derive(Deserialize)]
#[serde(remote = "HostOptions", rename_all = "kebab-case", default = "HostOptions::default")]
pub(super) struct Section {
    signing_hosts: usize,
    workers: usize,
    shared_host: bool,
    sign_queue: usize,
    generate_queue: usize,
    #[serde(deserialize_with = "duration::parse")]
    sign_timeout: Duration,
    #[serde(deserialize_with = "duration::parse")]
    generate_timeout: Duration,
    #[serde(deserialize_with = "duration::parse")]
    login_timeout: Duration,
    verify_signatures: SignatureVerification,
    lock_dir: Option<PathBuf>,
}

/// Refuses counts and times that make no sense.
pub(super) fn validate(hosts: &HostOptions, findings: &mut Vec<String>) {
    let counts = [
        ("signing-hosts", hosts.signing_hosts, 64),
        ("workers", hosts.workers, 256),
        ("sign-queue", hosts.sign_queue, 1 << 20),
        ("generate-queue", hosts.generate_queue, 1 << 20),
    ];
    for (key, count, most) in counts {
        if !(1..=most).contains(&count) {
            findings.push(format!("hosts.{key}: between 1 and {most}"));
        }
    }
    if hosts.shared_host && hosts.signing_hosts != 1 {
        findings.push("hosts: shared-host = true means one process, so signing-hosts stays 1".to_owned());
    }
    if hosts.lock_dir.as_ref().is_some_and(|folder| folder.is_relative()) {
        findings.push("hosts.lock-dir: an absolute path".to_owned());
    }
    let times = [
        ("sign-timeout", hosts.sign_timeout),
        ("generate-timeout", hosts.generate_timeout),
        ("login-timeout", hosts.login_timeout),
    ];
    for (key, _) in times.iter().filter(|(_, time)| time.is_zero()) {
        findings.push(format!("hosts.{key}: longer than nothing"));
    }
}
