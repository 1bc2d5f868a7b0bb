//! Signatures over HTTP, asked for by `wrk`, beside what the module makes alone.

use std::process::Command;

use serde_json::{Value, json};

use super::harness::{Daemon, Scratch, key_pair, run};
use super::{CASES, Raw, serve};

/// Seconds that `wrk` asks for one figure.
const SECONDS: &str = "3";

/// How many hosts sign: SoftHSM's threads contend and its processes do not.
const HOSTS: &str = "[hosts]\nsigning-hosts = 2\nworkers = 1";

/// Connections of single signatures.
const CONNECTIONS: [&str; 3] = ["1", "16", "64"];

/// Items of a batch.
const ITEMS: usize = 100;

/// Prints one line for each key algorithm.
pub(crate) fn print(raw: &[Raw]) {
    let [one, some, many] = CONNECTIONS.map(|connections| format!("HTTP, {connections} conn."));
    println!(
        "{:<9} {:>9} {:>9}   {one:<24} {some:<24} {many:<24} batches of {ITEMS}, 2 conn.",
        "key", "sign/s", "2 threads"
    );
    for ((algorithm, size), raw) in CASES.iter().zip(raw) {
        let best = raw.sign.into_iter().fold(0.0, f64::max);
        let (dir, daemon) = serve(HOSTS);
        let single = json!({"algorithm": name(algorithm), "digest": DIGEST});
        let batch = json!({"algorithm": name(algorithm), "items": vec![json!({"digest": DIGEST}); ITEMS]});
        let ring = daemon.generate(&key_pair(algorithm, Some(*size))).expect(201).id();
        let path = |last: &str| format!("/v1/key-rings/signing:{ring}/{last}");
        let cell = |load: &Load, times: f64| {
            let (rate, ratio) = (load.rate * times, load.rate * times / best);
            format!("{rate:.0}/s = {ratio:.2}, {}{}", load.p99, load.errors)
        };
        let cells = CONNECTIONS.map(|connections| cell(&wrk(&dir, &daemon, &path("sign"), &single, connections), 1.0));
        let batches = cell(&wrk(&dir, &daemon, &path("sign-batch"), &batch, "2"), 100.0);
        let key = format!("{algorithm} {size}");
        let [one, two] = raw.sign;
        let [first, second, third] = cells;
        println!("{key:<9} {one:>9.0} {two:>9.0}   {first:<24} {second:<24} {third:<24} {batches}");
    }
    println!(
        "\nratios: signatures over HTTP to raw ones in one process, on its better number of threads; then p50 and"
    );
    println!("        p99; two signing hosts, and the load on the same machine. The aim for EC 256 at 64 connections");
    println!("        is 1.0 or more (0.8 the floor), in batches 1.5; for RSA 2048 0.9\n");
}

/// 32 bytes in base64.
const DIGEST: &str = "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=";

fn name(algorithm: &str) -> &'static str {
    if algorithm == "RSA" { "RS256" } else { "ES256" }
}

/// What `wrk` saw.
struct Load {
    /// Answers in a second.
    rate: f64,
    /// Half and 99 of 100 came within these.
    p99: String,
    /// What `wrk` says of answers that are no success; nothing when there are none.
    errors: String,
}

fn wrk(dir: &Scratch, daemon: &Daemon, path: &str, body: &Value, connections: &str) -> Load {
    let script = dir.join("request.lua");
    // In a file, because a secret does not belong among arguments.
    let text = format!(
        "wrk.method = \"POST\"\nwrk.headers[\"Content-Type\"] = \"application/json\"\n\
         wrk.headers[\"Authorization\"] = \"Bearer {}\"\nwrk.body = [[{body}]]\n",
        daemon.secret()
    );
    std::fs::write(&script, text).expect("a script for wrk");
    let mut command = Command::new("wrk");
    command.args(["-t1", "-c", connections, "-d", SECONDS, "--latency", "-s"]).arg(&script);
    let output = run(command.arg(format!("{}{path}", daemon.base())), b"");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let value = |label: &str| said.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    let rate = value("Requests/sec:").and_then(|rate| rate.parse().ok());
    Load {
        rate: rate.unwrap_or_else(|| panic!("wrk said {said}{}", String::from_utf8_lossy(&output.stderr))),
        p99: format!("{} {}", value("50%").unwrap_or("?"), value("99%").unwrap_or("?")),
        errors: value("Non-2xx or 3xx responses:").map(|count| format!(" ({count} refused)")).unwrap_or_default(),
    }
}
