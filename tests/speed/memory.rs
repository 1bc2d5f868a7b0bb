//! What daemon and hosts keep resident.

use std::fs;

use super::Served;
use super::harness::key_pair;

/// Prints one line.
pub(crate) fn print() {
    let Served { daemon, dir: _dir, .. } = Served::with("");
    for _ in 0..100 {
        daemon.generate(&key_pair("EC", Some(256))).expect(201);
    }
    let own = resident(daemon.pid());
    let hosts: Vec<f64> = daemon.hosts().into_iter().map(resident).collect();
    let sum = own + hosts.iter().sum::<f64>();
    let listed: Vec<String> = hosts.iter().map(|megabytes| format!("{megabytes:.1}")).collect();
    println!(
        "resident with 100 keys: daemon {own:.1} MB, hosts {} MB, together {sum:.1} MB; the aim is under 80 MB\n",
        listed.join(" + ")
    );
}

/// Resident megabytes of a process.
pub(crate) fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}
