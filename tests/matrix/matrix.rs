//! `make faults`: every fault of a PKCS#11 module, one after the other, under load over HTTP.
//!
//! For each function and each way to fail: signers, makers and destroyers of keys and readers of lists
//! are at work; the fault begins, hosts are killed once so that those that start meet it too, it ends,
//! and the time to full service is taken. Prints a table for `docs/reliability.md` and fails when
//! anything is not as promised: no wrong answer, no lost key, no orphan, service within five seconds.
//! `FAULT_SECONDS` is how long each lasts (3), `FAULTS` a part of the names of functions to be tried.

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
mod load;
mod report;

use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use harness::{Configuration, Daemon, Faults, Launch, Scratch, Token, agreement};
use load::{Key, Load};
use report::{Cell, Report};

/// Functions that hosts call, and whether they are called at their start only.
const FUNCTIONS: [(&str, bool); 16] = [
    ("C_Initialize", true),
    ("C_GetSlotList", true),
    ("C_GetTokenInfo", false),
    ("C_GetMechanismList", true),
    ("C_OpenSession", false),
    ("C_CloseSession", false),
    ("C_GetSessionInfo", false),
    ("C_Login", true),
    ("C_FindObjectsInit", false),
    ("C_FindObjects", false),
    ("C_GetAttributeValue", false),
    ("C_SignInit", false),
    ("C_Sign", false),
    ("C_GenerateKeyPair", false),
    ("C_DestroyObject", false),
    ("*", false),
];
/// Ways to fail, as rules have them: error before, error after, gone, hang, crash, slow.
const WAYS: [(&str, &str); 6] = [
    ("error", "rv=0x30"),
    ("lost reply", "after=0x30"),
    ("gone", "rv=0x32"),
    ("hang", "hang"),
    ("crash", "exit=9"),
    ("slow", "delay=1200"),
];
/// Daemons at work at a time.
const LANES: usize = 2;
/// After it a fault counts as one that service does not return from.
const GIVEN_UP: Duration = Duration::from_secs(40);
const PROMISED: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let seconds = std::env::var("FAULT_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let part = std::env::var("FAULTS").unwrap_or_default();
    let span = Duration::from_secs(seconds);
    let wanted: Vec<_> = FUNCTIONS.iter().filter(|(function, _)| function.contains(&part)).rev().collect();
    let (queue, report) = (Mutex::new(wanted), Mutex::new(Report::default()));
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some((function, at_start)) = { queue.lock().unwrap().pop() } {
                    let cells = cells_of(function, *at_start, span);
                    report.lock().unwrap().add(cells);
                }
            });
        }
    });
    let report = report.into_inner().unwrap();
    println!("`make faults`, each fault {seconds} s long\n\n{report}");
    let broken = report.broken(PROMISED);
    for sentence in &broken {
        println!("NOT AS PROMISED: {sentence}");
    }
    if broken.is_empty() {
        println!("as promised");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// One daemon on a token of its own, and every way in which a function can fail.
fn cells_of(function: &'static str, at_start: bool, span: Duration) -> Vec<Cell> {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let hosts = "[hosts]\nsigning-hosts = 2\nverify-signatures = \"every\"\nsign-timeout = \"2s\"\n\
                 generate-timeout = \"4s\"\nlogin-timeout = \"10s\"\n[limits]\ngenerate-deadline = \"10s\"";
    let configuration = Configuration::new(&dir, &token).with_faults(&faults).with(hosts);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let keys: Vec<Key> = (0..4).map(|_| Key::make(&daemon)).collect();
    let corrupt = (function == "C_Sign").then_some(("corrupt", "corrupt"));
    let mut cells = Vec::new();
    for (way, rule) in WAYS.into_iter().chain(corrupt) {
        let load = Load::start(&daemon, &keys);
        std::thread::sleep(Duration::from_millis(300));
        let seen = load.while_doing(|| {
            faults.set(&format!("{function} {rule}"));
            if at_start {
                daemon.hosts().into_iter().for_each(Daemon::kill_host);
            }
            std::thread::sleep(span);
            faults.clear();
            back(&daemon, &keys)
        });
        let quarrel = !settles(&token, &configuration);
        let lost = load::lost(&daemon, &seen.acknowledged).len();
        cells.push(Cell::new(function, way, seen, lost, quarrel));
    }
    cells
}

/// How long it takes until every key signs, a key pair can be made and the daemon says that it is ready.
fn back(daemon: &Daemon, keys: &[Key]) -> Option<Duration> {
    let since = Instant::now();
    while since.elapsed() < GIVEN_UP {
        let served = keys.iter().all(|key| key.sign(daemon).0 == 200)
            && Key::try_make(daemon).is_ok()
            && daemon.get("/readyz").status.as_u16() == 200;
        if served {
            return Some(since.elapsed());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    None
}

/// Whether token and store agree before long.
fn settles(token: &Token, configuration: &Configuration) -> bool {
    let since = Instant::now();
    while agreement(token, &configuration.database()).quarrel().is_some() {
        if since.elapsed() > GIVEN_UP {
            return false;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    true
}
