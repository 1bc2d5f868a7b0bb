//! Rotation on demand and by sweeps, over a store and a double of a token.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::*;
use crate::auth::{Caller, Scope};
use crate::provider::double::{Fault, ProviderDouble, unavailable};
use crate::services::lifecycle::{
    CertificateSpec, InitialState, Keyring, KidScheme, NewKeyPair, NewRingKey, Placement, RingChange,
};
use crate::services::rotation::{Policies, PolicyDefaults, RotateRing, Rotation};
use crate::services::settings::{Catalog, RotationSettings};
use crate::store::{CertificateReplacement, LeaseOwner, Store};
use strongroom_domain::clock::Clock;
use strongroom_domain::error::ErrorKind;
use strongroom_domain::key::RingKind;

const ES256: SignatureAlgorithm = SignatureAlgorithm::ECDSA_SHA256;

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

pub(in crate::services) struct Bench {
    _directory: tempfile::TempDir,
    pub(in crate::services) store: Arc<Store>,
    pub(in crate::services) double: Arc<ProviderDouble>,
    clock: Arc<Hand>,
    pub(in crate::services) keyring: Arc<Keyring>,
    pub(in crate::services) catalog: Arc<Catalog>,
    pub(in crate::services) rotation: Arc<Rotation>,
}

impl Bench {
    pub(in crate::services) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store.db")).await.unwrap();
        let double = Arc::new(ProviderDouble::default());
        let clock = Arc::new(Hand(AtomicI64::new(START.as_micros())));
        let catalog = Arc::new(Catalog::new(Arc::clone(&store) as Arc<_>, Arc::clone(&clock) as Arc<_>));
        let keyring = keyring(&store, &double, &clock, "here");
        let rotation = rotation(&store, &keyring, &catalog, &clock);
        Self { _directory: directory, store, double, clock, keyring, catalog, rotation }
    }

    /// The policies that the bench's services follow.
    pub(in crate::services) fn policies(&self) -> Policies {
        policies(&self.catalog)
    }

    pub(in crate::services) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<_>
    }

    /// Another daemon on the same store and token.
    pub(in crate::services) fn neighbour(&self) -> Arc<Rotation> {
        rotation(&self.store, &keyring(&self.store, &self.double, &self.clock, "there"), &self.catalog, &self.clock)
    }

    pub(in crate::services) fn pass(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }

    pub(in crate::services) fn turn_back(&self, time: Duration) {
        self.clock.0.fetch_sub(i64::try_from(time.as_micros()).unwrap(), Ordering::SeqCst);
    }

    pub(in crate::services) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A signing ring with a certificate of a year.
    pub(in crate::services) async fn signing(&self, name: &str) -> RingId {
        let ring = RingId::new(RingKind::Signing, name).unwrap();
        let new = NewKeyPair {
            ring: ring.clone(),
            provider: ProviderKind::Hsm,
            key_use: KeyUse::Sign,
            algorithm: KeyAlgorithm::P256,
            signature_algorithm: ES256,
            permitted: vec![ES256],
            certificate: Some(year(name)),
            deadline: Duration::from_secs(60),
        };
        self.keyring.generate(&admin(), new).await.unwrap();
        ring
    }

    /// A signing ring whose key is succeeded 90 and 30 days before its certificate expires.
    pub(in crate::services) async fn rotating(&self, name: &str) -> RingId {
        let ring = self.signing(name).await;
        self.catalog.put_rotation_settings(&admin(), &ring, SETTINGS).await.unwrap();
        ring
    }

    /// A ring with members in these states, without certificates.
    pub(in crate::services) async fn ring_of(&self, ring: &str, entries: &[InitialState]) -> RingId {
        let ring: RingId = ring.parse().unwrap();
        let member = |entry: &InitialState| NewRingKey {
            initial_state: *entry,
            kid_scheme: if ring.kind() == RingKind::WebKeys { KidScheme::Decimal } else { KidScheme::Thumbprint },
            provider: ProviderKind::Hsm,
            key_use: KeyUse::Sign,
            algorithm: KeyAlgorithm::P256,
            signature_algorithm: ES256,
            permitted: vec![ES256],
            certificate: None,
        };
        let change = RingChange {
            ring: ring.clone(),
            placement: Placement::NewRing,
            keys: entries.iter().map(member).collect(),
            state_changes: Vec::new(),
            reason: String::new(),
            fence: None,
            deadline: Duration::from_secs(60),
        };
        self.keyring.change_ring(&admin(), change).await.unwrap();
        ring
    }

    pub(in crate::services) async fn keys(&self, ring: &RingId) -> Vec<KeyPair> {
        self.store.ring(ring).await.unwrap()
    }

    /// The states of a ring's key pairs by generation.
    pub(in crate::services) async fn states(&self, ring: &RingId) -> Vec<(i64, KeyState)> {
        let mut keys = self.keys(ring).await;
        keys.sort_by_key(|pair| pair.generation);
        keys.iter().map(|pair| (pair.generation, pair.state)).collect()
    }
}

fn keyring(store: &Arc<Store>, double: &Arc<ProviderDouble>, clock: &Arc<Hand>, instance: &str) -> Arc<Keyring> {
    let owner = LeaseOwner { instance: instance.to_owned(), life: "first".to_owned() };
    let providers = double.providers();
    let lease = Duration::from_secs(600);
    Arc::new(Keyring::new(Arc::clone(store) as Arc<_>, providers, Arc::clone(clock) as Arc<_>, owner, lease))
}

fn policies(catalog: &Arc<Catalog>) -> Policies {
    Policies::new(Arc::clone(catalog), PolicyDefaults::default())
}

fn rotation(store: &Arc<Store>, keyring: &Arc<Keyring>, catalog: &Arc<Catalog>, clock: &Arc<Hand>) -> Arc<Rotation> {
    Arc::new(Rotation::new(Arc::clone(store), Arc::clone(keyring), policies(catalog), Arc::clone(clock) as Arc<_>))
}

pub(in crate::services) const SETTINGS: RotationSettings = RotationSettings {
    creation_buffer_days: 90,
    activation_buffer_days: 30,
    valid_days: 365,
    algorithm: KeyAlgorithm::P256,
    signature_algorithm: ES256,
};

pub(in crate::services) fn admin() -> Caller {
    Caller::bearer("admin", &Scope::ALL)
}

fn year(name: &str) -> CertificateSpec {
    let subject = Subject { common_name: name.to_owned(), ..Subject::default() };
    let names = CertificateNames::Given { subject, alternative_names: vec!["example.com".parse().unwrap()] };
    CertificateSpec { names, valid_days: 365, profile: CertificateProfile::Signing }
}

pub(in crate::services) fn on_demand(ring: &RingId) -> RotateRing {
    let (ring, deadline) = (ring.clone(), Duration::from_secs(60));
    RotateRing { ring, algorithm: None, deadline }
}

#[tokio::test]
async fn rotation_on_demand_makes_a_key_like_the_one_that_it_follows() {
    let bench = Bench::new().await;
    let ring = bench.signing("a").await;
    bench.pass(days(10));
    let before = bench.keys(&ring).await.remove(0);
    let rotated = bench.rotation.rotate(&admin(), on_demand(&ring)).await.unwrap();
    assert_eq!(rotated.previous.as_ref().map(|pair| pair.id), Some(before.id));
    assert!(rotated.next.is_none());
    let active = &rotated.active;
    assert_eq!(bench.states(&ring).await, [(1, KeyState::Deactivated), (2, KeyState::Active)]);
    assert_eq!(
        (active.algorithm, active.key_use, active.provider),
        (before.algorithm, before.key_use, before.provider)
    );
    assert_eq!((&active.permitted, active.signature_algorithm), (&before.permitted, before.signature_algorithm));
    let summary = |pair: &KeyPair| strongroom_formats::x509::CertificateSummary::of(pair.leaf().unwrap()).unwrap();
    let (old, new) = (summary(&before), summary(active));
    assert_eq!((&new.subject, &new.alternative_names), (&old.subject, &old.alternative_names));
    assert_eq!(new.not_after.since(new.not_before), days(365));
    assert_eq!(new.not_before, bench.now().truncate_to_seconds());
    let trail = bench.store.audit(0, 100).await.unwrap();
    let early = trail.iter().filter(|(_, event)| event.detail.contains("rotation on demand; early")).count();
    assert_eq!(early, 3, "requested, created and deactivated: {trail:?}");
}

#[tokio::test]
async fn rotation_on_demand_takes_the_successor_that_waits() {
    let bench = Bench::new().await;
    let ring =
        bench.ring_of("web-keys", &[InitialState::Active, InitialState::PreActive, InitialState::PreActive]).await;
    bench.pass(days(2));
    let made = bench.double.locators().len();
    let rotated = bench.rotation.rotate(&admin(), on_demand(&ring)).await.unwrap();
    assert_eq!((rotated.active.generation, rotated.next.unwrap().generation), (2, 3));
    assert_eq!(bench.double.locators().len(), made);
    let trail = bench.store.audit(0, 100).await.unwrap();
    assert!(trail.iter().any(|(_, event)| event.detail == "rotation on demand"), "its lead is over: {trail:?}");
}

#[tokio::test]
async fn connection_is_given_a_new_next_with_each_rotation() {
    let bench = Bench::new().await;
    let ring = bench.ring_of("connection:c", &[InitialState::Active, InitialState::PreActive]).await;
    for n in 1..=3 {
        bench.pass(HOUR);
        let rotated = bench.rotation.rotate(&admin(), on_demand(&ring)).await.unwrap();
        let generations = [rotated.previous, Some(rotated.active), rotated.next].map(|pair| pair.unwrap().generation);
        assert_eq!(generations, [n, n + 1, n + 2]);
    }
    // Without a next one, what is needed is made at once.
    let alone = bench.ring_of("connection:alone", &[InitialState::Active]).await;
    bench.rotation.rotate(&admin(), on_demand(&alone)).await.unwrap();
    assert_eq!(
        bench.states(&alone).await,
        [(1, KeyState::Deactivated), (2, KeyState::Active), (3, KeyState::PreActive)]
    );
}

#[tokio::test]
async fn rotation_that_fails_at_the_token_changes_nothing() {
    let bench = Bench::new().await;
    let connection = bench.ring_of("connection:c", &[InitialState::Active, InitialState::PreActive]).await;
    let signing = bench.signing("a").await;
    for ring in [&connection, &signing] {
        let (before, objects) = (bench.keys(ring).await, bench.double.locators());
        *bench.double.generate_fault.lock().unwrap() = Some(Fault::Refuse(unavailable()));
        let failure = bench.rotation.rotate(&admin(), on_demand(ring)).await.unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::ProviderUnavailable, "{failure:?}");
        assert_eq!(bench.keys(ring).await, before);
        assert_eq!(bench.double.locators(), objects);
    }
}

#[tokio::test]
async fn algorithms_that_the_provider_cannot_do_are_refused() {
    let bench = Bench::new().await;
    let es512 = SignatureAlgorithm::ECDSA_SHA512;
    let algorithm = Some((KeyAlgorithm::P521, es512));
    let connection = bench.ring_of("connection:c", &[InitialState::Active, InitialState::PreActive]).await;
    let asked = RotateRing { algorithm, ..on_demand(&connection) };
    let refused = bench.rotation.rotate(&admin(), asked).await.unwrap_err();
    assert_eq!((refused.kind(), refused.public().contains("p-521")), (ErrorKind::Unsupported, true), "{refused}");
    assert_eq!(bench.states(&connection).await, [(1, KeyState::Active), (2, KeyState::PreActive)]);
}

#[tokio::test]
async fn who_may_not_manage_may_not_rotate_and_unknown_rings_are_not_found() {
    let bench = Bench::new().await;
    let ring = bench.signing("a").await;
    let reader = Caller::bearer("reader", &[Scope::Read, Scope::Sign]);
    let kind = |outcome: Result<_, strongroom_domain::error::Error>| outcome.map(drop).unwrap_err().kind();
    assert_eq!(kind(bench.rotation.rotate(&reader, on_demand(&ring)).await.map(drop)), ErrorKind::Forbidden);
    let nobody = RingId::new(RingKind::Signing, "nobody").unwrap();
    assert_eq!(kind(bench.rotation.rotate(&admin(), on_demand(&nobody)).await.map(drop)), ErrorKind::NotFound);
    assert_eq!(kind(bench.rotation.ring_plan(&reader, &nobody).await.map(drop)), ErrorKind::NotFound);
    assert_eq!(bench.rotation.ring_plan(&reader, &ring).await.unwrap().plan.steps, []);
}

#[tokio::test]
async fn key_pairs_of_others_are_not_rotated() {
    let bench = Bench::new().await;
    let ring = bench.signing("a").await;
    let pair = bench.keys(&ring).await.remove(0);
    bench
        .store
        .replace_certificates(CertificateReplacement::new(&pair, vec![issued(START, days(365))]), &[])
        .await
        .unwrap();
    let refused = bench.rotation.rotate(&admin(), on_demand(&ring)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.public().contains("CSR"), "{refused}");
    assert_eq!(bench.states(&ring).await, [(1, KeyState::Active)]);
}

#[tokio::test]
async fn of_two_rotations_at_once_each_wins_or_changes_nothing() {
    let bench = Bench::new().await;
    let ring = bench.signing("a").await;
    let who = admin();
    let (first, second) =
        tokio::join!(bench.rotation.rotate(&who, on_demand(&ring)), bench.rotation.rotate(&who, on_demand(&ring)));
    let outcomes = [&first, &second];
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    for failure in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(failure.kind(), ErrorKind::Conflict);
    }
    let keys = bench.keys(&ring).await;
    assert_eq!(keys.len(), won + 1);
    assert_eq!(keys.iter().filter(|pair| pair.state == KeyState::Active).count(), 1);
    assert_eq!(bench.double.locators().len(), keys.len());
}
