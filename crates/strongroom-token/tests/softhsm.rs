//! The crate without a daemon: a client, the host binary of this package, a SoftHSM token.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use strongroom_domain::key::{KeyAlgorithm, KeyUse, Locator, SignatureAlgorithm};
use strongroom_domain::secret::Secret;
use strongroom_token::{
    HostCommand, HostOptions, Initialised, KeyTemplate, PinSource, Profile, SignInput, TokenAccess, TokenClient,
    TokenError, TokenKey, TokenOptions, TokenSelector, initialise_token, probe,
};
use tempfile::TempDir;

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const LABEL: &str = "sr:of a test";
const SEALING_LABEL: &str = "sr-seal:of a test";

/// A SoftHSM token of one test.
struct Bench(TempDir);

impl Bench {
    async fn new() -> Self {
        assert!(Path::new(MODULE).exists(), "SoftHSM is missing: apt-get install softhsm2");
        let bench = Self(TempDir::new().unwrap());
        fs::create_dir(bench.path("tokens")).unwrap();
        fs::write(bench.path("so-pin"), "12345678").unwrap();
        fs::write(bench.path("pin"), "987654\n").unwrap();
        let settings = format!("directories.tokendir = {}\nlog.level = ERROR\n", bench.path("tokens").display());
        fs::write(bench.path("softhsm2.conf"), settings).unwrap();
        let (module, environment) = (Path::new(MODULE), bench.environment());
        let (so_pin, pin) = (bench.path("so-pin"), bench.path("pin"));
        let made = initialise_token(&command(), module, &environment, "bench", &so_pin, &pin).await;
        assert!(matches!(made.unwrap(), Initialised::Now(_)));
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn environment(&self) -> BTreeMap<String, String> {
        BTreeMap::from([("SOFTHSM2_CONF".to_owned(), self.path("softhsm2.conf").to_str().unwrap().to_owned())])
    }

    fn options(&self) -> TokenOptions {
        TokenOptions {
            command: command(),
            token: TokenAccess {
                module: MODULE.into(),
                selector: TokenSelector::Label("bench".to_owned()),
                pin: PinSource::File(self.path("pin")),
                profile: Profile::Softhsm,
                environment: self.environment(),
            },
            hosts: HostOptions::default(),
            state_dir: self.0.path().to_owned(),
            pins: None,
        }
    }

    async fn client(&self) -> TokenClient {
        let client = TokenClient::start(self.options());
        until("both hosts are ready", || client.host_pids().len() == 2).await;
        client
    }
}

fn command() -> HostCommand {
    HostCommand::new(env!("CARGO_BIN_EXE_token-host"))
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < Duration::from_secs(40), "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn generated(client: &TokenClient) -> TokenKey {
    let (locator, algorithm) = (Locator::new().unwrap(), KeyAlgorithm::P256);
    let template = KeyTemplate { locator: locator.clone(), label: LABEL.to_owned(), algorithm, key_use: KeyUse::Sign };
    let made = client.generate(template, Instant::now() + Duration::from_secs(60)).await.unwrap();
    assert_eq!(made.attestation, "local, always-sensitive, never-extractable, sign");
    TokenKey { locator, algorithm, spki: made.spki }
}

async fn signs(client: &TokenClient, key: &TokenKey) {
    let algorithm = SignatureAlgorithm::ECDSA_SHA256;
    let signature = client.sign(key, algorithm, SignInput::Message(b"message".to_vec())).await.unwrap();
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.spki.as_bytes());
    public.verify(b"message", signature.raw()).unwrap();
    public.verify(b"another", signature.raw()).unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_made_signs_is_listed_and_destroyed() {
    let bench = Bench::new().await;
    let client = bench.client().await;
    let key = generated(&client).await;
    signs(&client, &key).await;
    let held = client.inventory().await.unwrap();
    assert_eq!(held.iter().map(|held| held.locator.as_ref()).collect::<Vec<_>>(), [Some(&key.locator)]);
    assert_eq!(client.destroy(&key.locator, LABEL).await.unwrap().objects, 2);
    assert_eq!(client.inventory().await.unwrap(), []);
    let gone = client.prove(&key, LABEL, false).await;
    assert!(matches!(gone, Err(TokenError::KeyMissing | TokenError::Refused(_))), "{gone:?}");
    client.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_sealed_by_a_key_of_the_token() {
    let bench = Bench::new().await;
    let client = bench.client().await;
    let sealed = client.seal(SEALING_LABEL, b"context", Secret::new(vec![7; 32])).await.unwrap();
    let opened = client.unseal(SEALING_LABEL, b"context", &sealed).await.unwrap();
    assert_eq!(opened.expose(), [7; 32]);
    let elsewhere = client.unseal(SEALING_LABEL, b"another", &sealed).await;
    assert!(matches!(elsewhere, Err(TokenError::Refused(_))), "{elsewhere:?}");
    client.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_killed_is_replaced_and_leaves_no_zombie() {
    let bench = Bench::new().await;
    let client = bench.client().await;
    let key = generated(&client).await;
    signs(&client, &key).await;
    let pids = client.host_pids();
    for pid in &pids {
        assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    }
    let replaced = || client.host_pids().len() == 2 && client.host_pids().iter().all(|pid| !pids.contains(pid));
    until("both hosts are replaced", replaced).await;
    signs(&client, &key).await;
    let there = |pid: &u32| Path::new(&format!("/proc/{pid}")).exists();
    until("the killed hosts are reaped", || !pids.iter().any(there)).await;
    let last = client.host_pids();
    client.stop().await;
    assert!(client.host_pids().is_empty() && !last.iter().any(there), "{last:?} after the stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_no_host_and_a_token_that_is_not_there_are_told() {
    let bench = Bench::new().await;
    let mut options = bench.options();
    options.command = HostCommand::new("/nonexistent/host");
    let report = probe(&options).await;
    assert!(!report.logged_in && report.findings[0].contains("/nonexistent/host"), "{:?}", report.findings);
    let mut options = bench.options();
    options.token.selector = TokenSelector::from_uri("pkcs11:token=another").unwrap();
    let report = probe(&options).await;
    assert!(report.facts.is_none() && report.findings[0].contains("no such token"), "{:?}", report.findings);
    assert!(probe(&bench.options()).await.logged_in);
}
