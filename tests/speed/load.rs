//! `wrk`, and what its load cost whom.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::harness::Daemon;

/// Clock ticks in a second, as Linux counts the time of processes (`USER_HZ`).
const TICKS: f64 = 100.0;

/// What `wrk` saw, and what it cost.
pub(crate) struct Load {
    /// Answers in a second.
    pub(crate) rate: f64,
    /// Milliseconds within which half of the answers came, and 99 of 100.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Answers that are no success.
    pub(crate) errors: u64,
    /// CPU microseconds for one answer: of the daemon, of its token hosts, of `wrk`.
    pub(crate) daemon: f64,
    pub(crate) hosts: f64,
    pub(crate) wrk: f64,
}

/// A load that is running.
pub(crate) struct Running<'a> {
    daemon: &'a Daemon,
    hosts: Vec<u32>,
    wrk: Child,
    before: [f64; 3],
}

/// Asks for `path` with `body`, over so many connections, for so many seconds.
pub(crate) fn wrk(dir: &Path, daemon: &Daemon, path: &str, body: &Value, connections: u32, seconds: u32) -> Load {
    start(dir, daemon, path, body, connections, seconds).end()
}

/// Begins to ask.
pub(crate) fn start<'a>(
    dir: &Path,
    daemon: &'a Daemon,
    path: &str,
    body: &Value,
    connections: u32,
    seconds: u32,
) -> Running<'a> {
    let script = dir.join("request.lua");
    // In a file, because a secret does not belong among arguments.
    let text = format!(
        "wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/json\"\n\
         wrk.headers[\"Authorization\"] = \"Bearer {}\"\nwrk.body = [[{body}]]\n",
        daemon.secret()
    );
    fs::write(&script, text).expect("a script for wrk");
    let hosts = daemon.hosts();
    let before = times(daemon, &hosts);
    let mut command = Command::new("wrk");
    command.args(["-t1", "--latency", "-c", &connections.to_string(), "-d", &seconds.to_string(), "-s"]);
    command.arg(&script).arg(format!("{}{path}", daemon.base())).stdout(Stdio::piped());
    Running { daemon, hosts, wrk: command.spawn().expect("wrk: apt-get install wrk"), before }
}

impl Running<'_> {
    /// Waits until it has asked enough.
    pub(crate) fn end(self) -> Load {
        let output = self.wrk.wait_with_output().expect("wrk");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = |label: &str| said.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
        let number = |label| value(label).and_then(|value| value.parse::<f64>().ok());
        let rate = number("Requests/sec:").unwrap_or_else(|| panic!("wrk said {said}"));
        let total = said.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse::<f64>().ok());
        let total = total.unwrap_or(f64::NAN).max(1.0);
        let after = times(self.daemon, &self.hosts);
        let cost = |who: usize| (after[who] - self.before[who]) * 1e6 / total;
        // The distribution comes after a head that begins with the same word.
        let latency = |label: &str| {
            let latencies = said.lines().find_map(|line| milliseconds(line.trim().strip_prefix(label)?.trim()));
            latencies.unwrap_or(f64::NAN)
        };
        Load {
            rate,
            p50: latency("50%"),
            p99: latency("99%"),
            errors: value("Non-2xx or 3xx responses:").and_then(|count| count.parse().ok()).unwrap_or(0),
            daemon: cost(0),
            hosts: cost(1),
            wrk: cost(2),
        }
    }
}

/// CPU seconds of a process so far, in user and system mode together.
pub(crate) fn cpu_seconds(pid: u32) -> f64 {
    stat(&format!("/proc/{pid}/stat"), [13, 14])
}

/// CPU seconds of the daemon, of its hosts, and of the children of this program that have ended.
fn times(daemon: &Daemon, hosts: &[u32]) -> [f64; 3] {
    let hosts = hosts.iter().map(|host| cpu_seconds(*host)).sum();
    [cpu_seconds(daemon.pid()), hosts, stat("/proc/self/stat", [15, 16])]
}

/// The sum of two fields of a `stat` file (proc(5), counted from 0), in seconds.
fn stat(file: &str, fields: [usize; 2]) -> f64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    // The name, which is the second field, may hold anything, a parenthesis last.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let rest: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |field: usize| rest.get(field - 2).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(0.0);
    fields.into_iter().map(ticks).sum::<f64>() / TICKS
}

/// A time as `wrk` writes it, in milliseconds.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("us", 0.001), ("ms", 1.0), ("s", 1000.0), ("m", 60_000.0)];
    units.into_iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor))
}
