//! `make bench`: what the token can do alone, and what is left of it over HTTP.
//!
//! Prints, on tokens in memory where there is a tmpfs, one part after the other:
//! `signatures` (the module alone and the daemon by `wrk`, in turn), `beside` (signing while
//! keys are generated, LOCAL keys beside those of the token), `generations`, `stock`, `lists`,
//! `sweeps` (of rotation, over 10,000 rings), `key-sets` (beside a fixed string), `memory`, and `large`
//! (a token of 10,000 keys). Arguments choose parts.
//! A measurement, not a test: nothing here can fail a build.

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

mod beside;
mod generations;
mod key_sets;
mod large;
mod lists;
mod load;
mod memory;
mod module;
mod raw;
mod signatures;
mod stock;
mod sweeps;

use std::time::Duration;

use harness::{Configuration, Daemon, Launch, Scratch, Token};

/// How many hosts sign: one for each of two cores, as `daemon dev` would start them.
const HOSTS: &str = "[hosts]\nsigning-hosts = 2\nworkers = 1\n";

const PARTS: [(&str, fn()); 9] = [
    ("signatures", signatures::print),
    ("beside", beside::print),
    ("generations", generations::print),
    ("stock", stock::print),
    ("lists", lists::print),
    ("sweeps", sweeps::print),
    ("key-sets", key_sets::print),
    ("memory", memory::print),
    ("large", large::print),
];

fn main() {
    // Cargo adds `--bench`.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let Some(("raw", work)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        raw::work(work).expect("work of the module");
        return;
    }
    if let Some(("raw-median", work)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        println!("{}", stock::measure(work).expect("a median of the module"));
        return;
    }
    println!("strongroom bench: seconds for each figure, tokens in memory where there is a tmpfs\n");
    for (name, print) in PARTS {
        if arguments.is_empty() || arguments.iter().any(|wanted| wanted == name) {
            print();
        }
    }
}

/// A daemon that is ready, with a token of its own.
struct Served {
    dir: Scratch,
    token: Token,
    daemon: Daemon,
}

impl Served {
    fn with(sections: &str) -> Self {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let mut daemon = Launch::serve(&Configuration::new(&dir, &token).with(sections)).start();
        daemon.await_ready();
        Self { dir, token, daemon }
    }
}

/// `count` events in `time`, as a rate.
#[allow(clippy::cast_precision_loss, reason = "counts of seconds, far below 2^52")]
fn per_second(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}
