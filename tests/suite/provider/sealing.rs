//! Secrets sealed under a key of the token.

use std::sync::Arc;

use strongroom::provider::pkcs11::Pkcs11Provider;
use strongroom::provider::{KeyProvider, KeySelector, ProviderError, TokenProvider};
use strongroom_domain::key::{KeyAlgorithm, Locator};
use strongroom_domain::secret::Secret;
use strongroom_token::{SealingScheme, TokenError, probe, probe_sealing_key};

use super::bench::{Bench, generated, kill, started, until};

const LABEL: &str = "sr-seal:6f7c0a4e-0b53-4f0e-9a3c-0f6c6f3f7a11";
const CONTEXT: &[u8] = b"master key 1";

/// A token without some mechanisms, and how it seals then. SoftHSM does not hear the first
/// name after the minus (2.6.1, 2026-11-20).
const TOKENS: [(&str, SealingScheme); 3] = [
    ("", SealingScheme::AesGcm),
    ("slots.mechanisms = -,CKM_AES_GCM", SealingScheme::AesKeyWrap),
    ("slots.mechanisms = -,CKM_AES_GCM,CKM_AES_KEY_WRAP", SealingScheme::SignedOaep),
];

async fn without(mechanisms: &str) -> (Bench, Arc<Pkcs11Provider>) {
    let bench = Bench::with_token().await;
    let tokens = bench.path("tokens");
    let settings = format!("directories.tokendir = {}\nlog.level = ERROR\n{mechanisms}\n", tokens.display());
    bench.write("softhsm2.conf", &settings);
    let provider = started(bench.options()).await;
    (bench, provider)
}

fn secret() -> Secret {
    Secret::new((0..32).collect())
}

async fn opens(provider: &Pkcs11Provider, sealed: &[u8]) {
    let opened = provider.client().unseal(LABEL, CONTEXT, sealed).await.unwrap();
    assert_eq!(opened.expose(), secret().expose());
}

async fn refused(provider: &Pkcs11Provider, context: &[u8], sealed: &[u8], what: &str) {
    let outcome = provider.client().unseal(LABEL, context, sealed).await;
    assert!(matches!(outcome, Err(TokenError::Refused(_))), "{what}: {outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_secret_opens_in_its_context_and_unaltered_only() {
    for (mechanisms, scheme) in TOKENS {
        let (bench, provider) = without(mechanisms).await;
        assert_eq!(provider.client().token_facts().unwrap().sealing, Some(scheme));
        assert_eq!(probe(&bench.options()).await.facts.unwrap().sealing, Some(scheme));
        assert!(!probe_sealing_key(&bench.options(), LABEL).await.unwrap());
        let sealed = provider.client().seal(LABEL, CONTEXT, secret()).await.unwrap();
        assert!(probe_sealing_key(&bench.options(), LABEL).await.unwrap());
        assert!(!sealed.windows(8).any(|part| part == &secret().expose()[..8]));
        let again = provider.client().seal(LABEL, CONTEXT, secret()).await.unwrap();
        assert_eq!(sealed[..19], again[..19], "one key seals all");
        opens(&provider, &sealed).await;
        opens(&provider, &again).await;

        let pids = provider.client().host_pids();
        refused(&provider, b"master key 2", &sealed, "another context").await;
        refused(&provider, b"", &sealed, "no context").await;
        for position in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[position] ^= 0x10;
            refused(&provider, CONTEXT, &altered, &format!("{scheme}: byte {position}")).await;
        }
        for length in [0, 1, 3, 18, 19, 20, 31, sealed.len() - 1] {
            refused(&provider, CONTEXT, &sealed[..length], &format!("{scheme}: {length} bytes")).await;
        }
        refused(&provider, CONTEXT, &[sealed.as_slice(), &[0]].concat(), "a byte more").await;
        assert_eq!(provider.client().host_pids(), pids, "no host was lost");
        opens(&provider, &sealed).await;
        provider.client().stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_daemons_and_later_lives_open_what_was_sealed() {
    for (mechanisms, _) in TOKENS {
        let (bench, provider) = without(mechanisms).await;
        let sealed = provider.client().seal(LABEL, CONTEXT, secret()).await.unwrap();
        let second = started(bench.options()).await;
        opens(&second, &sealed).await;
        second.client().stop().await;
        let pid = provider.client().keeping_host_pids()[0];
        kill(pid);
        until("the host is replaced", || provider.client().keeping_host_pids().first().is_some_and(|new| *new != pid))
            .await;
        opens(&provider, &sealed).await;
        provider.client().stop().await;
        let later = started(bench.options()).await;
        opens(&later, &sealed).await;
        let another = later.client().unseal("sr-seal:another", CONTEXT, &sealed).await;
        assert!(matches!(another, Err(TokenError::KeyMissing)), "{another:?}");
        later.client().stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sealing_key_is_not_listed_linked_or_read() {
    for (mechanisms, scheme) in TOKENS {
        let (bench, provider) = without(mechanisms).await;
        let sealed = provider.client().seal(LABEL, CONTEXT, secret()).await.unwrap();
        assert_eq!(provider.inventory().await.unwrap(), []);
        assert_eq!(provider.remove_broken().await.unwrap().objects, 0);
        for label in [LABEL.to_owned(), format!("{LABEL}:sign")] {
            let wanted = KeySelector { label: Some(label), ..KeySelector::default() };
            let found = provider.find(&wanted).await;
            assert!(found.is_err(), "{found:?}");
        }
        let locator = Some(Locator::from_bytes(&sealed[3..19]).unwrap());
        let wanted = KeySelector { locator, ..KeySelector::default() };
        let found = provider.find(&wanted).await;
        assert!(matches!(found, Err(ProviderError::Refused(_))), "{found:?}");
        let destroyed = provider.destroy(&wanted.locator.unwrap(), LABEL).await;
        assert!(matches!(destroyed, Err(ProviderError::Refused(_))), "{destroyed:?}");
        opens(&provider, &sealed).await;

        let text = bench.tool(&["--list-objects"]).1;
        assert!(text.contains(LABEL), "{text}");
        let access: Vec<&str> = text.lines().filter(|line| line.contains("Access:")).collect();
        let private = access.iter().filter(|line| line.contains("sensitive")).count();
        assert_eq!(private, if scheme == SealingScheme::SignedOaep { 2 } else { 1 }, "{text}");
        let whole = "sensitive, always sensitive, never extractable, local";
        assert_eq!(access.iter().filter(|line| line.contains(whole)).count(), private, "{text}");
        provider.client().stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_sealing_key_is_said_to_be_missing() {
    let (bench, provider) = without("").await;
    let sealed = provider.client().seal(LABEL, CONTEXT, secret()).await.unwrap();
    generated(&provider, KeyAlgorithm::P256).await;
    let removed = bench.tool(&["--delete-object", "--type", "secrkey", "--label", LABEL]);
    assert!(removed.0, "{}", removed.1);
    let outcome = provider.client().unseal(LABEL, CONTEXT, &sealed).await;
    assert!(matches!(outcome, Err(TokenError::KeyMissing)), "{outcome:?}");
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_could_leave_the_token_seals_nothing() {
    let (bench, provider) = without("").await;
    let planted = bench.tool(&[
        "--keygen",
        "--key-type",
        "aes:32",
        "--id",
        "00",
        "--label",
        LABEL,
        "--extractable",
        "--usage-decrypt",
    ]);
    assert!(planted.0, "{}", planted.1);
    let sealed = provider.client().seal(LABEL, CONTEXT, secret()).await.unwrap();
    assert_eq!(sealed[2], 16, "a key of its own sealed");
    opens(&provider, &sealed).await;
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_too_long_for_rsa_is_refused() {
    let (_bench, provider) = without(TOKENS[2].0).await;
    let outcome = provider.client().seal(LABEL, CONTEXT, Secret::new(vec![7; 1000])).await;
    assert!(matches!(outcome, Err(TokenError::Unsupported(_))), "{outcome:?}");
    provider.client().stop().await;
    let (_bench, provider) = without("").await;
    let sealed = provider.client().seal(LABEL, CONTEXT, Secret::new(vec![7; 1000])).await.unwrap();
    assert_eq!(provider.client().unseal(LABEL, CONTEXT, &sealed).await.unwrap().expose(), [7; 1000]);
    provider.client().stop().await;
}
