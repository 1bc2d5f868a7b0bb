//! A token of 10,000 key pairs beside one that has but a few.

use std::time::{Duration, Instant};

use serde_json::json;

use super::harness::{Configuration, Launch, Scratch, Token, eventually, key_pair};
use super::load::wrk;
use super::memory::resident;
use super::{HOSTS, module};

const SIZES: [usize; 2] = [10, 10_000];

/// Seconds that one figure is measured.
const SECONDS: u32 = 5;

/// Before rates are measured, so that the background work of the start is over.
const SETTLED: Duration = Duration::from_secs(120);

/// Prints one line for each size.
pub(crate) fn print() {
    println!("key pairs   C_Initialize   start to ready   sign/s, 64 conn.      p99   resident: daemon + hosts");
    let mut rates = Vec::new();
    for size in SIZES {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        module::fill(&token, size);
        let opening = module::opening(&token);
        let start = Instant::now();
        let mut daemon = Launch::serve(&Configuration::new(&dir, &token).with(HOSTS)).start();
        daemon.await_ready();
        let ready = start.elapsed().as_secs_f64();
        let ring = daemon.generate(&key_pair("EC", Some(256))).expect(201).id();
        eventually("all hosts", SETTLED, || (daemon.hosts().len() == 3).then_some(()));
        let body = json!({"algorithm": "ES256", "digest": "WlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlo="});
        let path = format!("/v1/key-rings/signing:{ring}/sign");
        // The first signature of each worker looks for the key.
        wrk(&dir, &daemon, &path, &body, 16, 3);
        let load = wrk(&dir, &daemon, &path, &body, 64, SECONDS);
        let hosts: Vec<String> = daemon.hosts().into_iter().map(|host| format!("{:.0}", resident(host))).collect();
        println!(
            "{size:>9} {opening:>12.2} s {ready:>14.2} s {:>18.0} {:>6.1} ms   {:.0} + {} MB",
            load.rate,
            load.p99,
            resident(daemon.pid()),
            hosts.join(" + "),
        );
        rates.push(load.rate);
    }
    println!("rate with {} to that with {}: {:.2}", SIZES[1], SIZES[0], rates[1] / rates[0]);
    println!("the aims are 0.85 or more, and ready within C_Initialize and 2 s\n");
}
