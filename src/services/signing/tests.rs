#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod decryption;
mod pressure;
mod raw;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Claims, JwsInput, Payload, PresentedSignature, SignInput, Signing, Target};
use crate::auth::{Caller, Scope};
use crate::provider::double::ProviderDouble;
use crate::provider::{KeyProvider as _, NewKey};
use crate::store::{
    Commit, EpochReading, LeaseOwner, NewReservation, Placement, ReserveOutcome, Store, TokenPresence, Transition,
};
use strongroom_domain::clock::{SystemClock, Timestamp};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{
    KeyAlgorithm, KeyId, KeyName, KeyOrigin, KeyPair, KeyState, KeyUse, Kid, Locator, ProviderKind, SignatureAlgorithm,
};
use strongroom_formats::jose;
use strongroom_formats::json::JsonText;

const ES256: SignatureAlgorithm = SignatureAlgorithm::ECDSA_SHA256;

struct Bench {
    directory: tempfile::TempDir,
    store: Arc<Store>,
    double: Arc<ProviderDouble>,
    signing: Signing,
}

impl Bench {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("store.db")).await.unwrap();
        let double = Arc::new(ProviderDouble::default());
        let providers = double.providers();
        let signing = Signing::new(Arc::clone(&store) as Arc<_>, providers, Arc::new(SystemClock));
        Self { directory, store, double, signing }
    }

    /// An Active P-256 key, under its thumbprint unless `kid` is given.
    async fn key(&self, ring: &str, key_use: KeyUse, kid: Option<&str>) -> KeyPair {
        let new = NewReservation {
            id: KeyId::new(Timestamp::from_micros(1)).unwrap(),
            ring: Some(ring.parse().unwrap()),
            placement: Placement::NewRing,
            provider: ProviderKind::Hsm,
            locator: Locator::new().unwrap(),
            origin: KeyOrigin::Generated,
            key_use,
            algorithm: KeyAlgorithm::P256,
            signature_algorithm: ES256,
            permitted: vec![ES256],
            owner: LeaseOwner { instance: "test".to_owned(), life: "1".to_owned() },
            now: Timestamp::from_micros(1),
            lease: Duration::from_secs(60),
            idempotency: None,
            stock: None,
        };
        let (id, locator) = (new.id, new.locator.clone());
        let ReserveOutcome::Reserved(pair) = self.store.reserve(new, &[]).await.unwrap() else {
            panic!("the ring is taken")
        };
        let (label, algorithm) = (self.store.id().label(id), pair.algorithm);
        let made = self
            .double
            .generate(NewKey { id, locator, label, algorithm, key_use, deadline: std::time::Instant::now() })
            .await
            .unwrap();
        let kid = kid.map_or_else(|| jose::thumbprint(&made.spki).unwrap(), |kid| Kid::parse(kid).unwrap());
        let (version, state, now) = (pair.version, KeyState::Active, Timestamp::from_micros(2));
        let commit = Commit {
            id,
            version,
            state,
            active_if_none: false,
            kid,
            spki: made.spki,
            sealed: None,
            certificates: Vec::new(),
            now,
        };
        self.store.commit(commit, &[]).await.unwrap()
    }

    async fn sign(&self, target: &Target) -> Result<(), Error> {
        let input = SignInput::Message(b"message".to_vec());
        self.signing.sign(&client(), target, "ES256", input).await.map(drop)
    }

    async fn jws(&self, target: &Target) -> Result<String, Error> {
        let payload = Payload::Json(JsonText::parse(r#"{"sub":"a"}"#).unwrap());
        let (headers, claims) = (None, Claims::default());
        let order = JwsInput { algorithm: None, payload, headers, claims, detached: false };
        self.signing.jws(&client(), target, order).await
    }

    fn signed(&self) -> usize {
        self.double.signed.load(Ordering::SeqCst)
    }

    async fn confirm(&self) {
        self.signing.observe_epoch(EpochReading::read(self.store.as_ref()).await.unwrap());
    }
}

fn admin() -> Caller {
    Caller::bearer("admin", &Scope::ALL)
}

fn client() -> Caller {
    client_of(admin())
}

fn client_of(who: Caller) -> Caller {
    who.with_deadline(Instant::now() + Duration::from_secs(20))
}

fn by_ring(ring: &str) -> Target {
    Target::Ring(ring.parse().unwrap())
}

fn by_id(pair: &KeyPair) -> Target {
    Target::Key(KeyName::Id(pair.id))
}

fn by_kid(pair: &KeyPair) -> Target {
    Target::Key(KeyName::Kid(pair.kid.clone().unwrap()))
}

fn kind(outcome: Result<(), Error>) -> ErrorKind {
    outcome.unwrap_err().kind()
}

async fn moved(store: &Store, pair: &KeyPair, to: KeyState) -> KeyPair {
    let (id, version, now) = (pair.id, pair.version, Timestamp::from_micros(3));
    store
        .transition(Transition { id, version, to, reactivate: false, unpublished: false, destroy_at: None, now }, &[])
        .await
        .unwrap()
}

#[tokio::test]
async fn warm_key_is_found_without_the_store_by_each_of_its_names() {
    let bench = Bench::new().await;
    let pair = bench.key("signing:a", KeyUse::Sign, None).await;
    bench.key("signing:cold", KeyUse::Sign, None).await;
    bench.confirm().await;
    let names = [by_ring("signing:a"), by_id(&pair), by_kid(&pair)];
    for name in &names {
        bench.sign(name).await.unwrap();
    }
    bench.store.close().await;
    for name in &names {
        bench.sign(name).await.unwrap();
    }
    assert_eq!(kind(bench.sign(&by_ring("signing:cold")).await), ErrorKind::ProviderUnavailable);
}

#[tokio::test]
async fn own_transition_counts_at_once() {
    let bench = Bench::new().await;
    let pair = bench.key("signing:a", KeyUse::Sign, None).await;
    bench.confirm().await;
    bench.sign(&by_ring("signing:a")).await.unwrap();
    bench.sign(&by_id(&pair)).await.unwrap();
    moved(&bench.store, &pair, KeyState::Deactivated).await;
    assert_eq!(kind(bench.sign(&by_id(&pair)).await), ErrorKind::Conflict);
    assert_eq!(kind(bench.sign(&by_ring("signing:a")).await), ErrorKind::NotFound);
    assert_eq!(bench.signed(), 2);
}

#[tokio::test]
async fn transition_of_another_daemon_counts_once_its_epoch_is_seen() {
    let bench = Bench::new().await;
    let pair = bench.key("signing:a", KeyUse::Sign, None).await;
    bench.confirm().await;
    bench.sign(&by_id(&pair)).await.unwrap();
    let other = Store::open(&bench.directory.path().join("store.db")).await.unwrap();
    moved(&other, &pair, KeyState::Deactivated).await;
    bench.confirm().await;
    assert_eq!(kind(bench.sign(&by_id(&pair)).await), ErrorKind::Conflict);
}

#[tokio::test]
async fn only_active_keys_sign_and_deactivated_ones_verify() {
    let bench = Bench::new().await;
    let pair = bench.key("signing:a", KeyUse::Sign, None).await;
    let message = || SignInput::Message(b"message".to_vec());
    let signed = bench.signing.sign(&client(), &by_id(&pair), "SHA256withECDSA", message()).await.unwrap();
    let verify = async || {
        let raw = PresentedSignature::Raw(signed.signature.raw().to_vec());
        bench.signing.verify(&admin(), &by_id(&pair), "ES256", &message(), raw).await.map(|(_, valid)| valid)
    };
    let deactivated = moved(&bench.store, &pair, KeyState::Deactivated).await;
    assert_eq!(kind(bench.sign(&by_id(&pair)).await), ErrorKind::Conflict);
    assert!(verify().await.unwrap());
    moved(&bench.store, &deactivated, KeyState::Destroying).await;
    assert_eq!(verify().await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(bench.signed(), 1);
}

#[tokio::test]
async fn missing_key_is_unavailable_until_it_is_found_again() {
    let bench = Bench::new().await;
    let pair = bench.key("signing:a", KeyUse::Sign, None).await;
    bench.confirm().await;
    bench.sign(&by_id(&pair)).await.unwrap();
    bench.store.set_presence(pair.id, TokenPresence::Missing { since: Timestamp::from_micros(9) }, &[]).await.unwrap();
    assert_eq!(kind(bench.sign(&by_id(&pair)).await), ErrorKind::ProviderUnavailable);
    assert_eq!(bench.signed(), 1);
    bench.store.set_presence(pair.id, TokenPresence::Found, &[]).await.unwrap();
    bench.sign(&by_id(&pair)).await.unwrap();
}

#[tokio::test]
async fn published_keys_sign_jws_only_and_those_of_tls_and_decryption_nothing() {
    let bench = Bench::new().await;
    for ring in ["connection:a", "web-keys"] {
        bench.key(ring, KeyUse::Sign, None).await;
        assert_eq!(kind(bench.sign(&by_ring(ring)).await), ErrorKind::Forbidden);
        let items = vec![Ok(SignInput::Message(Vec::new()))];
        let batch = bench.signing.sign_batch(&client(), &by_ring(ring), "ES256", items).await;
        assert_eq!(batch.unwrap_err().kind(), ErrorKind::Forbidden);
        assert_eq!(bench.signed(), 0);
        bench.jws(&by_ring(ring)).await.unwrap();
        bench.double.signed.store(0, Ordering::SeqCst);
    }
    for (ring, key_use) in
        [("sslServer:a", KeyUse::Sign), ("sslClient:a", KeyUse::Sign), ("signing:d", KeyUse::Decrypt)]
    {
        bench.key(ring, key_use, None).await;
        assert_eq!(kind(bench.sign(&by_ring(ring)).await), ErrorKind::Forbidden, "{ring}");
        assert_eq!(bench.jws(&by_ring(ring)).await.unwrap_err().kind(), ErrorKind::Forbidden, "{ring}");
    }
    assert_eq!(bench.signed(), 0);
}

#[tokio::test]
async fn kid_of_two_keys_is_a_conflict_that_names_both() {
    let bench = Bench::new().await;
    let one = bench.key("signing:a", KeyUse::Sign, Some("twin")).await;
    let other = bench.key("signing:b", KeyUse::Sign, Some("twin")).await;
    let refused = bench.sign(&by_kid(&one)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    for pair in [&one, &other] {
        assert!(refused.public().contains(&pair.id.to_string()), "{}", refused.public());
        bench.sign(&by_id(pair)).await.unwrap();
    }
    moved(&bench.store, &other, KeyState::Destroying).await;
    bench.sign(&by_kid(&one)).await.unwrap();
}

#[tokio::test]
async fn scopes_are_required() {
    let bench = Bench::new().await;
    bench.key("signing:a", KeyUse::Sign, None).await;
    let target = by_ring("signing:a");
    let who = Caller::bearer("b", &[Scope::Read, Scope::Manage, Scope::Decrypt, Scope::Operate]);
    let message = || SignInput::Message(Vec::new());
    assert_eq!(
        kind(bench.signing.sign(&client_of(who.clone()), &target, "ES256", message()).await.map(drop)),
        ErrorKind::Forbidden
    );
    let presented = PresentedSignature::Raw(vec![0; 64]);
    let verified = bench.signing.verify(&who, &target, "ES256", &message(), presented).await;
    assert_eq!(kind(verified.map(drop)), ErrorKind::Forbidden);
    assert_eq!(bench.signed(), 0);
}

#[tokio::test]
async fn raw_signature_of_another_width_is_not_valid() {
    let bench = Bench::new().await;
    bench.key("signing:a", KeyUse::Sign, None).await;
    let target = by_ring("signing:a");
    let message = SignInput::Message(b"message".to_vec());
    let signed = bench.signing.sign(&client(), &target, "ES256", message.clone()).await.unwrap();
    let (r, s) = signed.signature.raw().split_at(32);
    let wide = [&[0], r, &[0], s].concat();
    for (raw, expected) in [(wide, false), (Vec::new(), false), (signed.signature.raw().to_vec(), true)] {
        let (_, valid) =
            bench.signing.verify(&admin(), &target, "ES256", &message, PresentedSignature::Raw(raw)).await.unwrap();
        assert_eq!(valid, expected);
    }
}
