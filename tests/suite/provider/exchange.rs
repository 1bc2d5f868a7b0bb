//! Keys that come from elsewhere: brought in, or found in the token.

use std::process::Command;
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use strongroom::provider::pkcs11::Pkcs11Provider;
use strongroom::provider::{ExistingKey, KeyProvider, KeyRef, KeySelector, NewKey, ProviderError, TokenProvider};
use strongroom_domain::key::{KeyAlgorithm, KeyFamily, KeyUse, Locator};
use strongroom_domain::secret::Secret;

use crate::harness::{Faults, built_beside_daemon};

use super::bench::{Bench, MODULE, generated, message, new_key, started, verify};

/// A private key as openssl makes it, in PKCS#8.
fn openssl_key<T: AsRef<std::ffi::OsStr>>(options: &[T]) -> Vec<u8> {
    let made = Command::new("openssl")
        .arg("genpkey")
        .args(options)
        .output()
        .expect("openssl is missing: apt-get install openssl");
    assert!(made.status.success(), "{made:?}");
    let pem = String::from_utf8(made.stdout).unwrap();
    assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----"));
    STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap()
}

fn openssl_options(algorithm: KeyAlgorithm) -> Vec<String> {
    let bits = algorithm.bits();
    let (family, parameter) = match algorithm.family() {
        KeyFamily::Rsa => ("RSA", Some(format!("rsa_keygen_bits:{bits}"))),
        KeyFamily::Ec => ("EC", Some(format!("ec_paramgen_curve:P-{bits}"))),
        KeyFamily::EdDsa => ("ED25519", None),
    };
    let parameter = parameter.into_iter().flat_map(|parameter| ["-pkeyopt".to_owned(), parameter]);
    ["-algorithm".to_owned(), family.to_owned()].into_iter().chain(parameter).collect()
}

/// What the token says to reading the private value of a key, and to wrapping it.
fn asked_for_its_secret(bench: &Bench, key: &Locator) -> String {
    let output = Command::new(built_beside_daemon("token-probe"))
        .args([MODULE, "bench", &key.to_string()])
        .envs(bench.environment())
        .env("TOKEN_PROBE_PIN", "987654")
        .output()
        .unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

async fn import_each(provider: &Pkcs11Provider) -> Vec<(KeyRef, NewKey)> {
    let mut imported = Vec::new();
    for algorithm in KeyAlgorithm::all() {
        let (id, new) = new_key(algorithm);
        let pkcs8 = Secret::new(openssl_key(&openssl_options(algorithm)));
        let made = provider.import(new.clone(), pkcs8).await.unwrap();
        assert_eq!(
            made.attestation,
            "imported: not local, sensitive, not always-sensitive, not extractable, not never-extractable, sign"
        );
        let key = KeyRef { id, locator: new.locator.clone(), algorithm, spki: made.spki, sealed: None };
        for way in algorithm.signature_algorithms() {
            verify(&key, &provider.sign(&key, way, message("x")).await.unwrap(), b"x");
        }
        imported.push((key, new));
    }
    imported
}

#[tokio::test(flavor = "multi_thread")]
async fn every_algorithm_is_imported_signs_and_does_not_leave_again() {
    // With AES key wrap the key is unwrapped; without, it is created in parts.
    for mechanisms in ["", "slots.mechanisms = -,CKM_AES_KEY_WRAP_PAD"] {
        let bench = Bench::with_token().await;
        let tokens = bench.path("tokens");
        let settings = format!("directories.tokendir = {}\nlog.level = ERROR\n{mechanisms}\n", tokens.display());
        bench.write("softhsm2.conf", &settings);
        let provider = started(bench.options()).await;
        let imported = import_each(&provider).await;
        let held = provider.inventory().await.unwrap();
        assert_eq!(held.len(), imported.len());
        assert!(held.iter().all(|held| held.has_private && held.has_public && !held.incomplete), "{held:?}");

        let text = bench.tool(&["--list-objects", "--type", "privkey"]).1;
        let access: Vec<&str> = text.lines().filter(|line| line.contains("Access:")).collect();
        assert_eq!(access.len(), imported.len(), "{text}");
        for line in access {
            assert!(line.contains("sensitive") && !line.contains("extractable") && !line.contains("local"), "{line}");
        }
        assert_eq!(text.matches("Usage:      sign\n").count(), imported.len(), "{text}");
        assert!(
            !bench.tool(&["--list-objects", "--type", "secrkey"]).1.contains("Secret Key"),
            "no wrapping key stays"
        );
        for (key, new) in imported {
            let said = asked_for_its_secret(&bench, &new.locator);
            assert!(said.contains("value: Sensitive") && !said.contains("gave"), "{said}");
            assert!(matches!(provider.export(&key).await, Err(ProviderError::Unsupported(_))));
            assert_eq!(provider.destroy(&new.locator, &new.label).await.unwrap().objects, 2);
        }
        provider.client().stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_what_it_should_be_is_refused_and_leaves_nothing() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let rsa = openssl_key(&openssl_options(KeyAlgorithm::RSA_2048));
    let odd = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-pkeyopt", "rsa_keygen_pubexp:3"];
    // The private half of one key with the public half of another.
    let pair = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let (one, other) = (pair(), pair());
    let mut mixed = one.to_pkcs8v1().unwrap().as_ref().to_vec();
    let point = other.public_key().as_ref();
    let start = mixed.len() - point.len();
    assert_eq!(&mixed[start..], one.public_key().as_ref());
    mixed[start..].copy_from_slice(point);
    let cases = [
        ("another family", KeyAlgorithm::P256, rsa.clone()),
        ("another size", KeyAlgorithm::RSA_3072, rsa.clone()),
        ("another curve", KeyAlgorithm::P384, one.to_pkcs8v1().unwrap().as_ref().to_vec()),
        ("halves of two keys", KeyAlgorithm::P256, mixed),
        ("an unusual exponent", KeyAlgorithm::RSA_2048, openssl_key(&odd)),
        ("cut short", KeyAlgorithm::RSA_2048, rsa[..rsa.len() - 1].to_vec()),
        ("no key", KeyAlgorithm::ED25519, b"no key".to_vec()),
        ("nothing", KeyAlgorithm::ED25519, Vec::new()),
    ];
    for (what, algorithm, pkcs8) in cases {
        let (_, new) = new_key(algorithm);
        let outcome = provider.import(new, Secret::new(pkcs8)).await;
        assert!(matches!(outcome, Err(ProviderError::Refused(_))), "{what}: {outcome:?}");
    }
    assert_eq!(provider.inventory().await.unwrap(), []);
    provider.client().stop().await;
}

/// The bench's token behind the fault module.
async fn faulty(bench: &Bench) -> (Faults, Arc<Pkcs11Provider>) {
    let faults = Faults::new(bench.dir.path());
    let mut options = bench.options();
    options.token.module = Faults::module();
    options.token.environment.extend(faults.environment());
    let provider = started(options).await;
    (faults, provider)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_unwrapped_where_the_token_can_and_created_in_parts_where_it_cannot() {
    let bench = Bench::with_token().await;
    let (faults, provider) = faulty(&bench).await;
    // Each host asks by one what the token decrypts.
    let asked = faults.calls("C_CreateObject");
    let imported = import_each(&provider).await;
    let keys = imported.len();
    assert_eq!(faults.calls("C_UnwrapKey"), keys);
    // A wrapping key and a public half each; SoftHSM does not unwrap Ed25519 (2.6.1).
    assert_eq!(faults.calls("C_CreateObject") - asked, 2 * keys + 1);

    let before = provider.inventory().await.unwrap();
    faults.set("C_UnwrapKey rv=70");
    let (_, new) = new_key(KeyAlgorithm::P256);
    let pkcs8 = Secret::new(openssl_key(&openssl_options(KeyAlgorithm::P256)));
    provider.import(new.clone(), pkcs8).await.unwrap();
    assert_eq!(provider.inventory().await.unwrap().len(), before.len() + 1);
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_fails_anywhere_leaves_nothing() {
    let bench = Bench::with_token().await;
    let (faults, provider) = faulty(&bench).await;
    let pkcs8 = || Secret::new(openssl_key(&openssl_options(KeyAlgorithm::P384)));
    faults.set("C_Sign corrupt");
    let outcome = provider.import(new_key(KeyAlgorithm::P384).1, pkcs8()).await;
    assert!(matches!(outcome, Err(ProviderError::Refused(_))), "{outcome:?}");
    faults.clear();
    assert_eq!(provider.inventory().await.unwrap(), []);
    for rules in ["C_CreateObject skip=1 n=1 rv=30", "C_UnwrapKey n=1 after=30\nC_CreateObject skip=1 n=1 rv=30"] {
        faults.set(rules);
        let outcome = provider.import(new_key(KeyAlgorithm::P384).1, pkcs8()).await;
        assert!(matches!(outcome, Err(ProviderError::Unavailable(_))), "{rules}: {outcome:?}");
        faults.clear();
        assert_eq!(provider.inventory().await.unwrap(), [], "{rules}");
    }
    provider.client().stop().await;
}

async fn stopped_at(bench: &Bench, at: &str) -> Arc<Pkcs11Provider> {
    let mut options = bench.options();
    options.token.environment.insert("STRONGROOM_TEST_AT".to_owned(), at.to_owned());
    started(options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_dies_over_an_import_leaves_a_key_to_reconcile() {
    let bench = Bench::with_token().await;
    let provider = stopped_at(&bench, "host.import.after=abort").await;
    let (_, new) = new_key(KeyAlgorithm::P256);
    let pkcs8 = || Secret::new(openssl_key(&openssl_options(KeyAlgorithm::P256)));
    let outcome = provider.import(new.clone(), pkcs8()).await;
    assert!(matches!(outcome, Err(ProviderError::OutcomeUnknown(_))), "{outcome:?}");
    let held = provider.inventory().await.unwrap();
    assert_eq!(held.iter().map(|held| &held.label).collect::<Vec<_>>(), [&new.label], "sent once");
    assert_eq!(provider.destroy(&new.locator, &new.label).await.unwrap().objects, 2);
    provider.client().stop().await;

    let provider = stopped_at(&bench, "host.import.after=fail").await;
    let outcome = provider.import(new_key(KeyAlgorithm::P256).1, pkcs8()).await;
    assert!(matches!(outcome, Err(ProviderError::Unavailable(_))), "{outcome:?}");
    assert_eq!(provider.inventory().await.unwrap(), []);
    provider.client().stop().await;
}

fn by_id(id: &str) -> KeySelector {
    let bytes: Vec<u8> = id
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    KeySelector { locator: Some(Locator::from_bytes(&bytes).unwrap()), ..KeySelector::default() }
}

fn by_label(label: &str) -> KeySelector {
    KeySelector { label: Some(label.to_owned()), ..KeySelector::default() }
}

fn made(bench: &Bench, arguments: &[&str]) {
    let (done, said) = bench.tool(arguments);
    assert!(done, "{said}");
}

async fn refusal(provider: &Pkcs11Provider, wanted: &KeySelector) -> String {
    match provider.find(wanted).await {
        Err(ProviderError::Refused(detail)) => detail,
        other => panic!("{wanted:?}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_algorithm_are_found_by_id_and_by_label() {
    let bench = Bench::with_token().await;
    let kinds = [
        ("01", "EC:prime256v1", KeyAlgorithm::P256),
        ("02", "EC:secp384r1", KeyAlgorithm::P384),
        ("03", "EC:secp521r1", KeyAlgorithm::P521),
        ("04", "EC:edwards25519", KeyAlgorithm::ED25519),
        ("05", "rsa:2048", KeyAlgorithm::RSA_2048),
    ];
    for (id, kind, _) in kinds {
        let label = format!("theirs {id}");
        made(&bench, &["--keypairgen", "--key-type", kind, "--id", id, "--label", &label, "--usage-sign"]);
    }
    let provider = started(bench.options()).await;
    for (id, _, algorithm) in kinds {
        let found: ExistingKey = provider.find(&by_id(id)).await.unwrap();
        assert_eq!(provider.find(&by_label(&format!("theirs {id}"))).await.unwrap(), found);
        assert_eq!((found.locator.to_string().as_str(), found.algorithm), (id, algorithm));
        let words = "found: local, sensitive, always-sensitive, not extractable, never-extractable, sign";
        assert!(found.attestation.starts_with(words), "{}", found.attestation);
        let (id, _) = new_key(algorithm);
        let key = KeyRef { id, locator: found.locator, algorithm, spki: found.spki, sealed: None };
        let way = algorithm.default_signature_algorithm();
        verify(&key, &provider.sign(&key, way, message("x")).await.unwrap(), b"x");
    }
    let both = KeySelector { label: Some("theirs 01".to_owned()), ..by_id("02") };
    assert!(matches!(provider.find(&both).await, Err(ProviderError::KeyMissing)), "each part must match");
    assert!(matches!(provider.find(&by_id("77")).await, Err(ProviderError::KeyMissing)));
    let facts = provider.client().token_facts().unwrap();
    let here = KeySelector { token: Some(facts.label.clone()), serial: Some(facts.serial.clone()), ..by_id("01") };
    provider.find(&here).await.unwrap();
    let token = KeySelector { token: Some("another".to_owned()), ..by_id("01") };
    assert!(refusal(&provider, &token).await.starts_with("the token here is"));
    let serial = KeySelector { serial: Some("0".to_owned()), ..here };
    assert!(refusal(&provider, &serial).await.starts_with("the serial here is"));
    assert!(refusal(&provider, &KeySelector::default()).await.contains("CKA_ID or its label"));
    // An RSA key shows its own public half; an EC key needs a public object.
    made(&bench, &["--delete-object", "--type", "pubkey", "--id", "05"]);
    provider.find(&by_id("05")).await.unwrap();
    made(&bench, &["--delete-object", "--type", "pubkey", "--id", "01"]);
    assert!(refusal(&provider, &by_id("01")).await.contains("no public half"));
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_used_are_refused_with_the_reason() {
    let bench = Bench::with_token().await;
    made(&bench, &["--keygen", "--key-type", "aes:32", "--id", "10", "--label", "a secret"]);
    for _ in 0..2 {
        made(&bench, &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "20", "--label", "twin"]);
    }
    made(&bench, &["--keypairgen", "--key-type", "EC:prime256v1", "--id", "21", "--label", "twin"]);
    made(&bench, &["--keypairgen", "--key-type", "rsa:1024", "--id", "30", "--label", "short"]);
    made(&bench, &["--keypairgen", "--key-type", "EC:secp256k1", "--id", "31", "--label", "foreign curve"]);
    let provider = started(bench.options()).await;
    let (ours, new) = generated(&provider, KeyAlgorithm::P256).await;
    assert!(refusal(&provider, &by_id("10")).await.contains("is a secret key"));
    assert!(refusal(&provider, &by_label("a secret")).await.contains("is a secret key"));
    assert!(refusal(&provider, &by_id("20")).await.starts_with("2 private keys match"));
    assert!(refusal(&provider, &by_label("twin")).await.starts_with("3 private keys match"));
    provider.find(&by_id("21")).await.unwrap();
    for id in ["30", "31"] {
        assert!(refusal(&provider, &by_id(id)).await.contains("accepted are RSA with 2048"));
    }
    let decrypting =
        NewKey { label: "decrypts".to_owned(), key_use: KeyUse::Decrypt, ..new_key(KeyAlgorithm::RSA_2048).1 };
    provider.generate(decrypting).await.unwrap();
    assert!(refusal(&provider, &by_label("decrypts")).await.contains("may not sign"));
    assert!(refusal(&provider, &by_label(&new.label)).await.contains("one of Strongroom's own"));
    let own = KeySelector { locator: Some(ours.locator), ..KeySelector::default() };
    assert!(refusal(&provider, &own).await.contains("one of Strongroom's own"));
    provider.client().stop().await;
}
