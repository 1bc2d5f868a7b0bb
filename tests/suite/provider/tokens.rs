//! Which token, which PIN.

use std::fs;
use std::process::Command;
use std::time::Duration;

use strongroom::provider::pkcs11::Pkcs11Provider;
use strongroom::provider::{KeyProvider, ProviderError};
use strongroom_domain::key::KeyAlgorithm;
use strongroom_token::{Initialised, TokenOptions, TokenSelector, forget_refused_pin, probe};
use tokio::time::sleep;

use super::bench::{Bench, ES256, generated, kill, message, new_key, started, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_is_tried_once_over_restarts() {
    let bench = Bench::with_token().await;
    bench.write("pin", "111111");
    let report = probe(&bench.options()).await;
    assert!(!report.logged_in);
    assert!(report.facts.as_ref().is_some_and(|facts| facts.pin_count_low));
    let memory = fs::read_to_string(bench.path("refused-pin")).unwrap();
    assert!(memory.contains("$argon2id$") && !memory.contains("111111"));

    for _ in 0..2 {
        let provider = Pkcs11Provider::start(bench.options());
        until("the remembered PIN stops it", || provider.health().detail.contains("not tried again")).await;
        let (_, key) = new_key(KeyAlgorithm::P256);
        assert!(matches!(provider.generate(key).await, Err(ProviderError::Unavailable(_))));
        assert!(!provider.health().ready);
        provider.client().stop().await;
    }
    // Another PIN is another matter, and a right one clears the memory.
    bench.write("pin", "987654");
    let provider = started(bench.options()).await;
    assert!(!bench.path("refused-pin").exists());
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_may_have_a_refused_pin_tried_again() {
    let bench = Bench::with_token().await;
    bench.write("pin", "111111");
    assert!(!probe(&bench.options()).await.logged_in);
    let memory = fs::metadata(bench.path("refused-pin")).unwrap().modified().unwrap();
    assert!(probe(&bench.options()).await.findings[0].contains("token retry"));
    assert_eq!(fs::metadata(bench.path("refused-pin")).unwrap().modified().unwrap(), memory);
    forget_refused_pin(bench.dir.path()).unwrap();
    assert!(probe(&bench.options()).await.findings[0].contains("PinIncorrect"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_tokens_of_one_label_are_ambiguous_until_the_serial_decides() {
    let bench = Bench::with_token().await;
    let utility = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "bench", "--so-pin", "12345678", "--pin", "987654"])
        .envs(bench.environment())
        .output()
        .unwrap();
    assert!(utility.status.success(), "{utility:?}");
    let report = probe(&bench.options()).await;
    assert!(report.facts.is_none() && !report.logged_in);
    assert!(report.findings[0].contains("serial number"), "{:?}", report.findings);
    assert_eq!(report.findings[0].matches("label \"bench\" serial").count(), 2);

    let serial = report.findings[0].split(" serial \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let mut options = bench.options();
    options.token.selector = TokenSelector::Uri {
        token: Some("bench".to_owned()),
        serial: Some(serial.clone()),
        manufacturer: None,
        model: None,
    };
    let report = probe(&options).await;
    assert!(report.logged_in, "{:?}", report.findings);
    assert_eq!(report.facts.unwrap().serial, serial);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_initialised_token_is_never_initialised_again() {
    let bench = Bench::with_token().await;
    let Initialised::Before(serial) = bench.initialise("bench").await.unwrap() else { panic!("initialised twice") };
    let report = probe(&bench.options()).await;
    assert_eq!(report.facts.unwrap().serial, serial);
    assert!(report.logged_in && report.findings.is_empty(), "{:?}", report.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_refused_after_it_has_worked_leaves_other_hosts_at_work() {
    let bench = Bench::with_token().await;
    let mut options = bench.options();
    options.hosts.signing_hosts = 2;
    let provider = started(options).await;
    let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
    bench.write("pin", "111111");
    kill(provider.client().host_pids()[0]);
    until("the refusal is remembered", || bench.path("refused-pin").exists()).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(provider.client().host_pids().len(), 2);
    provider.sign(&key, ES256, message("x")).await.unwrap();
    generated(&provider, KeyAlgorithm::P256).await;
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn token_that_cannot_be_opened_is_refused_with_the_reason() {
    let bench = Bench::with_token().await;
    let mut options = bench.options();
    options.token.module = "/nonexistent/module.so".into();
    assert!(probe(&options).await.findings[0].starts_with("the module cannot be loaded: /nonexistent/module.so"));
    fs::remove_file(bench.path("pin")).unwrap();
    assert!(probe(&bench.options()).await.findings[0].starts_with("the PIN cannot be read"));
    bench.write("pin", "987654");
    let mut options = bench.options();
    options.command.program = "/nonexistent/strongroom".into();
    assert!(probe(&options).await.findings[0].contains("/nonexistent/strongroom"));
    let mut options = bench.options();
    options.token.selector = TokenSelector::SlotId(4711);
    assert!(probe(&options).await.findings[0].starts_with("no such token"));
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_that_start_together_all_log_in() {
    let bench = Bench::with_token().await;
    let options = (0..8).map(|index| {
        let state_dir = bench.path(&format!("daemon-{index}"));
        fs::create_dir(&state_dir).unwrap();
        TokenOptions { state_dir, ..bench.options() }
    });
    let reports = futures_util::future::join_all(options.map(|options| async move { probe(&options).await })).await;
    for report in reports {
        assert!(report.logged_in, "{:?}", report.findings);
    }
}
