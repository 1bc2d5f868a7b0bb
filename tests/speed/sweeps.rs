//! A sweep of rotation over many rings of which none is due, and over as many that are to be planned.

use std::time::Instant;

use reqwest::Method;

use super::Served;
use super::harness::{Daemon, key_pair, tamper};
use super::lists::COPY;

/// Key pairs, each in a ring of its own: a power of ten.
const RINGS: usize = 10_000;
const ROUNDS: u32 = 50;

/// Makes every ring known to the sweeps.
const KNOWN: &str = "INSERT INTO rings (ring, ring_kind, due_at, version)
    SELECT ring, ring_kind, 0, 1 FROM key_pairs WHERE true ON CONFLICT DO NOTHING";
/// Leaves every ring with a step in the far future.
const IDLE: &str = "UPDATE rings SET due_at = 4102444800000000";

/// Prints one line for each case.
pub(crate) fn print() {
    let served = Served::with("[rotation]\nenabled = false");
    let (database, daemon) = (served.dir.join("serve.db"), &served.daemon);
    daemon.generate(&key_pair("EC", Some(256))).expect(201);
    let mut rows = 1;
    while rows < RINGS {
        tamper(&database, COPY);
        rows *= 10;
    }
    tamper(&database, KNOWN);
    let planned = Cost::of(daemon, 1);
    println!("{:<42} {planned}", format!("sweep, {RINGS} rings to be planned"));
    tamper(&database, IDLE);
    let idle = Cost::of(daemon, ROUNDS);
    println!("{:<42} {idle}\n", format!("sweep, {RINGS} rings, none due"));
}

/// What a sweep costs.
struct Cost {
    milliseconds: f64,
    queries: f64,
}

impl Cost {
    fn of(daemon: &Daemon, rounds: u32) -> Self {
        let before = transactions(daemon);
        let start = Instant::now();
        for _ in 0..rounds {
            let swept = daemon.call(Method::POST, "/v1/rotation/sweep").send().expect(200).json();
            assert_eq!(swept["outcome"], "done", "{swept}");
        }
        let rounds = f64::from(rounds);
        let milliseconds = start.elapsed().as_secs_f64() * 1000.0 / rounds;
        Self { milliseconds, queries: (transactions(daemon) - before) / rounds }
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>9.1} ms {:>9.1} calls of the store", self.milliseconds, self.queries)
    }
}

/// Calls of the store so far but those that its epoch is polled with.
fn transactions(daemon: &Daemon) -> f64 {
    let text = daemon.get("/metrics").expect(200).text();
    let counts = text.lines().filter(|line| {
        line.starts_with("strongroom_store_transaction_duration_seconds_count") && !line.contains("\"epoch\"")
    });
    counts.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
