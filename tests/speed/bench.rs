//! `make bench`: what the token can do alone, and what is left of it over HTTP.
//!
//! Prints, on tokens in memory: raw `C_GenerateKeyPair` and raw sign rates of the module
//! (one session, in a child process of its own), the daemon's rate of generations with
//! their certificates at 1 and at 8 clients, both as ratios to one raw generation plus
//! one raw signature; how long a generation takes from stock; the rate of signatures over HTTP, by `wrk`, as ratios to raw ones;
//! how long it takes to list and to get key pairs among up to 10,000; and the resident memory of the daemon and its hosts with 100 keys and one signing
//! host. A measurement, not a test: nothing here can fail a build.

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
mod lists;
mod raw;
mod signatures;
mod stock;

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use harness::{Configuration, Daemon, Launch, Scratch, Token, key_pair};

/// How long one figure is measured, at least.
const SPAN: Duration = Duration::from_secs(4);

/// Key algorithm and size, as requests name them.
const CASES: [(&str, u32); 2] = [("EC", 256), ("RSA", 2048)];

fn main() {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next();
    if first.as_deref() == Some("raw-median") {
        println!("{}", stock::measure(&arguments.collect::<Vec<_>>()).expect("a median of the module"));
        return;
    }
    if first.as_deref() == Some("stock") {
        stock::print();
        return;
    }
    if first.as_deref() == Some("raw") {
        let rates = raw::measure(&arguments.collect::<Vec<_>>(), SPAN).expect("rates of the module");
        println!("{} {} {}", rates.generate, rates.sign, rates.sign_by_two);
        return;
    }
    println!("strongroom bench: a few seconds for each figure, tokens in memory where there is a tmpfs\n");
    let raw: Vec<Raw> = CASES.iter().map(|(algorithm, size)| raw_rates(algorithm, *size)).collect();
    println!(
        "{:<9} {:>10} {:>10} {:>12}   {:>16} {:>16}",
        "key", "generate/s", "sign/s", "one of each", "HTTP, 1 client", "HTTP, 8 clients"
    );
    for ((algorithm, size), raw) in CASES.iter().zip(&raw) {
        compare(algorithm, *size, raw);
    }
    println!("\nratios: generations over HTTP, certificate included, to one raw generation plus one raw signature");
    println!("        on one session; the aim for EC 256 at 1 client is 0.5 or more\n");
    stock::print();
    signatures::print(&raw);
    lists::print();
    memory();
}

/// Rates of the module alone.
struct Raw {
    generate: f64,
    /// On one session, and on two at once.
    sign: [f64; 2],
}

fn compare(algorithm: &str, size: u32, raw: &Raw) {
    let Raw { generate, sign: [sign, _] } = *raw;
    let both = 1.0 / (1.0 / generate + 1.0 / sign);
    let over_http = |clients: usize| {
        let (_dir, daemon) = serve("");
        let rate = http_rate(&daemon, algorithm, size, clients);
        format!("{rate:.1}/s = {:.2}", rate / both)
    };
    let name = format!("{algorithm} {size}");
    println!("{name:<9} {generate:>10.1} {sign:>10.1} {both:>10.1}/s   {:>16} {:>16}", over_http(1), over_http(8));
}

/// Measured in a child, because a module reads its configuration from the environment.
fn raw_rates(algorithm: &str, size: u32) -> Raw {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let mut child = Command::new(std::env::current_exe().expect("this program"));
    child.env("SOFTHSM2_CONF", &token.conf).env("TOKEN_PIN", &token.pin);
    child.arg("raw").arg(token.module).args([&token.label, algorithm, &size.to_string()]);
    let output = harness::run(&mut child, b"");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rates: Vec<f64> = text.split_whitespace().flat_map(str::parse).collect();
    let [generate, sign, sign_by_two] = rates.as_slice() else {
        panic!("no rates: {text}{}", String::from_utf8_lossy(&output.stderr))
    };
    Raw { generate: *generate, sign: [*sign, *sign_by_two] }
}

fn serve(sections: &str) -> (Scratch, Daemon) {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token).with(sections)).start();
    daemon.await_ready();
    (dir, daemon)
}

fn http_rate(daemon: &Daemon, algorithm: &str, size: u32, clients: usize) -> f64 {
    let request = key_pair(algorithm, Some(size));
    daemon.generate(&request).expect(201);
    let start = Instant::now();
    let made: usize = std::thread::scope(|scope| {
        let client = || {
            let mut made = 0;
            while start.elapsed() < SPAN {
                daemon.generate(&request).expect(201);
                made += 1;
            }
            made
        };
        let running: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        running.into_iter().map(|client| client.join().expect("a client")).sum()
    });
    per_second(made, start.elapsed())
}

fn memory() {
    let (_dir, daemon) = serve("");
    for _ in 0..100 {
        daemon.generate(&key_pair("EC", Some(256))).expect(201);
    }
    let hosts = daemon.hosts();
    let own = resident(daemon.pid());
    let theirs: Vec<f64> = hosts.iter().map(|host| resident(*host)).collect();
    let sum = own + theirs.iter().sum::<f64>();
    let listed: Vec<String> = theirs.iter().map(|megabytes| format!("{megabytes:.1}")).collect();
    println!(
        "resident with 100 keys: daemon {own:.1} MB, hosts {} MB, together {sum:.1} MB; the aim is under 80 MB",
        listed.join(" + ")
    );
}

/// Resident megabytes of a process.
fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}

/// `count` events in `time`, as a rate.
#[allow(clippy::cast_precision_loss, reason = "counts of seconds, far below 2^52")]
fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
