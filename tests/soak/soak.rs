//! `make soak`: signatures for minutes at 256 connections, and hosts killed meanwhile.
//!
//! Two spans of load by `wrk` on a fresh token: one in peace, one in which a token host is
//! killed every few seconds. Prints what was seen and fails when it was not what is promised:
//! no 5xx but 503 with `Retry-After`, no wrong signature among those kept, memory flat, and
//! the full rate again within two seconds of a kill. `SOAK_SECONDS` is the length of a span.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a program for people"
)]

#[path = "../suite/harness/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the fixture room of the tests, of which this needs a part")]
#[allow(clippy::indexing_slicing, clippy::print_stderr, clippy::missing_panics_doc, reason = "tests")]
mod harness;
mod watch;

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use harness::{Configuration, Daemon, Launch, PublicKey, Scratch, Token, run};
use reqwest::Method;
use serde_json::{Value, json};
use watch::{Moment, Watch};

const CONNECTIONS: &str = "256";
/// One signature in so many is verified.
const EVERY: &str = "50";
/// Between two kills, and from the start of a span to the first.
const BETWEEN_KILLS: Duration = Duration::from_secs(8);
/// What the full rate after a kill is measured over, and when it has to be back.
const WINDOW: Duration = Duration::from_secs(1);
const RECOVERED_WITHIN: Duration = Duration::from_secs(2);
/// Of the rate before a kill: rates of one second scatter.
const FULL: f64 = 0.85;
/// Of the memory that was resident after a third of the span.
const FLAT: f64 = 1.1;

fn main() -> ExitCode {
    let seconds = std::env::var("SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let span = Duration::from_secs(seconds);
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let hosts = "[hosts]\nsigning-hosts = 2\nworkers = 1";
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token).with(hosts)).start();
    daemon.await_ready();
    let request = json!({"ring": "signing:soak", "algorithm": "p-256"});
    let kid = daemon.call(Method::POST, "/v1/keys").json(&request).send().expect(201).json()["kid"].clone();
    let public = daemon.get(&format!("/v1/keys/{}/public.pem", kid.as_str().expect("a kid"))).expect(200).text();
    println!("strongroom soak: twice {seconds} s of {CONNECTIONS} connections, P-256, two signing hosts\n");

    let mut faults = in_peace(&dir, &daemon, &public, span);
    faults.extend(with_kills(&dir, &daemon, &public, span));
    for fault in &faults {
        println!("NOT AS PROMISED: {fault}");
    }
    if faults.is_empty() {
        println!("as promised");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// What went wrong, in sentences.
type Faults = Vec<String>;

fn in_peace(dir: &Path, daemon: &Daemon, public: &str, span: Duration) -> Faults {
    let watch = Watch::start(daemon);
    let seen = load(dir, daemon, span);
    let moments = watch.end();
    let mut faults = judge("in peace", dir, public, &seen);
    let after = |part: u32| moments.iter().find(|moment| moment.at >= span * part / 3).or(moments.last());
    if let (Some(early), Some(late)) = (after(1), moments.last()) {
        println!("resident      {:.1} MB after a third of it, {:.1} MB at the end", early.resident, late.resident);
        if late.resident > early.resident * FLAT {
            faults.push(format!("memory grew from {:.1} to {:.1} MB", early.resident, late.resident));
        }
    }
    println!();
    faults
}

fn with_kills(dir: &Path, daemon: &Daemon, public: &str, span: Duration) -> Faults {
    let watch = Watch::start(daemon);
    let (seen, kills) = std::thread::scope(|scope| {
        let killer = scope.spawn(|| kill(daemon, span));
        (load(dir, daemon, span), killer.join().expect("the kills"))
    });
    let begun = watch.begun;
    let moments = watch.end();
    let mut faults = judge("with kills", dir, public, &seen);
    for kill in kills {
        let at = kill.duration_since(begun);
        let before = rate(&moments, at.saturating_sub(WINDOW * 3), at);
        let back = (0..100)
            .map(|tenths| Duration::from_millis(tenths * 100))
            .find(|wait| rate(&moments, at + *wait, at + *wait + WINDOW) >= before * FULL);
        let said = back.map_or("never".to_owned(), |wait| format!("after {:.1} s", wait.as_secs_f64()));
        println!("killed a host at {:>4.1} s: {before:.0}/s before it, the full rate again {said}", at.as_secs_f64());
        if back.is_none_or(|wait| wait > RECOVERED_WITHIN) {
            faults.push(format!("after a kill the full rate was back {said}"));
        }
    }
    println!();
    faults
}

/// Kills a signing host now and then, as long as there is time to recover.
fn kill(daemon: &Daemon, span: Duration) -> Vec<Instant> {
    let begun = Instant::now();
    let mut kills = Vec::new();
    while begun.elapsed() + BETWEEN_KILLS * 2 <= span || kills.is_empty() {
        std::thread::sleep(BETWEEN_KILLS);
        Daemon::kill_host(daemon.signing_hosts()[0]);
        kills.push(Instant::now());
    }
    kills
}

/// Has `wrk` ask for signatures; what its script saw.
fn load(dir: &Path, daemon: &Daemon, span: Duration) -> Value {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/soak/sign.lua");
    let url = format!("{}/v1/key-rings/signing:soak/sign", daemon.base());
    let mut command = Command::new("wrk");
    command.env("SOAK_SECRET", daemon.secret()).env("SOAK_DIR", dir).env("SOAK_EVERY", EVERY);
    command.args(["-t2", "-c", CONNECTIONS, "-d", &span.as_secs().to_string(), "--timeout", "30", "-s"]);
    let output = run(command.arg(script).arg(url), b"");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let seen = said.lines().find_map(|line| line.strip_prefix("saw "));
    let seen = seen.unwrap_or_else(|| panic!("wrk said {said}{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(seen).expect("JSON of the script")
}

/// Prints what was seen; what of it was not promised.
fn judge(span: &str, dir: &Path, public: &str, seen: &Value) -> Faults {
    let mut faults = Vec::new();
    let statuses = seen["statuses"].as_object().expect("statuses");
    println!("{span:<13} {}", Value::from(statuses.clone()));
    println!("latency       p50 {} us, p99 {} us", seen["p50us"], seen["p99us"]);
    for (status, count) in statuses.iter().filter(|(status, _)| !["200", "503"].contains(&status.as_str())) {
        faults.push(format!("{span}: {count} answers of {status}"));
    }
    for (name, meaning) in [("withoutRetryAfter", "503 without Retry-After"), ("socketErrors", "errors of sockets")] {
        if seen[name] != 0 {
            faults.push(format!("{span}: {} {meaning}", seen[name]));
        }
    }
    let (mut lines, mut kept) = (String::new(), 0);
    for thread in 0..2 {
        let file = dir.join(format!("samples-{thread}"));
        lines.push_str(&std::fs::read_to_string(&file).expect("the kept signatures"));
        std::fs::remove_file(file).expect("a file that goes");
    }
    kept += lines.lines().count();
    let (good, bad) = PublicKey(public.to_owned()).cryptography_verifies(&lines);
    println!(
        "signatures    {kept} of {EVERY} times as many verified by Python's cryptography: {good} right, {bad} wrong"
    );
    if bad > 0 || good != kept || kept == 0 {
        faults.push(format!("{span}: {bad} signatures of {kept} are wrong"));
    }
    faults
}

/// Signatures a second between two moments.
fn rate(moments: &[Moment], from: Duration, to: Duration) -> f64 {
    let inside: Vec<&Moment> = moments.iter().filter(|moment| (from..=to).contains(&moment.at)).collect();
    match (inside.first(), inside.last()) {
        (Some(first), Some(last)) if last.at > first.at => {
            (last.signed - first.signed) / last.at.saturating_sub(first.at).as_secs_f64()
        }
        _ => 0.0,
    }
}
