//! Master keys over a real provider of software keys, sealed by key files.

use std::path::{Path, PathBuf};

use super::*;
use crate::provider::local::{LocalProvider, MasterSealer, key_file};
use crate::services::custody::{MasterKeys, unreachable_keys};
use strongroom_domain::audit::Action;

struct Safe {
    directory: tempfile::TempDir,
    store: Arc<Store>,
    clock: Arc<Hand>,
}

impl Safe {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store.db")).await.unwrap();
        Self { directory, store, clock: Arc::new(Hand(AtomicI64::new(START))) }
    }

    fn key_file(&self, name: &str) -> PathBuf {
        let file = self.directory.path().join(name);
        key_file::create(&file).unwrap();
        file
    }

    /// A process whose master keys are sealed by a key file.
    fn process(&self, file: &Path) -> (MasterKeys, Arc<Keyring>) {
        let local = LocalProvider::new(self.store.id(), MasterSealer::KeyFile(file.to_owned()));
        let masters =
            MasterKeys::new(Arc::clone(&self.store) as Arc<_>, Arc::clone(&local), Arc::clone(&self.clock) as Arc<_>);
        let owner = LeaseOwner { instance: "test".to_owned(), life: "first".to_owned() };
        let providers = Providers::new(None, Some(local as Arc<_>));
        let lease = Duration::from_secs(600);
        let keyring =
            Keyring::new(Arc::clone(&self.store) as Arc<_>, providers, Arc::clone(&self.clock) as Arc<_>, owner, lease);
        (masters, Arc::new(keyring))
    }
}

fn local(name: &str) -> NewKeyPair {
    NewKeyPair { provider: ProviderKind::Local, ..wanted(name) }
}

#[tokio::test]
async fn renewal_goes_on_without_master_keys_that_seal_nothing() {
    let safe = Safe::new().await;
    let (lost, present) = (safe.key_file("lost"), safe.key_file("present"));
    safe.process(&lost).0.unlock().await.unwrap();

    let (masters, keyring) = safe.process(&present);
    assert_eq!(masters.unlock().await.unwrap_err().kind(), ErrorKind::ProviderUnavailable);
    let renewed = masters.renew().await.unwrap();
    assert_eq!(renewed.version, 2);
    let [idle] = renewed.unused.as_slice() else { panic!("{renewed:?}") };
    assert!(idle.contains("master key 1") && idle.contains("no key is sealed under it"), "{idle}");
    keyring.generate(&admin(), local("a")).await.unwrap();
    assert_eq!(masters.inspect().await.unwrap().open, 1);
}

#[tokio::test]
async fn renewal_stops_at_a_master_key_that_seals_something() {
    let safe = Safe::new().await;
    let (lost, present) = (safe.key_file("lost"), safe.key_file("present"));
    let (masters, keyring) = safe.process(&lost);
    masters.unlock().await.unwrap();
    let pair = keyring.generate(&admin(), local("a")).await.unwrap().pair;

    let (masters, _) = safe.process(&present);
    assert_eq!(masters.renew().await.unwrap_err().kind(), ErrorKind::ProviderUnavailable);
    assert_eq!(safe.store.master_keys().await.unwrap().len(), 1);
    let seen = masters.inspect().await.unwrap();
    let [master, key] = seen.findings.as_slice() else { panic!("{seen:?}") };
    assert!(master.contains("master key 1") && master.ends_with("lost unless it opens again: 1"), "{master}");
    assert!(key.contains(&pair.id.to_string()) && key.contains("signing:a"), "{key}");
    assert_eq!((seen.masters, seen.open), (1, 0));
}

#[tokio::test]
async fn inspection_makes_no_master_key_and_does_not_wait_for_one_that_is_gone() {
    let safe = Safe::new().await;
    let file = safe.key_file("key");
    let (masters, _) = safe.process(&file);
    assert_eq!(masters.inspect().await.unwrap(), crate::services::custody::LocalKeyInspection::default());
    assert_eq!(safe.store.master_keys().await.unwrap(), []);
    assert_eq!(safe.store.audit(0, 9).await.unwrap(), []);

    let (masters, keyring) = safe.process(&file);
    masters.unlock().await.unwrap();
    for name in ["a", "b"] {
        keyring.generate(&admin(), local(name)).await.unwrap();
    }
    let options = SqliteConnectOptions::new().filename(safe.directory.path().join("store.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("DROP TRIGGER master_keys_stay; DELETE FROM master_keys").execute(&mut connection).await.unwrap();
    let started = std::time::Instant::now();
    let seen = safe.process(&file).0.inspect().await.unwrap();
    assert_eq!(seen.findings.len(), 2, "{seen:?}");
    assert!(seen.findings.iter().all(|finding| finding.contains("which the store does not have")), "{seen:?}");
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn sealed_key_from_before_a_renewal_is_refused_once_it_is_put_back() {
    let safe = Safe::new().await;
    let file = safe.key_file("key");
    let (masters, keyring) = safe.process(&file);
    masters.unlock().await.unwrap();
    let pair = keyring.generate(&admin(), local("a")).await.unwrap().pair;
    let before = pair.sealed.clone().unwrap();
    masters.renew().await.unwrap();
    assert!(!masters.retire_below(2).await.unwrap(), "not all is sealed anew");
    assert_eq!(masters.reseal().await.unwrap().keys, 1);
    // Here a crash would leave the former master key in use, until the next renewal.
    assert_eq!(safe.process(&file).0.inspect().await.unwrap().open, 1);
    assert!(masters.retire_below(2).await.unwrap());
    assert_eq!(masters.inspect().await.unwrap().open, 1);

    let options = SqliteConnectOptions::new().filename(safe.directory.path().join("store.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let put_back = "UPDATE key_pairs SET sealed = $1";
    sqlx::query(put_back).bind(before.as_bytes()).execute(&mut connection).await.unwrap();
    for (masters, keyring) in [(masters, keyring), safe.process(&file)] {
        masters.unlock().await.unwrap();
        let refused = keyring.export(&admin(), &"signing:a".parse().unwrap()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Damaged);
        let seen = masters.inspect().await.unwrap();
        let [finding] = seen.findings.as_slice() else { panic!("{seen:?}") };
        assert!(finding.contains(&pair.id.to_string()) && finding.contains("an older copy, put back"), "{finding}");
        assert_eq!(masters.reseal().await.unwrap().broken, [pair.id]);
    }
    let trail = safe.store.audit(0, 99).await.unwrap();
    let broken = trail.iter().filter(|(_, event)| event.action == Action::SealBroken).count();
    assert_eq!(broken, 4, "{trail:?}");
}

#[tokio::test]
async fn process_that_has_not_heard_of_a_renewal_makes_no_key_under_a_retired_master() {
    let safe = Safe::new().await;
    let file = safe.key_file("key");
    let (late, keyring) = safe.process(&file);
    late.unlock().await.unwrap();
    let (masters, _) = safe.process(&file);
    masters.renew().await.unwrap();
    assert!(masters.retire_below(2).await.unwrap());
    let refused = keyring.generate(&admin(), local("a")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ProviderUnavailable);
    late.unlock().await.unwrap();
    keyring.generate(&admin(), local("a")).await.unwrap();
}

#[tokio::test]
async fn key_that_has_lost_its_sealed_half_is_found() {
    let safe = Safe::new().await;
    let (masters, keyring) = safe.process(&safe.key_file("key"));
    masters.unlock().await.unwrap();
    let lost = keyring.generate(&admin(), local("a")).await.unwrap().pair;
    keyring.generate(&admin(), local("b")).await.unwrap();
    let options = SqliteConnectOptions::new().filename(safe.directory.path().join("store.db"));
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let blank = "UPDATE key_pairs SET sealed = NULL WHERE ring = 'signing:a'";
    sqlx::query(blank).execute(&mut connection).await.unwrap();
    let seen = masters.inspect().await.unwrap();
    let [finding] = seen.findings.as_slice() else { panic!("{seen:?}") };
    assert!(finding.contains(&lost.id.to_string()) && finding.contains("gone from the store"), "{finding}");
    assert_eq!(seen.open, 1);
    assert_eq!(masters.reseal().await.unwrap().broken, [lost.id]);
}

#[tokio::test]
async fn keys_of_a_provider_that_is_not_configured_are_told_with_their_number() {
    let bench = Bench::new().await;
    for name in ["a", "b"] {
        bench.keyring.generate(&admin(), wanted(name)).await.unwrap();
    }
    let said = async |providers: &[ProviderKind]| unreachable_keys(bench.store.as_ref(), providers).await.unwrap();
    assert!(said(&[ProviderKind::Hsm]).await.is_empty());
    let [sentence] = said(&[ProviderKind::Local]).await.try_into().unwrap();
    assert!(sentence.contains("provider HSM in the store: 2") && sentence.contains("[token]"), "{sentence}");
}
