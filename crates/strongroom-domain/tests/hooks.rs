//! The variables of tests are heard by a build with the feature `test-hooks`, and by no other.
//!
//! `make test` runs this in both builds.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use strongroom_domain::clock::{Clock as _, SystemClock, Timestamp};
use strongroom_domain::failpoint::{Injected, passage};
use strongroom_domain::key::KeyAlgorithm;

const HOOKS: bool = cfg!(feature = "test-hooks");

/// How far the clock is set ahead.
const AHEAD: Duration = Duration::from_secs(3600);

/// Where the process that hears the variables finds when it was started.
const STARTED: &str = "HOOKS_STARTED";

#[test]
fn variables_of_tests_are_heard_only_where_the_hooks_are_built_in() {
    if let Ok(started) = env::var(STARTED) {
        return hears(Timestamp::from_micros(started.parse().unwrap()));
    }
    let directory = tempfile::tempdir().unwrap();
    let clock = directory.path().join("clock");
    std::fs::write(&clock, AHEAD.as_micros().to_string()).unwrap();
    let again = Command::new(env::current_exe().unwrap())
        .args(["--exact", "variables_of_tests_are_heard_only_where_the_hooks_are_built_in"])
        .env("STRONGROOM_TEST_AT", "first=fail,second#2=hold:7,never#3=abort")
        .env("STRONGROOM_TEST_CLOCK", clock)
        .env("STRONGROOM_TEST_ALGORITHM", "p-384-sha512")
        .env(STARTED, SystemClock.now().as_micros().to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&[again.stdout, again.stderr].concat()).into_owned();
    assert!(again.status.success() && said.contains("1 passed"), "{said}");
}

fn hears(started: Timestamp) {
    let injected = if HOOKS { Err(Injected("first")) } else { Ok(Duration::ZERO) };
    assert_eq!(passage("first"), injected);
    assert_eq!(passage("first"), Ok(Duration::ZERO), "once");
    assert_eq!(passage("second"), Ok(Duration::ZERO));
    assert_eq!(passage("second"), Ok(if HOOKS { Duration::from_millis(7) } else { Duration::ZERO }));
    assert_eq!(passage("elsewhere"), Ok(Duration::ZERO));
    assert_eq!(SystemClock.now().since(started) >= AHEAD, HOOKS);
    assert_eq!(KeyAlgorithm::from_name("p-384-sha512").is_some(), HOOKS);
}

/// An abort cannot be survived to be judged: the process that passes the point ends.
#[test]
fn an_abort_ends_the_process_only_where_the_hooks_are_built_in() {
    const POINT: &str = "here#2=abort";
    if env::var("STRONGROOM_TEST_AT").is_ok_and(|rules| rules == POINT) {
        let _ = (passage("here"), passage("here"));
        return;
    }
    let again = Command::new(env::current_exe().unwrap())
        .args(["--exact", "an_abort_ends_the_process_only_where_the_hooks_are_built_in"])
        .env("STRONGROOM_TEST_AT", POINT)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(said.contains("running 1 test"), "{said}");
    assert_eq!(again.status.success(), !HOOKS, "{said}");
}

/// Each reader of a hook variable is known, and stands behind the feature.
#[test]
fn the_variables_are_read_in_few_places() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut readers = Vec::new();
    let mut folders = vec![root.join("src"), root.join("crates")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let reads = |line: &str| line.contains("env::var") && line.contains("\"STRONGROOM_TEST_");
                if text.lines().any(reads) {
                    readers.push(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
    }
    readers.sort();
    let own = ["src/clock.rs", "src/failpoint.rs", "src/key/algorithm/table.rs", "tests/hooks.rs"];
    let own = own.map(|file| format!("crates/strongroom-domain/{file}"));
    let known: Vec<String> = own.into_iter().chain(["src/auth/policy.rs".to_owned()]).collect();
    assert_eq!(readers, known);
}
