//! Hosts stopped at chosen steps.

use std::path::Path;
use std::time::Duration;

use strongroom::provider::{KeyProvider, ProviderError, TokenProvider};
use strongroom_domain::key::KeyAlgorithm;
use strongroom_token::TokenOptions;

use super::bench::{Bench, ES256, generated, message, new_key, started, until, verify};
use super::load::Load;

fn options(bench: &Bench, at: &str) -> TokenOptions {
    let mut options = bench.options();
    options.token.environment.insert("STRONGROOM_TEST_AT".to_owned(), at.to_owned());
    options
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_signature_is_made_by_the_next_host() {
    let bench = Bench::with_token().await;
    let mut options = options(&bench, "host.sign#3=hold");
    options.hosts.sign_timeout = Duration::from_secs(1);
    let provider = started(options).await;
    let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
    let pids = provider.client().host_pids();
    // The first is made where the key was, the other three by the signing host.
    for _ in 0..4 {
        let signed = provider.sign(&key, ES256, message("x")).await.unwrap();
        verify(&key, &signed, b"x");
    }
    until("the hung host is replaced", || {
        provider.client().host_pids().len() == 2 && provider.client().host_pids() != pids
    })
    .await;
    let gone = format!("/proc/{}", pids[0]);
    until("the hung host is gone", || !Path::new(&gone).exists()).await;
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signatures_that_always_crash_are_unavailable_and_nobody_is_blamed_without_evidence() {
    let bench = Bench::with_token().await;
    let provider = started(options(&bench, "host.sign=abort")).await;
    let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
    for _ in 0..2 {
        let crashed = provider.sign(&key, ES256, message("x")).await;
        assert!(matches!(crashed, Err(ProviderError::Unavailable(_))), "{crashed:?}");
    }
    assert_eq!(provider.client().suspected_keys(), 0, "no other key has signed meanwhile");
    until("the host is back", || provider.client().host_pids().len() == 2).await;
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_with_the_reply_leaves_a_key_to_reconcile() {
    let bench = Bench::with_token().await;
    let provider = started(options(&bench, "host.generate.after=abort")).await;
    let (_, key) = new_key(KeyAlgorithm::P256);
    let outcome = provider.generate(key.clone()).await;
    assert!(matches!(outcome, Err(ProviderError::OutcomeUnknown(_))), "{outcome:?}");
    let held = provider.inventory().await.unwrap();
    assert_eq!(held.iter().map(|held| &held.label).collect::<Vec<_>>(), [&key.label]);
    assert_eq!(provider.destroy(&key.locator, &key.label).await.unwrap().objects, 2);
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generation_that_fails_leaves_nothing() {
    let bench = Bench::with_token().await;
    let provider = started(options(&bench, "host.generate.after=fail")).await;
    let (_, key) = new_key(KeyAlgorithm::P256);
    let outcome = provider.generate(key.clone()).await;
    assert!(matches!(outcome, Err(ProviderError::Unavailable(_))), "{outcome:?}");
    assert_eq!(provider.inventory().await.unwrap(), []);
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_generation_is_given_up_and_does_not_hold_up_signing() {
    let bench = Bench::with_token().await;
    let mut options = options(&bench, "host.generate.before#2=hold");
    options.hosts.generate_timeout = Duration::from_secs(1);
    let provider = started(options).await;
    let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
    let load = Load::start(&provider, &key, 2);
    let (_, hanging) = new_key(KeyAlgorithm::P256);
    let outcome = provider.generate(hanging).await;
    assert!(matches!(outcome, Err(ProviderError::OutcomeUnknown(_))), "{outcome:?}");
    generated(&provider, KeyAlgorithm::P256).await;
    let errors = load.end().await;
    assert!(errors.is_empty(), "{} errors, {:?}", errors.len(), errors.first());
    provider.client().stop().await;
}
