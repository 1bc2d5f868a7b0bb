//! The token provider against SoftHSM, through real token hosts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use der::Encode;
use der::asn1::UintRef;
use strongroom::clock::{Clock, SystemClock};
use strongroom::config::{Hosts, PinSource, Profile, Token, TokenSelector};
use strongroom::key::{Hash, KeyAlgorithm, KeyFamily, KeyId, KeyUse, Locator, Signature, SignatureAlgorithm, StoreId};
use strongroom::provider::pkcs11::{
    Initialised, Pkcs11Options, Pkcs11Provider, forget_refused_pin, initialise_token, probe,
};
use strongroom::provider::{KeyProvider, KeyRef, NewKey, ProviderError, SignInput};
use tempfile::TempDir;
use tokio::time::sleep;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// A SoftHSM installation of one test.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        assert!(Path::new(MODULE).exists(), "SoftHSM is missing: apt-get install softhsm2");
        let shm = Path::new("/dev/shm");
        let dir = if shm.is_dir() { TempDir::new_in(shm) } else { TempDir::new() }.unwrap();
        fs::create_dir(dir.path().join("tokens")).unwrap();
        let bench = Self { dir };
        bench.write("so-pin", "12345678");
        bench.write("pin", "987654\n");
        let tokens = bench.path("tokens");
        bench.write("softhsm2.conf", &format!("directories.tokendir = {}\nlog.level = ERROR\n", tokens.display()));
        bench
    }

    async fn with_token() -> Self {
        let bench = Self::new();
        assert!(matches!(bench.initialise("bench").await.unwrap(), Initialised::Now(_)));
        bench
    }

    async fn initialise(&self, label: &str) -> Result<Initialised, ProviderError> {
        let (so_pin, pin) = (self.path("so-pin"), self.path("pin"));
        initialise_token(&program(), Path::new(MODULE), &self.environment(), label, &so_pin, &pin).await
    }

    fn options(&self) -> Pkcs11Options {
        Pkcs11Options {
            executable: program(),
            token: Token {
                module: MODULE.into(),
                selector: TokenSelector::Label("bench".to_owned()),
                pin: PinSource::File(self.path("pin")),
                profile: Profile::Softhsm,
                environment: self.environment(),
            },
            hosts: Hosts { login_timeout: Duration::from_secs(20), ..Hosts::default() },
            state_dir: self.dir.path().to_owned(),
        }
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let file = self.path("softhsm2.conf").to_str().unwrap().to_owned();
        BTreeMap::from([("SOFTHSM2_CONF".to_owned(), file)])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }
}

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_strongroom").into()
}

async fn started(options: Pkcs11Options) -> Arc<Pkcs11Provider> {
    let hosts = if options.hosts.shared_host { 1 } else { options.hosts.signing_hosts + 1 };
    let provider = Pkcs11Provider::start(options);
    until("all hosts are ready", || provider.host_pids().len() == hosts).await;
    provider
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(40), "not in time: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

fn new_key(algorithm: KeyAlgorithm) -> (KeyId, NewKey) {
    let id = KeyId::new(SystemClock.now()).unwrap();
    let label = StoreId::new().unwrap().label(id);
    (id, NewKey { locator: Locator::new().unwrap(), label, algorithm, key_use: KeyUse::Sign })
}

async fn generated(provider: &Pkcs11Provider, algorithm: KeyAlgorithm) -> (KeyRef, NewKey) {
    let (id, key) = new_key(algorithm);
    let made = provider.generate(key.clone()).await.unwrap();
    assert_eq!(made.proof, "local, always-sensitive, never-extractable, sign");
    (KeyRef { id, locator: key.locator.clone(), algorithm, spki: made.spki }, key)
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

/// Verifies by the ASN.1 forms, which the product does not use.
fn verify(key: &KeyRef, signature: &Signature, message: &[u8]) {
    use SignatureAlgorithm::{Ecdsa, Ed25519, RsaPkcs1, RsaPss};
    let algorithm: &'static dyn VerificationAlgorithm = match (signature.algorithm(), key.algorithm) {
        (RsaPkcs1(Hash::Sha256), _) => &signature::RSA_PKCS1_2048_8192_SHA256,
        (RsaPkcs1(Hash::Sha384), _) => &signature::RSA_PKCS1_2048_8192_SHA384,
        (RsaPkcs1(Hash::Sha512), _) => &signature::RSA_PKCS1_2048_8192_SHA512,
        (RsaPss(Hash::Sha256), _) => &signature::RSA_PSS_2048_8192_SHA256,
        (RsaPss(Hash::Sha384), _) => &signature::RSA_PSS_2048_8192_SHA384,
        (RsaPss(Hash::Sha512), _) => &signature::RSA_PSS_2048_8192_SHA512,
        (Ecdsa(Hash::Sha256), KeyAlgorithm::P256) => &signature::ECDSA_P256_SHA256_ASN1,
        (Ecdsa(Hash::Sha384), KeyAlgorithm::P256) => &signature::ECDSA_P256_SHA384_ASN1,
        (Ecdsa(Hash::Sha512), KeyAlgorithm::P256) => &signature::ECDSA_P256_SHA512_ASN1,
        (Ecdsa(Hash::Sha256), KeyAlgorithm::P384) => &signature::ECDSA_P384_SHA256_ASN1,
        (Ecdsa(Hash::Sha384), KeyAlgorithm::P384) => &signature::ECDSA_P384_SHA384_ASN1,
        (Ecdsa(Hash::Sha512), KeyAlgorithm::P384) => &signature::ECDSA_P384_SHA512_ASN1,
        (Ecdsa(Hash::Sha256), _) => &signature::ECDSA_P521_SHA256_ASN1,
        (Ecdsa(Hash::Sha384), _) => &signature::ECDSA_P521_SHA384_ASN1,
        (Ecdsa(Hash::Sha512), _) => &signature::ECDSA_P521_SHA512_ASN1,
        (Ed25519, _) => &signature::ED25519,
    };
    let mut bytes = signature.raw().to_vec();
    if key.algorithm.family() == KeyFamily::Ec {
        let (r, s) = bytes.split_at(bytes.len() / 2);
        bytes = EcdsaSignature { r: UintRef::new(r).unwrap(), s: UintRef::new(s).unwrap() }.to_der().unwrap();
    }
    UnparsedPublicKey::new(algorithm, key.spki.as_bytes())
        .verify(message, &bytes)
        .unwrap_or_else(|_| panic!("{} by {} does not verify", signature.algorithm(), key.algorithm));
}

#[derive(der::Sequence)]
struct EcdsaSignature<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_algorithm_generates_signs_and_is_destroyed() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    for algorithm in KeyAlgorithm::ALL {
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
        assert!(held[0].has_private && held[0].has_public && !held[0].broken);
        assert_eq!(provider.destroy(&new.locator, "sr:another:label").await.unwrap().objects, 0);
        assert_eq!(provider.destroy(&new.locator, &new.label).await.unwrap().objects, 2);
        assert_eq!(provider.destroy(&new.locator, &new.label).await.unwrap().objects, 0);
        let gone = provider.sign(&key, algorithm.default_signature_algorithm(), message("x")).await;
        assert!(matches!(gone, Err(ProviderError::KeyMissing)), "{gone:?}");
    }
    assert_eq!(provider.inventory().await.unwrap(), []);
    assert_eq!(provider.remove_broken().await.unwrap().objects, 0);
    provider.stop().await;
}

fn message(text: &str) -> SignInput {
    SignInput::Message(text.as_bytes().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn senseless_requests_are_refused_before_the_token_sees_them() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let pids = provider.host_pids();
    let (ec, _) = generated(&provider, KeyAlgorithm::P256).await;
    let (other, _) = generated(&provider, KeyAlgorithm::P256).await;
    let pss = SignatureAlgorithm::RsaPss(Hash::Sha256);
    let es256 = SignatureAlgorithm::Ecdsa(Hash::Sha256);
    assert!(matches!(provider.sign(&ec, pss, message("x")).await, Err(ProviderError::Unsupported(_))));
    let short = provider.sign(&ec, es256, SignInput::Digest(vec![1; 20])).await;
    assert!(matches!(short, Err(ProviderError::Unsupported(_))));
    // The row claims RSA, the token's key is EC: SoftHSM would crash on this.
    let liar = KeyRef { algorithm: KeyAlgorithm::Rsa2048, ..ec.clone() };
    assert!(matches!(provider.sign(&liar, pss, message("x")).await, Err(ProviderError::Refused(_))));
    let swapped = KeyRef { spki: other.spki.clone(), ..ec.clone() };
    assert!(matches!(provider.sign(&swapped, es256, message("x")).await, Err(ProviderError::Refused(_))));
    let (_, decrypting) = new_key(KeyAlgorithm::P256);
    let decrypting = NewKey { key_use: KeyUse::Decrypt, ..decrypting };
    assert!(matches!(provider.generate(decrypting).await, Err(ProviderError::Unsupported(_))));
    provider.sign(&ec, es256, message("x")).await.unwrap();
    assert_eq!(provider.host_pids(), pids, "no host was lost");
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decryption_keys_do_not_sign() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let (id, key) = new_key(KeyAlgorithm::Rsa2048);
    let key = NewKey { key_use: KeyUse::Decrypt, ..key };
    let made = provider.generate(key.clone()).await.unwrap();
    assert_eq!(made.proof, "local, always-sensitive, never-extractable, decrypt");
    let key = KeyRef { id, locator: key.locator, algorithm: key.algorithm, spki: made.spki };
    let signed = provider.sign(&key, SignatureAlgorithm::RsaPkcs1(Hash::Sha256), message("x")).await;
    assert!(signed.is_err(), "{signed:?}");
    provider.stop().await;
}

/// Signs from several tasks until told to stop; counts what succeeded.
struct Load {
    stop: tokio::sync::watch::Sender<bool>,
    signed: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<Vec<ProviderError>>>,
}

impl Load {
    fn start(provider: &Arc<Pkcs11Provider>, key: &KeyRef, tasks: usize) -> Self {
        let (stop, signed) = (tokio::sync::watch::Sender::new(false), Arc::new(AtomicU64::new(0)));
        let tasks = (0..tasks).map(|_| {
            let (provider, key, stop, signed) =
                (Arc::clone(provider), key.clone(), stop.subscribe(), Arc::clone(&signed));
            tokio::spawn(async move {
                let mut errors = Vec::new();
                while !*stop.borrow() {
                    match provider.sign(&key, key.algorithm.default_signature_algorithm(), message("load")).await {
                        Ok(signature) => {
                            verify(&key, &signature, b"load");
                            signed.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => errors.push(error),
                    }
                }
                errors
            })
        });
        Self { tasks: tasks.collect(), stop, signed }
    }

    async fn another(&self, count: u64) {
        let reached = self.signed.load(Ordering::Relaxed) + count;
        until("signatures go on", || self.signed.load(Ordering::Relaxed) >= reached).await;
    }

    async fn end(self) -> Vec<ProviderError> {
        self.stop.send_replace(true);
        let mut errors = Vec::new();
        for task in self.tasks {
            errors.extend(task.await.unwrap());
        }
        errors
    }
}

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
        let pid = provider.host_pids()[0];
        kill(pid);
        until("the host is replaced", || {
            let pids = provider.host_pids();
            pids.len() == 3 && !pids.contains(&pid)
        })
        .await;
    }
    load.another(200).await;
    let errors = load.end().await;
    assert!(errors.is_empty(), "{} errors, {:?}", errors.len(), errors.first());
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_generation_host_leaves_an_unknown_outcome_and_signing_alone() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let (key, kept) = generated(&provider, KeyAlgorithm::P256).await;
    let load = Load::start(&provider, &key, 4);
    let mut occasions = provider.subscribe();
    occasions.mark_unchanged();
    let (_, doomed) = new_key(KeyAlgorithm::Rsa4096);
    let generation = {
        let (provider, doomed) = (Arc::clone(&provider), doomed.clone());
        tokio::spawn(async move { provider.generate(doomed).await })
    };
    sleep(Duration::from_millis(150)).await;
    kill(provider.keeping_host_pids()[0]);
    let outcome = generation.await.unwrap();
    assert!(matches!(outcome, Err(ProviderError::Unknown(_))), "{outcome:?}");
    occasions.changed().await.unwrap();
    provider.destroy(&doomed.locator, &doomed.label).await.unwrap();
    let held = provider.inventory().await.unwrap();
    assert!(held.iter().any(|held| held.label == kept.label));
    assert!(held.iter().all(|held| held.label != doomed.label));
    let errors = load.end().await;
    assert!(errors.is_empty(), "{} errors, {:?}", errors.len(), errors.first());
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_pin_is_tried_once_over_restarts() {
    let bench = Bench::with_token().await;
    bench.write("pin", "111111");
    let report = probe(&bench.options()).await;
    assert!(!report.logged_in);
    assert!(report.facts.as_ref().is_some_and(|facts| !facts.pin_count_low), "seen before the log-in");
    let memory = fs::read_to_string(bench.path("refused-pin")).unwrap();
    assert!(memory.contains("$argon2id$") && !memory.contains("111111"));

    for _ in 0..2 {
        let provider = Pkcs11Provider::start(bench.options());
        until("the remembered PIN stops it", || provider.health().detail.contains("not tried again")).await;
        let (_, key) = new_key(KeyAlgorithm::P256);
        assert!(matches!(provider.generate(key).await, Err(ProviderError::Unavailable(_))));
        assert!(!provider.health().ready);
        provider.stop().await;
    }
    // Another PIN is another matter, and a right one clears the memory.
    bench.write("pin", "987654");
    let provider = started(bench.options()).await;
    assert!(!bench.path("refused-pin").exists());
    provider.stop().await;
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
    assert_eq!(report.findings[0].matches("label \"bench\"").count(), 2);

    let serial = report.findings[0].split("serial \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
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
async fn a_token_that_appears_is_found() {
    let bench = Bench::new();
    let provider = Pkcs11Provider::start(bench.options());
    until("it says that the token is absent", || provider.health().detail.contains("no initialised token")).await;
    let (_, key) = new_key(KeyAlgorithm::P256);
    assert!(matches!(provider.generate(key).await, Err(ProviderError::Unavailable(_))));
    bench.initialise("bench").await.unwrap();
    until("it is ready", || provider.health().ready && !provider.keeping_host_pids().is_empty()).await;
    generated(&provider, KeyAlgorithm::P256).await;
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_goes_and_comes_back_recovers_without_a_key_reported_missing() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let (key, new) = generated(&provider, KeyAlgorithm::P256).await;
    let es256 = SignatureAlgorithm::Ecdsa(Hash::Sha256);
    provider.sign(&key, es256, message("x")).await.unwrap();
    fs::rename(bench.path("tokens"), bench.path("away")).unwrap();
    fs::create_dir(bench.path("tokens")).unwrap();
    let signed = provider.sign(&key, es256, message("x")).await;
    assert!(matches!(signed, Err(ProviderError::Unavailable(_))), "{signed:?}");
    let listed = provider.inventory().await;
    assert!(matches!(listed, Err(ProviderError::Unavailable(_))), "{listed:?}");
    let destroyed = provider.destroy(&new.locator, &new.label).await;
    assert!(matches!(destroyed, Err(ProviderError::Unavailable(_))), "{destroyed:?}");
    fs::remove_dir(bench.path("tokens")).unwrap();
    fs::rename(bench.path("away"), bench.path("tokens")).unwrap();
    until("it is ready", || provider.health().ready && !provider.keeping_host_pids().is_empty()).await;
    let signature = provider.sign(&key, es256, message("x")).await.unwrap();
    verify(&key, &signature, b"x");
    assert_eq!(provider.inventory().await.unwrap().len(), 1);
    provider.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_host_may_do_everything() {
    let bench = Bench::with_token().await;
    let mut options = bench.options();
    options.hosts.shared_host = true;
    let provider = started(options).await;
    let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
    let load = Load::start(&provider, &key, 4);
    generated(&provider, KeyAlgorithm::Rsa2048).await;
    let pid = provider.host_pids()[0];
    kill(pid);
    until("the host is replaced", || provider.host_pids().first().is_some_and(|new| *new != pid)).await;
    load.another(50).await;
    let errors = load.end().await;
    assert!(errors.is_empty(), "{} errors, {:?}", errors.len(), errors.first());
    provider.stop().await;
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
async fn hosts_end_when_they_are_stopped_and_outlive_sigterm() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let pids = provider.host_pids();
    for pid in &pids {
        for signal in ["-TERM", "-INT"] {
            assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
        }
    }
    let (key, _) = generated(&provider, KeyAlgorithm::Ed25519).await;
    provider.sign(&key, SignatureAlgorithm::Ed25519, message("x")).await.unwrap();
    assert_eq!(provider.host_pids(), pids);
    provider.stop().await;
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
    let (key, _) = generated(&provider, KeyAlgorithm::Rsa4096).await;
    let calls = (0..40).map(|_| provider.sign(&key, SignatureAlgorithm::RsaPkcs1(Hash::Sha256), message("x")));
    let outcomes = futures_util::future::join_all(calls).await;
    let busy = outcomes.iter().filter(|outcome| matches!(outcome, Err(ProviderError::Busy))).count();
    assert_eq!((busy, outcomes.iter().filter(|outcome| outcome.is_ok()).count()), (38, 2));
    provider.stop().await;
}

#[cfg(feature = "test-hooks")]
mod hooked {
    use super::*;

    fn options(bench: &Bench, at: &str) -> Pkcs11Options {
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
        let pids = provider.host_pids();
        for _ in 0..3 {
            let signed = provider.sign(&key, SignatureAlgorithm::Ecdsa(Hash::Sha256), message("x")).await.unwrap();
            verify(&key, &signed, b"x");
        }
        until("the hung host is replaced", || provider.host_pids().len() == 2 && provider.host_pids() != pids).await;
        let gone = format!("/proc/{}", pids[0]);
        until("the hung host is gone", || !Path::new(&gone).exists()).await;
        provider.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_key_that_takes_down_two_hosts_is_refused_and_others_sign_on() {
        let bench = Bench::with_token().await;
        let provider = started(options(&bench, "host.sign=abort")).await;
        let (key, _) = generated(&provider, KeyAlgorithm::P256).await;
        let es256 = SignatureAlgorithm::Ecdsa(Hash::Sha256);
        let crashed = provider.sign(&key, es256, message("x")).await;
        assert!(matches!(crashed, Err(ProviderError::Unavailable(_))), "{crashed:?}");
        let refused = provider.sign(&key, es256, message("x")).await;
        assert!(matches!(refused, Err(ProviderError::Unsupported(_))), "{refused:?}");
        until("the host is back", || provider.host_pids().len() == 2).await;
        let pids = provider.host_pids();
        assert!(matches!(provider.sign(&key, es256, message("x")).await, Err(ProviderError::Unsupported(_))));
        assert_eq!(provider.host_pids(), pids, "no third host is lost to it");
        provider.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_host_that_dies_with_the_reply_leaves_a_key_to_reconcile() {
        let bench = Bench::with_token().await;
        let provider = started(options(&bench, "host.generate.after=abort")).await;
        let (_, key) = new_key(KeyAlgorithm::P256);
        let outcome = provider.generate(key.clone()).await;
        assert!(matches!(outcome, Err(ProviderError::Unknown(_))), "{outcome:?}");
        let held = provider.inventory().await.unwrap();
        assert_eq!(held.iter().map(|held| &held.label).collect::<Vec<_>>(), [&key.label]);
        assert_eq!(provider.destroy(&key.locator, &key.label).await.unwrap().objects, 2);
        provider.stop().await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_generation_that_fails_leaves_nothing() {
        let bench = Bench::with_token().await;
        let provider = started(options(&bench, "host.generate.after=fail")).await;
        let (_, key) = new_key(KeyAlgorithm::P256);
        let outcome = provider.generate(key.clone()).await;
        assert!(matches!(outcome, Err(ProviderError::Unavailable(_))), "{outcome:?}");
        assert_eq!(provider.inventory().await.unwrap(), []);
        provider.stop().await;
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
        assert!(matches!(outcome, Err(ProviderError::Unknown(_))), "{outcome:?}");
        generated(&provider, KeyAlgorithm::P256).await;
        let errors = load.end().await;
        assert!(errors.is_empty(), "{} errors, {:?}", errors.len(), errors.first());
        provider.stop().await;
    }
}
