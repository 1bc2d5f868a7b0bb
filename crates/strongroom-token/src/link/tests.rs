//! How fast hosts come back, and what becomes of generations that wait for one.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Link;
use super::process::HostProcess;
use super::recovery::delay_after;
use crate::error::TokenError;
use crate::options::{HostCommand, HostOptions, PinSource, Profile, TokenAccess, TokenOptions};
use crate::protocol::{Call, GenerateCall};
use crate::selector::TokenSelector;
use strongroom_domain::key::{KeyAlgorithm, KeyUse};

#[test]
fn the_first_restart_is_immediate_and_the_rest_come_within_three_seconds() {
    let delays: Vec<u64> = (0..=6).map(|setbacks| delay_after(setbacks).as_secs()).collect();
    assert_eq!(delays, [0, 0, 1, 2, 3, 3, 3]);
    assert_eq!(delay_after(u32::MAX), Duration::from_secs(3));
}

/// A link whose hosts start and never say that they are ready.
fn mute(directory: &tempfile::TempDir) -> Link {
    Link::start(TokenOptions {
        command: mute_command(),
        token: TokenAccess {
            module: "/nowhere".into(),
            selector: TokenSelector::Label("any".to_owned()),
            pin: PinSource::File("/nowhere".into()),
            profile: Profile::Generic,
            environment: BTreeMap::new(),
        },
        hosts: HostOptions::default(),
        state_dir: directory.path().to_owned(),
    })
}

/// Starts a process that is no host and lives until it is killed.
fn mute_command() -> HostCommand {
    HostCommand::new("/bin/sleep").arg("30")
}

/// How often this thread has slept: being preempted does not count.
fn times_slept() -> u64 {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn dropped_hosts_are_reaped_and_the_runtime_does_not_sleep_for_it() {
    let command = mute_command();
    let hosts: Vec<HostProcess> = (0..32).map(|_| HostProcess::spawn(&command, &[]).unwrap()).collect();
    let mut left: Vec<u32> = hosts.iter().map(HostProcess::pid).collect();
    let before = times_slept();
    drop(hosts);
    let slept = times_slept() - before;
    assert!(slept < 8, "the thread slept {slept} times");
    let since = Instant::now();
    while !left.is_empty() {
        assert!(since.elapsed() < Duration::from_secs(10), "still there, or never reaped: {left:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
        left.retain(|pid| Path::new(&format!("/proc/{pid}")).exists());
    }
}

fn generation() -> Call {
    let (algorithm, key_use) = (KeyAlgorithm::P256, KeyUse::Sign);
    Call::Generate(GenerateCall { id: vec![1; 16], label: "sr:test".to_owned(), algorithm, key_use })
}

#[tokio::test]
async fn generation_that_waits_for_a_host_is_late_once_its_deadline_passes() {
    let directory = tempfile::tempdir().unwrap();
    let link = mute(&directory);
    let deadline = Instant::now() + Duration::from_millis(100);
    let failure = link.generate(Some(vec![1; 16]), &generation(), deadline).await.unwrap_err();
    assert!(matches!(failure, TokenError::Late), "{failure:?}");
    link.stop().await;
}

#[tokio::test]
async fn generation_that_waits_for_a_host_is_refused_when_the_daemon_stops() {
    let directory = tempfile::tempdir().unwrap();
    let link = mute(&directory);
    let since = Instant::now();
    let (id, call) = (vec![1; 16], generation());
    let made = link.generate(Some(id), &call, since + Duration::from_secs(60));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        link.refuse_generations();
    };
    let (made, ()) = tokio::join!(made, stop);
    assert!(matches!(made, Err(TokenError::Unavailable(_))), "{made:?}");
    assert!(since.elapsed() < HostOptions::default().sign_timeout, "it did not wait for the host");
    link.stop().await;
}
