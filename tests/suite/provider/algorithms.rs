//! What can be made and signed, and what is refused.

use std::process::Command;
use std::time::Duration;

use strongroom::provider::{KeyProvider, KeyRef, NewKey, ProviderError, SignInput, TokenProvider};
use strongroom_domain::key::{KeyAlgorithm, KeyUse, Locator, SignatureAlgorithm};

use super::bench::{Bench, ES256, MODULE, generated, message, new_key, started, verify};

#[tokio::test(flavor = "multi_thread")]
async fn every_algorithm_generates_signs_and_is_destroyed() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    for algorithm in KeyAlgorithm::all() {
        let signatures = provider.capabilities().unwrap().signatures_of(algorithm).unwrap().to_vec();
        assert_eq!(signatures, algorithm.signature_algorithms());
        let (key, new) = generated(&provider, algorithm).await;
        for way in signatures {
            for message in [b"short".to_vec(), vec![7; 100_000]] {
                let signature = provider.sign(&key, way, SignInput::Message(message.clone())).await.unwrap();
                verify(&key, &signature, &message);
                if let Some(hash) = way.hash() {
                    let digest = SignInput::Digest(hash.digest(&message));
                    verify(&key, &provider.sign(&key, way, digest).await.unwrap(), &message);
                }
            }
        }
        let held = provider.inventory().await.unwrap();
        assert_eq!(held.len(), 1);
        assert_eq!(held[0].locator.as_ref(), Some(&new.locator));
        assert!(held[0].has_private && held[0].has_public && !held[0].incomplete);
        assert_eq!(provider.destroy(&new.locator, "sr:another:label").await.unwrap().objects, 0);
        assert_eq!(provider.destroy(&new.locator, &new.label).await.unwrap().objects, 2);
        assert_eq!(provider.destroy(&new.locator, &new.label).await.unwrap().objects, 0);
        let gone = provider.sign(&key, algorithm.default_signature_algorithm(), message("x")).await;
        assert!(matches!(gone, Err(ProviderError::KeyMissing)), "{gone:?}");
    }
    assert_eq!(provider.inventory().await.unwrap(), []);
    assert_eq!(provider.remove_broken().await.unwrap().objects, 0);
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn senseless_requests_are_refused_before_the_token_sees_them() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let pids = provider.client().host_pids();
    let (ec, _) = generated(&provider, KeyAlgorithm::P256).await;
    let (other, _) = generated(&provider, KeyAlgorithm::P256).await;
    let pss = SignatureAlgorithm::RSA_PSS_SHA256;
    assert!(matches!(provider.sign(&ec, pss, message("x")).await, Err(ProviderError::Unsupported(_))));
    let short = provider.sign(&ec, ES256, SignInput::Digest(vec![1; 20])).await;
    assert!(matches!(short, Err(ProviderError::Unsupported(_))));
    // The row claims RSA, the token's key is EC: SoftHSM would crash on this.
    let liar = KeyRef { algorithm: KeyAlgorithm::RSA_2048, ..ec.clone() };
    assert!(matches!(provider.sign(&liar, pss, message("x")).await, Err(ProviderError::Refused(_))));
    let swapped = KeyRef { spki: other.spki.clone(), ..ec.clone() };
    assert!(matches!(provider.sign(&swapped, ES256, message("x")).await, Err(ProviderError::Refused(_))));
    let (_, decrypting) = new_key(KeyAlgorithm::P256);
    let decrypting = NewKey { key_use: KeyUse::Decrypt, ..decrypting };
    assert!(matches!(provider.generate(decrypting).await, Err(ProviderError::Unsupported(_))));
    provider.sign(&ec, ES256, message("x")).await.unwrap();
    assert_eq!(provider.client().host_pids(), pids, "no host was lost");
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_itself_refuses_to_give_a_generated_key_away() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let (_, key) = generated(&provider, KeyAlgorithm::P256).await;
    let listed = Command::new("pkcs11-tool")
        .args(["--module", MODULE, "--token-label", "bench", "--login", "--pin", "987654"])
        .args(["--list-objects", "--type", "privkey"])
        .envs(bench.environment())
        .output()
        .expect("pkcs11-tool is missing: apt-get install opensc");
    let text = String::from_utf8(listed.stdout).unwrap();
    assert!(text.contains(&key.label), "{text}");
    assert!(text.contains("Usage:      sign\n"), "{text}");
    assert!(text.contains("sensitive, always sensitive, never extractable, local"), "{text}");
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_keys_are_neither_listed_nor_removed() {
    let bench = Bench::with_token().await;
    let made = Command::new("pkcs11-tool")
        .args(["--module", MODULE, "--token-label", "bench", "--login", "--pin", "987654"])
        .args(["--keypairgen", "--key-type", "EC:prime256v1", "--id", "0102", "--label", "another's"])
        .envs(bench.environment())
        .output()
        .expect("pkcs11-tool is missing: apt-get install opensc");
    assert!(made.status.success(), "{made:?}");
    let provider = started(bench.options()).await;
    assert_eq!(provider.inventory().await.unwrap(), []);
    assert_eq!(provider.remove_broken().await.unwrap().objects, 0);
    let locator = Locator::from_bytes(&[1, 2]).unwrap();
    assert_eq!(provider.destroy(&locator, "sr:mine").await.unwrap().objects, 0);
    assert_eq!(provider.destroy(&locator, "another's").await.unwrap().objects, 2);
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn key_is_proven_anew_as_what_it_was_made_as_and_nothing_else() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    for algorithm in [KeyAlgorithm::RSA_2048, KeyAlgorithm::P256] {
        let (key, made) = generated(&provider, algorithm).await;
        let (other, _) = generated(&provider, algorithm).await;
        for trial in [false, true] {
            let proof = provider.attest(&key, &made.label, trial).await.unwrap();
            assert_eq!(proof, "local, always-sensitive, never-extractable, sign", "{algorithm}");
            let swapped = KeyRef { spki: other.spki.clone(), ..key.clone() };
            let refused = provider.attest(&swapped, &made.label, trial).await;
            assert!(matches!(refused, Err(ProviderError::Refused(_))), "{algorithm}: {refused:?}");
            let renamed = provider.attest(&key, "sr:another", trial).await;
            assert!(matches!(renamed, Err(ProviderError::Refused(_))), "{algorithm}: {renamed:?}");
        }
        provider.destroy(&key.locator, &made.label).await.unwrap();
        let gone = provider.attest(&key, &made.label, true).await;
        assert!(matches!(gone, Err(ProviderError::KeyMissing)), "{algorithm}: {gone:?}");
    }
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn token_is_idle_from_the_last_request_on_and_keys_made_ahead_are_none() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = provider.idle_for();
    assert!(before >= Duration::from_millis(300), "{before:?}");
    let (_, ahead) = new_key(KeyAlgorithm::P256);
    provider.generate_ahead(ahead).await.unwrap();
    assert!(provider.idle_for() >= before);
    provider.sign(&key, ES256, message("x")).await.unwrap();
    assert!(provider.idle_for() < Duration::from_millis(300));
    provider.client().stop().await;
}
