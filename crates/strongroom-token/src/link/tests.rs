//! How fast hosts come back, and what becomes of generations that wait for one.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use super::Link;
use super::supervise::delay_after;
use crate::error::TokenError;
use crate::options::{HostCommand, HostOptions, PinSource, Profile, TokenAccess, TokenOptions};
use crate::protocol::{Call, Generation};
use crate::selector::TokenSelector;
use strongroom_domain::key::{KeyAlgorithm, KeyUse};

#[test]
fn the_first_restart_is_immediate_and_the_rest_double_up_to_half_a_minute() {
    let delays: Vec<u64> = (0..=9).map(|setbacks| delay_after(setbacks).as_secs()).collect();
    assert_eq!(delays, [0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
    assert_eq!(delay_after(u32::MAX), Duration::from_secs(30));
}

/// A link whose hosts start and never say that they are ready.
fn mute(directory: &tempfile::TempDir) -> Link {
    let executable = directory.path().join("mute");
    fs::write(&executable, "#!/bin/sh\nexec sleep 30\n").unwrap();
    fs::set_permissions(&executable, fs::Permissions::from_mode(0o700)).unwrap();
    Link::start(TokenOptions {
        command: HostCommand::new(executable),
        token: TokenAccess {
            module: "/nowhere".into(),
            selector: TokenSelector::Label("any".to_owned()),
            pin: PinSource::File("/nowhere".into()),
            profile: Profile::Generic,
            environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        },
        hosts: HostOptions::default(),
        state_dir: directory.path().to_owned(),
    })
}

fn generation() -> Call {
    let (algorithm, key_use) = (KeyAlgorithm::P256, KeyUse::Sign);
    Call::Generate(Generation { id: vec![1; 16], label: "sr:test".to_owned(), algorithm, key_use })
}

#[tokio::test]
async fn generation_that_waits_for_a_host_is_late_once_its_deadline_passes() {
    let directory = tempfile::tempdir().unwrap();
    let link = mute(&directory);
    let deadline = Instant::now() + Duration::from_millis(100);
    let failure = link.make(Some(vec![1; 16]), &generation(), deadline).await.unwrap_err();
    assert!(matches!(failure, TokenError::Late), "{failure:?}");
    link.stop().await;
}

#[tokio::test]
async fn generation_that_waits_for_a_host_is_refused_when_the_daemon_stops() {
    let directory = tempfile::tempdir().unwrap();
    let link = mute(&directory);
    let since = Instant::now();
    let (id, call) = (vec![1; 16], generation());
    let made = link.make(Some(id), &call, since + Duration::from_secs(60));
    let stop = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        link.refuse_generations();
    };
    let (made, ()) = tokio::join!(made, stop);
    assert!(matches!(made, Err(TokenError::Unavailable(_))), "{made:?}");
    assert!(since.elapsed() < HostOptions::default().sign_timeout, "it did not wait for the host");
    link.stop().await;
}
