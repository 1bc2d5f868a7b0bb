#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod decryption;

use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;

use super::*;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{KeyId, KeyUse};
use strongroom_formats::x509;

struct Bench {
    _place: TempDir,
    file: std::path::PathBuf,
    store: StoreId,
    provider: Arc<LocalProvider>,
    masters: Vec<(i64, Vec<u8>)>,
}

impl Bench {
    async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("key");
        key_file::create(&file).unwrap();
        let store = StoreId::new().unwrap();
        let provider = LocalProvider::new(store, MasterSealer::KeyFile(file.clone()));
        let masters = vec![(1, provider.new_master(1).await.unwrap())];
        provider.unlock(&masters).await.unwrap();
        Self { _place: place, file, store, provider, masters }
    }

    /// The provider of another process.
    fn another(&self, store: StoreId) -> Arc<LocalProvider> {
        LocalProvider::new(store, MasterSealer::KeyFile(self.file.clone()))
    }
}

fn new_key(algorithm: KeyAlgorithm) -> NewKey {
    NewKey {
        id: KeyId::new(Timestamp::from_micros(0)).unwrap(),
        locator: Locator::new().unwrap(),
        label: "unused".to_owned(),
        algorithm,
        key_use: KeyUse::Sign,
        deadline: std::time::Instant::now(),
    }
}

async fn made(provider: &LocalProvider, algorithm: KeyAlgorithm) -> KeyRef {
    let new = new_key(algorithm);
    let GeneratedKey { spki, sealed, .. } = provider.generate(new.clone()).await.unwrap();
    KeyRef { id: new.id, locator: new.locator, algorithm, spki, sealed }
}

async fn signs(provider: &LocalProvider, key: &KeyRef) -> Result<Signature, ProviderError> {
    provider.sign(key, key.algorithm.default_signature_algorithm(), SignInput::Message(b"m".to_vec())).await
}

fn is_refused<T>(outcome: &Result<T, ProviderError>) -> bool {
    matches!(outcome, Err(ProviderError::Refused(_)))
}

fn is_damaged<T>(outcome: &Result<T, ProviderError>) -> bool {
    matches!(outcome, Err(ProviderError::Damaged(_)))
}

#[tokio::test]
async fn every_algorithm_signs_messages_and_digests_that_verify() {
    let Bench { provider, .. } = &Bench::new().await;
    for (algorithm, signatures) in provider.capabilities().unwrap().algorithms {
        let key = made(provider, algorithm).await;
        for how in signatures {
            let message = b"a message".to_vec();
            let mut inputs = vec![SignInput::Message(message.clone())];
            inputs.extend(how.hash().map(|hash| SignInput::Digest(hash.digest(&message))));
            for input in inputs {
                let signature = provider.sign(&key, how, input).await.unwrap();
                x509::verify(&key.spki, &message, &signature).unwrap_or_else(|_| panic!("{algorithm} {how}"));
            }
        }
    }
}

#[tokio::test]
async fn inputs_that_do_not_fit_are_unsupported() {
    let Bench { provider, .. } = &Bench::new().await;
    let key = made(provider, KeyAlgorithm::P256).await;
    let edwards = made(provider, KeyAlgorithm::ED25519).await;
    let digest = || SignInput::Digest(vec![0; 32]);
    for (key, how, input) in [
        (&key, SignatureAlgorithm::ECDSA_SHA512, digest()),
        (&key, SignatureAlgorithm::ED25519, SignInput::Message(Vec::new())),
        (&edwards, SignatureAlgorithm::ED25519, digest()),
    ] {
        let outcome = provider.sign(key, how, input).await;
        assert!(matches!(outcome, Err(ProviderError::Unsupported(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn exported_key_comes_in_again_as_the_same_key() {
    let Bench { provider, .. } = &Bench::new().await;
    for algorithm in KeyAlgorithm::all() {
        let key = made(provider, algorithm).await;
        let pkcs8 = provider.export(&key).await.unwrap();
        let sealed = key.sealed.as_ref().unwrap();
        let inside = sealed.as_bytes().windows(16).any(|window| pkcs8.expose().windows(16).any(|part| part == window));
        assert!(!inside, "the sealed key shows its contents");
        let back = provider.import(new_key(algorithm), pkcs8).await.unwrap();
        assert_eq!(back.spki, key.spki);
        assert_ne!(back.sealed, key.sealed);
    }
}

#[tokio::test]
async fn import_refuses_what_is_no_key_of_the_algorithm() {
    let Bench { provider, .. } = &Bench::new().await;
    let curve = provider.export(&made(provider, KeyAlgorithm::P256).await).await.unwrap();
    let rsa = provider.export(&made(provider, KeyAlgorithm::RSA_2048).await).await.unwrap();
    let copy = |secret: &Secret| Secret::new(secret.expose().to_vec());
    for (algorithm, pkcs8) in [
        (KeyAlgorithm::P384, copy(&curve)),
        (KeyAlgorithm::RSA_2048, copy(&curve)),
        (KeyAlgorithm::ED25519, copy(&curve)),
        (KeyAlgorithm::RSA_3072, copy(&rsa)),
        (KeyAlgorithm::P256, Secret::new(b"nonsense".to_vec())),
        (KeyAlgorithm::RSA_2048, Secret::new(rsa.expose()[..600].to_vec())),
    ] {
        assert!(is_refused(&provider.import(new_key(algorithm), pkcs8).await), "{algorithm}");
    }
}

#[tokio::test]
async fn no_byte_of_a_sealed_key_can_be_altered() {
    let Bench { provider, .. } = &Bench::new().await;
    let key = made(provider, KeyAlgorithm::ED25519).await;
    let blob = key.sealed.clone().unwrap().as_bytes().to_vec();
    // The version's bytes ask for a master key that no store has: see the next test.
    for at in (0..blob.len()).filter(|at| !(1..9).contains(at)) {
        let mut altered = blob.clone();
        altered[at] ^= 1;
        let key = KeyRef { sealed: Some(SealedKey::from_bytes(altered)), ..key.clone() };
        assert!(is_damaged(&signs(provider, &key).await), "byte {at}");
        assert!(is_damaged(&provider.export(&key).await), "byte {at}");
    }
    for length in [0, 1, 9, 20, 21, blob.len() - 1] {
        let key = KeyRef { sealed: Some(SealedKey::from_bytes(blob[..length].to_vec())), ..key.clone() };
        assert!(is_damaged(&signs(provider, &key).await), "{length} bytes");
    }
}

#[tokio::test]
async fn unknown_master_key_is_asked_for_and_then_missed() {
    let bench = Bench::new().await;
    let (provider, key) = (&bench.provider, made(&bench.provider, KeyAlgorithm::P256).await);
    let later = [bench.masters[0].clone(), (2, provider.new_master(2).await.unwrap())];
    let other = bench.another(bench.store);
    other.unlock(&later).await.unwrap();
    let resealed = KeyRef { sealed: other.reseal(&key).await.unwrap(), ..key.clone() };
    let answer = async || {
        provider.wait_for_master_request().await;
        provider.unlock(&later).await.unwrap();
    };
    let (signature, ()) = tokio::join!(signs(provider, &resealed), answer());
    signature.unwrap();

    let mut altered = key.sealed.clone().unwrap().as_bytes().to_vec();
    altered[8] = 9;
    let altered = KeyRef { sealed: Some(SealedKey::from_bytes(altered)), ..key };
    let (signature, ()) = tokio::join!(signs(provider, &altered), answer());
    assert!(is_damaged(&signature), "{signature:?}");
}

#[tokio::test]
async fn sealed_key_opens_for_its_own_row_and_store_only() {
    let bench = Bench::new().await;
    let (one, two) = (made(&bench.provider, KeyAlgorithm::P256).await, made(&bench.provider, KeyAlgorithm::P256).await);
    let other_algorithm = SignatureAlgorithm::ECDSA_SHA384;
    for (what, altered) in [
        ("sealed", KeyRef { sealed: two.sealed.clone(), ..one.clone() }),
        ("spki", KeyRef { spki: two.spki.clone(), ..one.clone() }),
        ("locator", KeyRef { locator: two.locator.clone(), ..one.clone() }),
        ("all but the id", KeyRef { id: one.id, ..two.clone() }),
        ("id", KeyRef { id: two.id, ..one.clone() }),
    ] {
        assert!(is_damaged(&signs(&bench.provider, &altered).await), "{what}");
    }
    let altered = KeyRef { algorithm: KeyAlgorithm::P384, ..one.clone() };
    let outcome = bench.provider.sign(&altered, other_algorithm, SignInput::Message(Vec::new())).await;
    assert!(is_damaged(&outcome), "algorithm");
    let without = KeyRef { sealed: None, ..one.clone() };
    assert!(is_damaged(&signs(&bench.provider, &without).await), "nothing sealed");

    let stranger = bench.another(StoreId::new().unwrap());
    assert!(is_refused(&stranger.unlock(&bench.masters).await), "a master key belongs to one store");
    let again = bench.another(bench.store);
    again.unlock(&bench.masters).await.unwrap();
    signs(&again, &one).await.unwrap();
}

#[tokio::test]
async fn locked_provider_says_so_and_does_nothing() {
    let bench = Bench::new().await;
    let key = made(&bench.provider, KeyAlgorithm::P256).await;
    let locked = bench.another(bench.store);
    assert!(!locked.health().ready);
    assert!(locked.capabilities().is_some());
    let outcome = locked.generate(new_key(KeyAlgorithm::P256)).await;
    assert!(matches!(outcome, Err(ProviderError::Unavailable(_))));
    std::fs::write(&bench.file, [b'A'; 44]).unwrap();
    assert!(locked.unlock(&bench.masters).await.is_err());
    assert!(!locked.health().ready);
    assert!(matches!(signs(&locked, &key).await, Err(ProviderError::Unavailable(_))));
}

#[tokio::test]
async fn master_key_that_the_store_lost_or_altered_seals_nothing_more() {
    let bench = Bench::new().await;
    let other = vec![(1, bench.provider.new_master(1).await.unwrap())];
    let key = made(&bench.provider, KeyAlgorithm::P256).await;
    for stored in [Vec::new(), other] {
        assert!(is_refused(&bench.provider.unlock(&stored).await));
        assert!(bench.provider.health().detail.contains("restore"), "{:?}", bench.provider.health());
        let outcome = bench.provider.generate(new_key(KeyAlgorithm::P256)).await;
        assert!(matches!(outcome, Err(ProviderError::Unavailable(_))));
        signs(&bench.provider, &key).await.unwrap();
    }
    bench.provider.unlock(&bench.masters).await.unwrap();
    made(&bench.provider, KeyAlgorithm::P256).await;
}

#[tokio::test]
async fn reseal_changes_the_seal_and_not_the_key() {
    let bench = Bench::new().await;
    let provider = &bench.provider;
    let key = made(provider, KeyAlgorithm::P256).await;
    assert_eq!(provider.reseal(&key).await.unwrap(), None);
    let second = provider.new_master(2).await.unwrap();
    provider.unlock(&[bench.masters[0].clone(), (2, second)]).await.unwrap();
    let resealed = provider.reseal(&key).await.unwrap().unwrap();
    assert_eq!(seal::version_of(&resealed), Ok(2));
    let later = KeyRef { sealed: Some(resealed), ..key.clone() };
    let signature = signs(provider, &later).await.unwrap();
    x509::verify(&key.spki, b"m", &signature).unwrap();
    signs(provider, &key).await.unwrap();
}

#[test]
fn key_file_is_private_and_holds_32_bytes_in_base64_or_hex() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("key");
    key_file::create(&file).unwrap();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(key_file::create(&file).is_err(), "a key is never overwritten");
    assert_eq!(key_file::read(&file).unwrap().expose().len(), 32);
    let with = |text: &str| {
        std::fs::write(&file, text).unwrap();
        key_file::read(&file)
    };
    assert_eq!(with(&"0F".repeat(32)).unwrap().expose(), [15; 32]);
    for wrong in ["", "short", &"0g".repeat(32), &"0".repeat(63), &"é".repeat(32), "AAAA"] {
        assert!(with(wrong).is_err(), "{wrong}");
    }
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(with(&"0F".repeat(32)).unwrap_err().contains("chmod 600"));
}
