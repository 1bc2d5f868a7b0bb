#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod changes;
mod deletion;
mod exchange;
mod master_keys;
mod stock;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::readiness::PING_VALID_FOR;
use super::{Finding, Readiness, ReconcileMode, Reconciler};
use crate::auth::{Caller, IdempotencyKey, Scope};
use crate::provider::double::{Fault, ProviderDouble, unavailable};
use crate::provider::{KeyProvider as _, NewKey, ProviderError, Providers};
use crate::services::lifecycle::{CertificateSpec, Keyring, NewKeyPair};
use crate::store::{LeaseOwner, Store};
use strongroom_domain::clock::{Clock, Timestamp};
use strongroom_domain::error::ErrorKind;
use strongroom_domain::key::{KeyAlgorithm, KeyState, KeyUse, ProviderKind, RingId, RingKind, SignatureAlgorithm};
use strongroom_formats::x509::{CertificateNames, CertificateProfile, Subject};

const START: i64 = 1_800_000_000_000_000;

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

struct Bench {
    directory: tempfile::TempDir,
    store: Arc<Store>,
    double: Arc<ProviderDouble>,
    clock: Arc<Hand>,
    keyring: Arc<Keyring>,
}

impl Bench {
    async fn new() -> Self {
        Self::over(ProviderDouble::default()).await
    }

    async fn over(double: ProviderDouble) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store.db")).await.unwrap();
        let double = Arc::new(double);
        let clock = Arc::new(Hand(AtomicI64::new(START)));
        let keyring = keyring(&store, &double, &clock, "first");
        Self { directory, store, double, clock, keyring }
    }

    /// The same daemon after a crash.
    fn restarted(&self) -> Arc<Keyring> {
        keyring(&self.store, &self.double, &self.clock, "second")
    }

    /// How often the store was written to by a ping.
    async fn pings(&self) -> i64 {
        let options = SqliteConnectOptions::new().filename(self.directory.path().join("store.db")).read_only(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query_scalar("SELECT pings FROM store_meta").fetch_one(&mut connection).await.unwrap()
    }

    fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }
}

fn keyring(store: &Arc<Store>, double: &Arc<ProviderDouble>, clock: &Arc<Hand>, life: &str) -> Arc<Keyring> {
    let owner = LeaseOwner { instance: "test".to_owned(), life: life.to_owned() };
    let providers = double.providers();
    Arc::new(Keyring::new(
        Arc::clone(store) as Arc<_>,
        providers,
        Arc::clone(clock) as Arc<_>,
        owner,
        Duration::from_secs(600),
    ))
}

fn reconciler(keyring: &Arc<Keyring>) -> Reconciler {
    Reconciler::new(Arc::clone(keyring))
}

/// The administrator with an `Idempotency-Key`, for a body of so many letters.
fn repeating(body: &str) -> Caller {
    let mut fingerprint = [0; 32];
    fingerprint[..body.len()].copy_from_slice(body.as_bytes());
    let (key, route) = ("k".to_owned(), "POST /x".to_owned());
    admin().with_idempotency(Some(IdempotencyKey { key, route, fingerprint }))
}

fn admin() -> Caller {
    Caller::bearer("admin", &Scope::ALL)
}

fn ring(name: &str) -> RingId {
    RingId::new(RingKind::Signing, name).unwrap()
}

fn wanted(name: &str) -> NewKeyPair {
    let es256 = SignatureAlgorithm::ECDSA_SHA256;
    NewKeyPair {
        ring: ring(name),
        provider: ProviderKind::Hsm,
        key_use: KeyUse::Sign,
        algorithm: KeyAlgorithm::P256,
        signature_algorithm: es256,
        permitted: vec![es256],
        certificate: Some(CertificateSpec {
            names: CertificateNames::Given {
                subject: Subject { common_name: name.to_owned(), ..Subject::default() },
                alternative_names: Vec::new(),
            },
            valid_days: 10,
            profile: CertificateProfile::Signing,
        }),
        deadline: Duration::from_secs(60),
    }
}

const REPAIR: ReconcileMode = ReconcileMode::Repair { broken: false };

#[tokio::test]
async fn generated_key_pair_is_active_and_has_a_certificate() {
    let bench = Bench::new().await;
    let made = bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    assert_eq!(made.pair.state, KeyState::Active);
    assert!(made.pair.leaf().is_some());
    assert_eq!(bench.keyring.active(&admin(), &ring("a")).await.unwrap(), made.pair);
    assert_eq!(bench.double.signed.load(Ordering::SeqCst), 1, "one signature makes the certificate");
    assert!(reconciler(&bench.keyring).reconcile(ReconcileMode::ReportOnly).await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn any_fault_on_the_way_leaves_nothing_behind() {
    let faults = [
        (Some(Fault::Refuse(unavailable())), None),
        (Some(Fault::LoseReply), None),
        (None, Some(Fault::Refuse(unavailable()))),
        (None, Some(Fault::Corrupt)),
    ];
    for (generating, signing) in faults {
        let bench = Bench::new().await;
        *bench.double.generate_fault.lock().unwrap() = generating;
        *bench.double.sign_fault.lock().unwrap() = signing;
        let failure = bench.keyring.generate(&admin(), wanted("a")).await.unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::ProviderUnavailable, "{failure:?}");
        assert!(bench.double.locators().is_empty());
        assert_eq!(bench.keyring.active(&admin(), &ring("a")).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert!(reconciler(&bench.keyring).reconcile(ReconcileMode::ReportOnly).await.unwrap().findings.is_empty());
        // The name is free again.
        bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    }
}

#[tokio::test]
async fn provider_that_made_nothing_is_not_asked_to_destroy() {
    for (refusal, kind) in [
        (ProviderError::Busy, ErrorKind::Busy),
        (ProviderError::DeadlinePassed, ErrorKind::Deadline),
        (unavailable(), ErrorKind::ProviderUnavailable),
    ] {
        let bench = Bench::new().await;
        *bench.double.generate_fault.lock().unwrap() = Some(Fault::Refuse(refusal));
        assert_eq!(bench.keyring.generate(&admin(), wanted("a")).await.unwrap_err().kind(), kind);
        assert_eq!(bench.double.destroyed.load(Ordering::SeqCst), 0, "{kind:?}");
        // Its row came to its end nevertheless.
        assert!(reconciler(&bench.restarted()).reconcile(ReconcileMode::ReportOnly).await.unwrap().findings.is_empty());
        let rows = bench.store.page(None, Timestamp::from_micros(0), 10).await.unwrap();
        assert_eq!(rows.iter().map(|pair| pair.state).collect::<Vec<_>>(), [KeyState::Destroyed]);
    }
}

#[tokio::test]
async fn key_whose_maker_is_unsure_is_destroyed() {
    let bench = Bench::new().await;
    *bench.double.generate_fault.lock().unwrap() = Some(Fault::LoseReply);
    bench.keyring.generate(&admin(), wanted("a")).await.unwrap_err();
    assert_eq!(bench.double.destroyed.load(Ordering::SeqCst), 1);
    assert!(bench.double.locators().is_empty());
}

#[tokio::test]
async fn passed_deadline_undoes_the_key_before_it_is_answered() {
    let bench = Bench::new().await;
    let late = NewKeyPair { deadline: Duration::ZERO, ..wanted("a") };
    assert_eq!(bench.keyring.generate(&admin(), late).await.unwrap_err().kind(), ErrorKind::Deadline);
    assert!(bench.double.locators().is_empty());
    assert!(reconciler(&bench.keyring).reconcile(ReconcileMode::ReportOnly).await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn taken_ring_is_refused_without_a_key() {
    let bench = Bench::new().await;
    bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    let failure = bench.keyring.generate(&admin(), wanted("a")).await.unwrap_err();
    assert_eq!((failure.kind(), failure.field_violations().len()), (ErrorKind::Invalid, 1));
    assert_eq!(bench.double.generated.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn scopes_are_required() {
    let bench = Bench::new().await;
    let reader = Caller::bearer("reader", &[Scope::Read]);
    let nobody = Caller::bearer("nobody", &[]);
    assert_eq!(bench.keyring.generate(&reader, wanted("a")).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(bench.keyring.delete(&reader, &ring("a")).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(bench.keyring.ring(&nobody, &ring("a")).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(bench.double.generated.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn idempotent_request_makes_one_key() {
    let bench = Bench::new().await;
    let first = bench.keyring.generate(&repeating("one"), wanted("a")).await.unwrap();
    let second = bench.keyring.generate(&repeating("one"), wanted("a")).await.unwrap();
    assert!(second.replayed && !first.replayed);
    assert_eq!(first.pair, second.pair);
    assert_eq!(bench.keyring.generate(&repeating("two"), wanted("a")).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(bench.double.generated.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn replay_answers_although_the_provider_is_away() {
    let bench = Bench::new().await;
    let first = bench.keyring.generate(&repeating("x"), wanted("a")).await.unwrap();
    bench.double.away.store(true, Ordering::SeqCst);
    let again = bench.keyring.generate(&repeating("x"), wanted("a")).await.unwrap();
    assert!(again.replayed);
    assert_eq!(again.pair, first.pair);
    let other = bench.keyring.generate(&admin(), wanted("b")).await.unwrap_err();
    assert_eq!(other.kind(), ErrorKind::ProviderUnavailable);
}

#[tokio::test]
async fn failed_request_is_not_remembered_as_done() {
    let bench = Bench::new().await;
    *bench.double.sign_fault.lock().unwrap() = Some(Fault::Refuse(unavailable()));
    bench.keyring.generate(&repeating("x"), wanted("a")).await.unwrap_err();
    assert!(!bench.keyring.generate(&repeating("x"), wanted("a")).await.unwrap().replayed);
}

#[tokio::test]
async fn deleted_key_pair_is_gone_at_once_and_destroyed_by_reconcile() {
    let bench = Bench::new().await;
    let made = bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    bench.keyring.delete(&admin(), &ring("a")).await.unwrap();
    assert_eq!(bench.keyring.active(&admin(), &ring("a")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(bench.double.locators().len(), 1);
    reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap();
    assert!(bench.double.locators().is_empty());
    assert_eq!(bench.store.pair(made.pair.id).await.unwrap().unwrap().state, KeyState::Destroyed);
    let again = bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    assert_eq!(again.pair.generation, 2);
}

#[tokio::test]
async fn key_that_cannot_be_destroyed_does_not_keep_the_others() {
    let bench = Bench::new().await;
    let mut made = Vec::new();
    for name in ["a", "b", "c"] {
        made.push(bench.keyring.generate(&admin(), wanted(name)).await.unwrap().pair);
        bench.keyring.delete(&admin(), &ring(name)).await.unwrap();
    }
    // The first that a pass comes to, whichever that is of a millisecond.
    let first = made.iter().min_by_key(|pair| pair.id.to_string()).unwrap();
    *bench.double.indestructible.lock().unwrap() = Some(first.locator.clone());
    let findings = reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap().findings;
    let unfinished: Vec<_> = findings.iter().filter(|finding| !finding.is_mended()).collect();
    assert!(
        matches!(unfinished.as_slice(), [Finding::Unfinished { key, why: Some(_), .. }] if *key == first.id),
        "{findings:?}"
    );
    assert_eq!(bench.double.locators(), std::slice::from_ref(&first.locator));
    *bench.double.indestructible.lock().unwrap() = None;
    reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap();
    assert!(bench.double.locators().is_empty());
}

#[tokio::test]
async fn many_who_ask_for_readiness_share_one_write() {
    let bench = Bench::new().await;
    let providers = bench.double.providers();
    let readiness = Readiness::new(Arc::clone(&bench.store), providers);
    let asked = (0..50).map(|_| readiness.unready_reasons());
    assert!(futures_util::future::join_all(asked).await.iter().all(Vec::is_empty));
    assert!(readiness.unready_reasons().await.is_empty());
    assert_eq!(bench.pings().await, 1);
    tokio::time::sleep(PING_VALID_FOR).await;
    assert!(readiness.unready_reasons().await.is_empty());
    assert_eq!(bench.pings().await, 2, "what the store said long ago does not stand for it");
}

#[tokio::test]
async fn reservation_of_a_former_life_is_undone_and_a_living_one_is_not() {
    let bench = Bench::new().await;
    *bench.double.generate_fault.lock().unwrap() = Some(Fault::Hang);
    let admin = admin();
    let mut task = Box::pin(bench.keyring.generate(&admin, wanted("a")));
    let made = async {
        while bench.double.locators().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! { _ = &mut task => panic!("the generation was to hang"), () = made => {} }
    assert!(
        reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap().findings.is_empty(),
        "its own life is not over"
    );
    drop(task); // the crash
    let findings = reconciler(&bench.restarted()).reconcile(REPAIR).await.unwrap().findings;
    assert!(matches!(findings.as_slice(), [Finding::Unfinished { mended: true, .. }]), "{findings:?}");
    assert!(bench.double.locators().is_empty());
    bench.keyring.generate(&admin, wanted("a")).await.unwrap();
}

#[tokio::test]
async fn key_that_appears_after_its_row_was_destroyed_is_removed() {
    let bench = Bench::new().await;
    let made = bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    bench.keyring.delete(&admin(), &ring("a")).await.unwrap();
    reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap();
    let (id, locator, algorithm) = (made.pair.id, made.pair.locator, KeyAlgorithm::P256);
    let label = bench.store.id().label(id);
    bench
        .double
        .generate(NewKey { id, locator, label, algorithm, key_use: KeyUse::Sign, deadline: std::time::Instant::now() })
        .await
        .unwrap();
    let findings = reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap().findings;
    assert!(matches!(findings.as_slice(), [Finding::Leftover { mended: true, .. }]), "{findings:?}");
    assert!(bench.double.locators().is_empty());
}

#[tokio::test]
async fn object_that_no_row_knows_is_reported_and_kept() {
    let bench = Bench::new().await;
    let unknown = strongroom_domain::key::KeyId::new(bench.clock.now()).unwrap();
    let label = bench.store.id().label(unknown);
    let locator = strongroom_domain::key::Locator::new().unwrap();
    let key = NewKey {
        id: unknown,
        locator,
        label,
        algorithm: KeyAlgorithm::P256,
        key_use: KeyUse::Sign,
        deadline: std::time::Instant::now(),
    };
    bench.double.generate(key).await.unwrap();
    let findings = reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap().findings;
    assert!(matches!(findings.as_slice(), [Finding::Orphan { .. }]), "{findings:?}");
    assert_eq!(bench.double.locators().len(), 1);
}

#[tokio::test]
async fn key_is_missing_once_seen_missing_twice_a_minute_apart() {
    let bench = Bench::new().await;
    let made = bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    bench.double.lose(&made.pair.locator);
    for (wait, established) in [(0, false), (10, false), (60, true)] {
        bench.pass(Duration::from_secs(wait));
        let findings = reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap().findings;
        assert!(
            matches!(findings.as_slice(), [Finding::Missing { established: e, .. }] if *e == established),
            "{findings:?}"
        );
        assert_eq!(bench.keyring.active(&admin(), &ring("a")).await.unwrap().missing, established);
    }
}
