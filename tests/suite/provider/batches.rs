//! Batches: several signatures in one call, and what one of them does to the others.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use strongroom::provider::pkcs11::Pkcs11Provider;
use strongroom::provider::{KeyProvider, ProviderError, SignInput};
use strongroom_domain::key::KeyAlgorithm;

use super::bench::{Bench, ES256, generated, message, started, until, verify};
use crate::harness::Faults;

/// A provider of two signing hosts behind the fault module.
async fn faulty(bench: &Bench) -> (Faults, Arc<Pkcs11Provider>) {
    let faults = Faults::new(bench.dir.path());
    let mut options = bench.options();
    options.token.module = Faults::module();
    options.token.environment.extend(faults.environment());
    options.hosts.signing_hosts = 2;
    // Hosts are waited for as long.
    options.hosts.sign_timeout = Duration::from_secs(3);
    (faults, started(options).await)
}

fn messages(count: usize) -> Vec<SignInput> {
    (0..count).map(|index| message(&format!("item {index}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_signed_in_order_whatever_its_size() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    for (algorithm, sizes) in [(KeyAlgorithm::P256, [1, 2, 17, 500]), (KeyAlgorithm::RSA_2048, [1, 3, 9, 30])] {
        let (key, _) = generated(&provider, algorithm).await;
        for size in sizes {
            let signed = provider.sign_batch(&key, algorithm.default_signature_algorithm(), messages(size)).await;
            assert_eq!(signed.len(), size);
            for (index, signature) in signed.iter().enumerate() {
                verify(&key, signature.as_ref().unwrap(), format!("item {index}").as_bytes());
            }
        }
    }
    assert!(provider.sign_batch(&generated(&provider, KeyAlgorithm::P256).await.0, ES256, Vec::new()).await.is_empty());
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_that_makes_no_sense_fails_alone() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
    let mut inputs = messages(40);
    inputs[7] = SignInput::Digest(vec![0; 31]);
    let signed = provider.sign_batch(&key, ES256, inputs).await;
    for (index, signature) in signed.iter().enumerate() {
        match signature {
            Ok(signature) if index != 7 => verify(&key, signature, format!("item {index}").as_bytes()),
            Err(ProviderError::Unsupported(_)) if index == 7 => {}
            other => panic!("item {index}: {other:?}"),
        }
    }
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_over_which_a_host_hangs_or_dies_is_signed_whole() {
    let bench = Bench::with_token().await;
    let (faults, provider) = faulty(&bench).await;
    let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
    for fault in ["hang", "exit=9", "rv=30"] {
        let pids = provider.client().host_pids();
        let once = bench.dir.path().join(fault);
        faults.set(&format!("C_Sign skip=5 once={} {fault}", once.display()));
        let signed = provider.sign_batch(&key, ES256, messages(64)).await;
        for (index, signature) in signed.iter().enumerate() {
            let signature = signature.as_ref().unwrap_or_else(|error| panic!("{fault}, item {index}: {error}"));
            verify(&key, signature, format!("item {index}").as_bytes());
        }
        assert!(Path::new(&once).exists(), "the fault {fault} was met");
        faults.clear();
        until("all hosts are there", || provider.client().host_pids().len() == 3).await;
        assert_eq!(provider.client().host_pids() == pids, fault == "rv=30", "{fault}: who is replaced");
    }
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_larger_than_the_queue_is_signed_in_parts_that_fit() {
    let bench = Bench::with_token().await;
    let mut options = bench.options();
    options.hosts.sign_queue = 64;
    let provider = started(options).await;
    let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
    let signed = provider.sign_batch(&key, ES256, messages(300)).await;
    assert!(signed.iter().all(Result::is_ok));
    provider.client().stop().await;
}
