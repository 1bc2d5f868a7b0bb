//! Signing while the token makes keys, and LOCAL keys beside those of the token.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::harness::{Daemon, key_pair};
use super::load::{self, Load};
use super::{HOSTS, Served};

/// Seconds that one figure is measured.
const SECONDS: u32 = 10;

/// 32 bytes in base64.
const DIGEST: &str = "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo=";

/// Prints two tables.
pub(crate) fn print() {
    let served = Served::with(&format!("{HOSTS}[local]\nmaster-key = \"token\"\n"));
    let [token, local] = ["HSM", "LOCAL"].map(|provider| ring(&served.daemon, provider));
    println!("signing P-256 while RSA 4096 is generated without a pause ({SECONDS} s a line)");
    for connections in [1, 4, 16] {
        let idle = load(&served, &token, connections).end();
        let (made, busy) = while_generating(&served.daemon, || load(&served, &token, connections).end());
        let ratio = busy.p99 / idle.p99;
        println!(
            "{connections:>3} conn.: idle {}; generating {}; p99 times {ratio:.1}; {made} keys made",
            told(&idle),
            told(&busy)
        );
    }
    println!("the aim is p99 under 3 times that of the idle token\n");

    println!("P-256 keys in software beside those of the token, 16 connections each ({SECONDS} s a line)");
    println!("LOCAL alone: {}", told(&load(&served, &local, 16).end()));
    let (both_token, both_local) = (load(&served, &token, 16), load(&served, &local, 16));
    println!("LOCAL and HSM at once: LOCAL {}; HSM {}\n", told(&both_local.end()), told(&both_token.end()));
}

fn ring(daemon: &Daemon, provider: &str) -> String {
    let mut request = key_pair("EC", Some(256));
    request["cryptoProvider"] = provider.into();
    daemon.generate(&request).expect(201).id()
}

fn load<'a>(served: &'a Served, ring: &str, connections: u32) -> load::Running<'a> {
    let path = format!("/v1/key-rings/signing:{ring}/sign");
    let body = json!({"algorithm": "ES256", "digest": DIGEST});
    load::start(&served.dir, &served.daemon, &path, &body, connections, SECONDS)
}

/// Generates during `work`: how many keys were made, and what came of it.
fn while_generating<T>(daemon: &Daemon, work: impl FnOnce() -> T) -> (usize, T) {
    let (stop, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                daemon.generate(&key_pair("RSA", Some(4096))).expect(201);
                made.fetch_add(1, Ordering::Relaxed);
            }
        });
        let outcome = work();
        stop.store(true, Ordering::Relaxed);
        outcome
    });
    (made.into_inner(), outcome)
}

fn told(load: &Load) -> String {
    let Load { rate, p50, p99, errors, .. } = load;
    let errors = if *errors > 0 { format!(", {errors} errors") } else { String::new() };
    format!("{rate:.0}/s, p50 {p50:.2} ms, p99 {p99:.2} ms{errors}")
}
