//! Hosts and tokens that go, and what callers see of it.

use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use strongroom::provider::pkcs11::Pkcs11Provider;
use strongroom::provider::{KeyProvider, ProviderError, TokenProvider};
use strongroom_domain::key::{KeyAlgorithm, SignatureAlgorithm};
use strongroom_token::Profile;
use tokio::time::sleep;

use super::bench::{Bench, ES256, generated, kill, message, new_key, program, started, until, verify};
use super::load::Load;
use crate::harness::eventually;

#[tokio::test(flavor = "multi_thread")]
async fn killing_signing_hosts_under_load_loses_no_signature() {
    let bench = Bench::with_token().await;
    let mut options = bench.options();
    options.hosts.signing_hosts = 2;
    let provider = started(options).await;
    let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
    let load = Load::start(&provider, &key, 16);
    for _ in 0..3 {
        load.another(200).await;
        let pid = provider.client().host_pids()[0];
        kill(pid);
        until("the host is replaced", || {
            let pids = provider.client().host_pids();
            pids.len() == 3 && !pids.contains(&pid)
        })
        .await;
    }
    load.another(200).await;
    let errors = load.end().await;
    assert!(errors.is_empty(), "{} errors, {:?}", errors.len(), errors.first());
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_generation_host_leaves_an_unknown_outcome_and_signing_alone() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let (key, kept) = generated(&provider, KeyAlgorithm::P256).await;
    let load = Load::start(&provider, &key, 4);
    let mut occasions = provider.client().subscribe();
    occasions.mark_unchanged();
    let (_, doomed) = new_key(KeyAlgorithm::RSA_4096);
    let generation = {
        let (provider, doomed) = (Arc::clone(&provider), doomed.clone());
        tokio::spawn(async move { provider.generate(doomed).await })
    };
    sleep(Duration::from_millis(150)).await;
    kill(provider.client().keeping_host_pids()[0]);
    let outcome = generation.await.unwrap();
    assert!(matches!(outcome, Err(ProviderError::OutcomeUnknown(_))), "{outcome:?}");
    occasions.changed().await.unwrap();
    provider.destroy(&doomed.locator, &doomed.label).await.unwrap();
    let held = provider.inventory().await.unwrap();
    assert!(held.iter().any(|held| held.label == kept.label));
    assert!(held.iter().all(|held| held.label != doomed.label));
    let errors = load.end().await;
    assert!(errors.is_empty(), "{} errors, {:?}", errors.len(), errors.first());
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_appears_is_found() {
    let bench = Bench::new();
    let provider = Pkcs11Provider::start(bench.options());
    until("it says that the token is absent", || provider.health().detail.contains("no initialised token")).await;
    let (_, key) = new_key(KeyAlgorithm::P256);
    assert!(matches!(provider.generate(key).await, Err(ProviderError::Unavailable(_))));
    bench.initialise("bench").await.unwrap();
    until("it is ready", || provider.health().ready && !provider.client().keeping_host_pids().is_empty()).await;
    generated(&provider, KeyAlgorithm::P256).await;
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_goes_and_comes_back_recovers_without_a_key_reported_missing() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let (key, new) = generated(&provider, KeyAlgorithm::P256).await;
    provider.sign(&key, ES256, message("x")).await.unwrap();
    fs::rename(bench.path("tokens"), bench.path("away")).unwrap();
    fs::create_dir(bench.path("tokens")).unwrap();
    let signed = provider.sign(&key, ES256, message("x")).await;
    assert!(matches!(signed, Err(ProviderError::Unavailable(_))), "{signed:?}");
    let listed = provider.inventory().await;
    assert!(matches!(listed, Err(ProviderError::Unavailable(_))), "{listed:?}");
    let destroyed = provider.destroy(&new.locator, &new.label).await;
    assert!(matches!(destroyed, Err(ProviderError::Unavailable(_))), "{destroyed:?}");
    fs::remove_dir(bench.path("tokens")).unwrap();
    fs::rename(bench.path("away"), bench.path("tokens")).unwrap();
    until("it is ready", || provider.health().ready && !provider.client().keeping_host_pids().is_empty()).await;
    let signature = provider.sign(&key, ES256, message("x")).await.unwrap();
    verify(&key, &signature, b"x");
    assert_eq!(provider.inventory().await.unwrap().len(), 1);
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn single_host_serves_every_call() {
    let bench = Bench::with_token().await;
    let mut options = bench.options();
    options.hosts.shared_host = true;
    let provider = started(options).await;
    let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
    let load = Load::start(&provider, &key, 4);
    generated(&provider, KeyAlgorithm::RSA_2048).await;
    let pid = provider.client().host_pids()[0];
    kill(pid);
    until("the host is replaced", || provider.client().host_pids().first().is_some_and(|new| *new != pid)).await;
    load.another(50).await;
    let errors = load.end().await;
    assert!(errors.is_empty(), "{} errors, {:?}", errors.len(), errors.first());
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_end_when_they_are_stopped_and_outlive_sigterm() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let pids = provider.client().host_pids();
    for pid in &pids {
        for signal in ["-TERM", "-INT"] {
            assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
        }
    }
    let (key, _) = generated(&provider, KeyAlgorithm::ED25519).await;
    provider.sign(&key, SignatureAlgorithm::ED25519, message("x")).await.unwrap();
    assert_eq!(provider.client().host_pids(), pids);
    provider.client().stop().await;
    drop(provider);
    let gone = |pid: &u32| !Path::new(&format!("/proc/{pid}")).exists();
    until("the processes are gone", || pids.iter().all(gone)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_busy_at_once() {
    let bench = Bench::with_token().await;
    let mut options = bench.options();
    options.hosts.sign_queue = 2;
    let provider = started(options).await;
    let (key, _) = generated(&provider, KeyAlgorithm::RSA_4096).await;
    let calls = (0..40).map(|_| provider.sign(&key, SignatureAlgorithm::RSA_PKCS1_SHA256, message("x")));
    let outcomes = futures_util::future::join_all(calls).await;
    let busy = outcomes.iter().filter(|outcome| matches!(outcome, Err(ProviderError::Busy))).count();
    assert_eq!((busy, outcomes.iter().filter(|outcome| outcome.is_ok()).count()), (38, 2));
    provider.client().stop().await;
}

/// Empties byte-string attributes in the files of SoftHSM's private objects, which is how
/// a crash inside `C_GenerateKeyPair` leaves them: big-endian words of type, kind (2 for a
/// number, 3 for bytes), then the number or length and bytes.
fn empty_in_private_objects(bench: &Bench, attributes: &[u64]) -> usize {
    let word = |n: u64| n.to_be_bytes().to_vec();
    let private = [word(0), word(2), word(3)].concat();
    let find = |text: &[u8], part: &[u8]| text.windows(part.len()).position(|window| window == part);
    let mut changed = 0;
    for token in fs::read_dir(bench.path("tokens")).unwrap() {
        for object in fs::read_dir(token.unwrap().path()).unwrap() {
            let path = object.unwrap().path();
            let mut text = fs::read(&path).unwrap();
            if find(&text, &private).is_none() {
                continue;
            }
            for attribute in attributes {
                let head = [word(*attribute), word(3)].concat();
                let at = find(&text, &head).unwrap() + head.len();
                let length = u64::from_be_bytes(text[at..at + 8].try_into().unwrap());
                text.splice(at..at + 8 + usize::try_from(length).unwrap(), word(0));
            }
            fs::write(&path, text).unwrap();
            changed += 1;
        }
    }
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn half_made_keys_are_listed_and_only_nameless_ones_removed() {
    const ID: u64 = 0x102;
    const EC_PARAMS: u64 = 0x180;
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let (_, nameless) = generated(&provider, KeyAlgorithm::P256).await;
    provider.client().stop().await;
    assert_eq!(empty_in_private_objects(&bench, &[ID, EC_PARAMS]), 1);

    let provider = started(bench.options()).await;
    let (_, whole) = generated(&provider, KeyAlgorithm::P256).await;
    let held = provider.inventory().await.unwrap();
    let broken: Vec<_> = held.iter().filter(|held| held.incomplete).collect();
    assert_eq!(broken.len(), 1, "{held:?}");
    assert!(broken[0].locator.is_none() && broken[0].has_private && !broken[0].has_public);
    assert!(held.iter().any(|held| held.label == nameless.label && held.has_public && !held.has_private));

    let mut generic = bench.options();
    generic.token.profile = Profile::Generic;
    let cautious = started(generic).await;
    assert_eq!(cautious.remove_broken().await.unwrap().objects, 0);
    cautious.client().stop().await;
    assert_eq!(provider.remove_broken().await.unwrap().objects, 1);
    assert_eq!(provider.destroy(&nameless.locator, &nameless.label).await.unwrap().objects, 1);
    let held = provider.inventory().await.unwrap();
    assert_eq!(held.iter().map(|held| &held.label).collect::<Vec<_>>(), [&whole.label]);

    // One that can still be found by its name is destroyed by its name.
    provider.client().stop().await;
    assert_eq!(empty_in_private_objects(&bench, &[EC_PARAMS]), 1);
    let provider = started(bench.options()).await;
    assert!(provider.inventory().await.unwrap().iter().any(|held| held.incomplete));
    assert_eq!(provider.remove_broken().await.unwrap().objects, 0);
    assert_eq!(provider.destroy(&whole.locator, &whole.label).await.unwrap().objects, 2);
    assert_eq!(provider.inventory().await.unwrap(), []);
    provider.client().stop().await;
}

#[test]
fn a_host_ends_at_once_when_its_daemon_has_gone() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut host = Command::new(program()).arg("token-host").stdin(OwnedFd::from(theirs)).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(host.try_wait().unwrap().is_none());
    drop(ours);
    assert_eq!(host.wait().unwrap().signal(), Some(9), "no destructor runs");
}

#[test]
fn a_host_without_a_daemon_does_not_start() {
    let host = Command::new(program()).arg("token-host").stdin(Stdio::null()).output().unwrap();
    assert_eq!(host.status.code(), Some(1));
    assert!(String::from_utf8(host.stderr).unwrap().contains("standard input"));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_hardened_and_know_only_what_is_configured() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    for pid in provider.client().host_pids() {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
        assert!(read("status").contains("NoNewPrivs:\t1"));
        let core = read("limits").lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
        assert_eq!(core.split_whitespace().rev().nth(1), Some("0"), "{core}");
        let variables = read("environ");
        let inherited: Vec<&str> = variables.split_terminator('\0').collect();
        assert_eq!(inherited, [format!("SOFTHSM2_CONF={}", bench.path("softhsm2.conf").display())]);
        assert_eq!(read("cmdline").split_terminator('\0').skip(1).collect::<Vec<_>>(), ["token-host"]);
        assert_eq!(fs::read_link(format!("/proc/{pid}/fd/1")).unwrap(), Path::new("/dev/null"));
        // Undumpable processes belong to root here, whoever runs them.
        assert_eq!(fs::metadata(format!("/proc/{pid}/mem")).unwrap().uid(), 0);
    }
    let keeping = provider.client().keeping_host_pids()[0];
    let nice_of_session = |thread: io::Result<fs::DirEntry>| {
        let stat = fs::read_to_string(thread.ok()?.path().join("stat")).ok()?;
        let name = stat.split(['(', ')']).nth(1).unwrap().to_owned();
        let nice = stat.rsplit(')').next().unwrap().split_whitespace().nth(16).unwrap().to_owned();
        name.starts_with("session").then_some(nice)
    };
    // A thread names itself once it runs.
    let nice = eventually("the thread of a session", Duration::from_secs(5), || {
        let threads = fs::read_dir(format!("/proc/{keeping}/task")).unwrap();
        Some(threads.filter_map(nice_of_session).collect::<Vec<_>>()).filter(|nice| !nice.is_empty())
    });
    assert_eq!(nice, ["10"]);
    provider.client().stop().await;
}
