//! Signatures over HTTP, asked for by `wrk`, and those of the module alone, in turn.

use serde_json::{Value, json};

use super::harness::key_pair;
use super::load::{Load, wrk};
use super::module::{self, Signed};
use super::{HOSTS, Served};

/// Seconds that one figure is measured.
const SECONDS: u32 = 3;

/// Processes and threads of the module alone.
const ALONE: [(usize, usize); 4] = [(1, 1), (1, 2), (1, 4), (2, 1)];

/// Of single signatures, and of batches.
const CONNECTIONS: [u32; 3] = [1, 16, 64];
const CONNECTIONS_OF_BATCHES: [u32; 3] = [1, 2, 16];

/// Items of a batch.
const ITEMS: u32 = 100;

/// A key as requests name it, and how it signs.
struct Case {
    algorithm: &'static str,
    size: Option<u32>,
    name: &'static str,
    input: Value,
}

/// Prints one table for each key algorithm.
pub(crate) fn print() {
    println!(
        "signatures: {SECONDS} s a line; ratios to the module alone in one process, with one thread and with the number\n\
         of threads that is best for it, and by CPU: what the ratio to the best is on cores that do nothing else;\n\
         CPU microseconds for one signature, of everybody, of daemon, hosts and wrk; two signing hosts, and the\n\
         load on the same machine\n"
    );
    for case in cases() {
        print_case(&case);
    }
    println!("aims: P-256 at 64 connections 1.0 of the best (0.8 the floor), p99 under 20 ms; in batches 1.5; at one");
    println!("      connection the module's time and 150 us; RSA 2048 0.9, the load's share of the cores included\n");
}

fn cases() -> [Case; 4] {
    let digest = |digest: &str| json!({"digest": digest});
    [
        Case { algorithm: "RSA", size: Some(2048), name: "RS256", input: digest(DIGEST) },
        Case { algorithm: "EC", size: Some(256), name: "ES256", input: digest(DIGEST) },
        Case { algorithm: "EC", size: Some(384), name: "ES384", input: digest(DIGEST_48) },
        Case { algorithm: "Ed25519", size: None, name: "EdDSA", input: json!({"message": DIGEST}) },
    ]
}

/// 32 and 48 bytes in base64.
const DIGEST: &str = "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=";
const DIGEST_48: &str = "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpa";

fn print_case(case: &Case) {
    let Case { algorithm, size, name, input } = case;
    let Served { dir, token, daemon } = Served::with(HOSTS);
    let ring = daemon.generate(&key_pair(algorithm, *size)).expect(201).id();
    let path = |last: &str| format!("/v1/key-rings/signing:{ring}/{last}");
    let mut single = input.clone();
    single["algorithm"] = (*name).into();
    let batch = json!({"algorithm": name, "items": vec![input; ITEMS as usize]});
    // The first signature of each worker looks for the key.
    wrk(&dir, &daemon, &path("sign"), &single, 16, 1);

    let mut alone = Vec::new();
    let mut over_http = Vec::new();
    // In turn, so that what else the machine does befalls both.
    let asks = CONNECTIONS.map(|connections| ("sign", &single, connections, 1));
    let batches = CONNECTIONS_OF_BATCHES.map(|connections| ("sign-batch", &batch, connections, ITEMS));
    let mut places = ALONE.into_iter();
    for (last, body, connections, items) in asks.into_iter().chain(batches) {
        if let Some((processes, threads)) = places.next() {
            alone.push((processes, threads, module::signatures(&token, processes, threads, SECONDS)));
        }
        over_http.push((connections, items, wrk(&dir, &daemon, &path(last), body, connections, SECONDS)));
    }
    let in_one = |threads: &dyn Fn(usize) -> bool| {
        let rates = alone.iter().filter(|(processes, count, _)| *processes == 1 && threads(*count));
        rates.map(|(.., signed)| signed.rate).fold(0.0, f64::max)
    };
    let least = alone.iter().map(|(.., signed)| signed.micros).fold(f64::INFINITY, f64::min);
    let yardsticks = Yardsticks { one: in_one(&|threads| threads == 1), best: in_one(&|_| true), micros: least };
    println!(
        "{name:<28}      rate/s  of one of best by CPU     p50 ms    p99 ms   errors    CPU us   daemon    hosts      wrk"
    );
    for (processes, threads, signed) in &alone {
        let what = format!("alone, {processes} x {threads} threads");
        print_alone(&what, signed, &yardsticks);
    }
    for (connections, items, load) in &over_http {
        let what = if *items == 1 { "single".to_owned() } else { format!("batches of {items}") };
        print_load(&format!("{what}, {connections} conn."), load, f64::from(*items), &yardsticks);
    }
    let metrics = daemon.get("/metrics").expect(200).text();
    let lost =
        metrics.lines().filter(|line| line.starts_with("strongroom_signatures_total") && !line.contains("\"signed\""));
    lost.for_each(|line| println!("not signed: {line}"));
    println!();
}

/// What the module does alone in one process: by one thread and by the best number of them,
/// and the least CPU microseconds for one signature.
struct Yardsticks {
    one: f64,
    best: f64,
    micros: f64,
}

impl Yardsticks {
    fn ratios(&self, rate: f64, micros: f64) -> String {
        format!("{rate:>11.0} {:>7.2} {:>7.2} {:>6.2}", rate / self.one, rate / self.best, self.micros / micros)
    }
}

fn print_alone(what: &str, signed: &Signed, yardsticks: &Yardsticks) {
    let ratios = yardsticks.ratios(signed.rate, signed.micros);
    println!("{what:<28} {ratios} {:>39.1}", signed.micros);
}

fn print_load(what: &str, load: &Load, items: f64, yardsticks: &Yardsticks) {
    let Load { rate, p50, p99, errors, daemon, hosts, wrk } = load;
    let [daemon, hosts, wrk] = [daemon, hosts, wrk].map(|micros| micros / items);
    let sum = daemon + hosts + wrk;
    let ratios = yardsticks.ratios(rate * items, sum);
    println!("{what:<28} {ratios} {p50:>10.2} {p99:>9.2} {errors:>8} {sum:>9.1} {daemon:>8.1} {hosts:>8.1} {wrk:>8.1}");
}
