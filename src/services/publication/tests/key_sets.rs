//! Which keys are published when, and until when that holds.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::services::lifecycle::InitialState;
use crate::services::publication::key_set_builder::{CertificateDisplay, KeySetBuilder};
use crate::services::publication::{KeySet, KeySetId, Publication};
use crate::services::rotation::tests::service::{Bench, admin, on_demand};
use crate::store::EpochReading;
use strongroom_domain::key::{DecryptionAlgorithm, Kid};
use strongroom_formats::jose::Jwk;

const ES256: SignatureAlgorithm = SignatureAlgorithm::ECDSA_SHA256;

fn empty(now: Timestamp) -> KeySetBuilder {
    KeySetBuilder::new(now, vec![(ProviderKind::Hsm, Some(DecryptionAlgorithm::RsaOaep))])
}

fn at(hours: u32) -> Timestamp {
    START.plus(HOUR * hours)
}

/// A key pair of hour 0 with a public half; deactivated, if it is, in hour `n`.
fn member(n: u8, state: KeyState) -> KeyPair {
    // RFC 8410 section 4.
    let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    KeyPair {
        kid: Some(Kid::parse(format!("kid-{n}")).unwrap()),
        spki: Some(SpkiDer::parse([&head[..], &[n; 32]].concat()).unwrap()),
        deactivated_at: (state == KeyState::Deactivated).then(|| at(n.into())),
        ..pair(n.into(), state, START)
    }
}

fn certificate() -> CertificateDer {
    use x509_cert::der::{DecodePem as _, Encode as _};
    let leaf = x509_cert::Certificate::from_pem(include_str!("../../../store/tests/leaf.pem")).unwrap();
    CertificateDer::parse(leaf.to_der().unwrap()).unwrap()
}

fn ring() -> RingId {
    "connection:a".parse().unwrap()
}

fn policy(overlap: Option<Duration>) -> Policy {
    Policy { schedule: None, overlap, on_overlap_end: OnOverlapEnd::Keep, ..before_expiry(0, 0) }
}

/// The same suspended.
fn suspended(pair: KeyPair, unpublished: bool) -> KeyPair {
    KeyPair { suspended_from: Some(pair.state), state: KeyState::Suspended, unpublished, ..pair }
}

#[test]
fn suspended_key_is_published_as_before_unless_it_is_left_out() {
    let published =
        |pair: KeyPair, now| !empty(now).publish_ring(&ring(), vec![pair], &policy(Some(HOUR * 10))).is_empty();
    for state in [KeyState::PreActive, KeyState::Active, KeyState::Deactivated] {
        assert!(published(suspended(member(1, state), false), at(2)), "{state}");
        assert!(!published(suspended(member(1, state), true), at(2)), "{state}");
        let past_its_overlap = published(suspended(member(1, state), false), at(12));
        assert_eq!(past_its_overlap, state != KeyState::Deactivated, "{state}");
    }
    assert!(!published(member(1, KeyState::Compromised), at(2)));
}

fn kids(pairs: &[KeyPair]) -> Vec<i64> {
    pairs.iter().map(|pair| pair.generation).collect()
}

#[test]
fn key_is_published_before_it_signs_and_until_its_overlap_ends() {
    let pairs = || {
        let states =
            [KeyState::Active, KeyState::PreActive, KeyState::Deactivated, KeyState::Stocked, KeyState::Destroying];
        states.into_iter().zip(1..).map(|(state, n)| member(n, state)).collect::<Vec<_>>()
    };
    // The third was deactivated in hour 3.
    for (now, overlap, published, until) in [
        (at(4), Some(HOUR * 2), vec![1, 2, 3], Some(at(5))),
        (at(5), Some(HOUR * 2), vec![1, 2], None),
        (at(90), None, vec![1, 2, 3], None),
    ] {
        let mut builder = empty(now);
        let found = builder.publish_ring(&ring(), pairs(), &policy(overlap));
        assert_eq!((kids(&found), builder.holds_until()), (published, until));
    }
    let mut builder = empty(at(90));
    let web_keys = "web-keys".parse().unwrap();
    assert_eq!(
        kids(&builder.publish_ring(&web_keys, pairs(), &policy(Some(HOUR)))),
        [1, 2, 3],
        "until they are deleted"
    );
}

#[test]
fn key_is_shown_once_with_what_anybody_asked_for() {
    let mut builder = empty(at(0));
    let mut key = member(1, KeyState::Active);
    let leaf = certificate();
    let shown = json!([STANDARD.encode(leaf.as_bytes())]);
    key.certificates = vec![leaf];
    builder.add(&key, CertificateDisplay::Hidden).unwrap();
    assert_eq!(json!(builder.keys())[0].get("x5c"), None);
    builder.add(&key, CertificateDisplay::Shown).unwrap();
    builder.add(&key, CertificateDisplay::Hidden).unwrap();
    assert_eq!((builder.keys().len(), &json!(builder.keys())[0]["x5c"]), (1, &shown));
    builder.add_named(&key, "another", CertificateDisplay::Hidden).unwrap();
    let names: Vec<_> = builder.keys().iter().map(Jwk::kid).collect();
    assert_eq!(names, [Some("kid-1"), Some("another")]);
}

#[test]
fn algorithm_is_the_first_that_jose_has_a_name_for_or_what_the_provider_decrypts() {
    let mut key = member(1, KeyState::Active);
    let usual = |key: &KeyPair| empty(at(0)).usual_algorithm(key);
    assert_eq!(usual(&key), Some("EdDSA"));
    key.algorithm = KeyAlgorithm::P256;
    key.signature_algorithm = SignatureAlgorithm::ECDSA_SHA384;
    key.permitted = vec![key.signature_algorithm, ES256];
    assert_eq!(usual(&key), Some("ES256"));
    key.permitted = vec![key.signature_algorithm];
    assert_eq!(usual(&key), None);
    key.key_use = KeyUse::Decrypt;
    assert_eq!(usual(&key), None, "only RSA decrypts");
    key.algorithm = KeyAlgorithm::RSA_2048;
    assert_eq!(usual(&key), Some("RSA-OAEP"));
    key.provider = ProviderKind::Local;
    let mut builder = empty(at(0));
    assert_eq!(builder.usual_algorithm(&key), None);
    assert_eq!(builder.holds_until(), Some(at(0).plus(Duration::from_secs(10))), "it may know soon");
}

fn rings() -> impl Strategy<Value = Vec<KeyPair>> {
    let state = prop_oneof![Just(KeyState::PreActive), Just(KeyState::Deactivated), Just(KeyState::Stocked)];
    proptest::collection::vec((1_u8..60, state), 0..6).prop_map(|members| {
        let mut pairs: Vec<_> = members.into_iter().map(|(n, state)| member(n, state)).collect();
        pairs.extend([member(0, KeyState::Active)]);
        pairs
    })
}

proptest! {
    #[test]
    fn set_stays_as_it_is_until_it_says_and_no_longer_kept(
        pairs in rings(),
        overlap in proptest::option::of(1_u32..50),
        period in proptest::option::of(1_u32..50),
        always_next: bool,
        now in 0_u32..100,
        later in 0_u32..100,
    ) {
        let schedule = period.map(|hours| Schedule::Every(HOUR * hours));
        let policy = Policy { schedule, always_next, ..policy(overlap.map(|hours| HOUR * hours)) };
        let mut builder = empty(at(now));
        let published = kids(&builder.publish_ring(&ring(), pairs.clone(), &policy));
        let set = KeySet { body: Bytes::new(), etag: String::new(), changes_at: builder.changes_at() };
        let max_age = set.max_age(at(now), HOUR * 1000);
        if let Some(until) = builder.holds_until() {
            prop_assert!(at(now) < until && max_age <= until.since(at(now)));
        }
        if max_age > Duration::ZERO && (later == 0 || HOUR * later < max_age) {
            let cached = kids(&empty(at(now + later)).publish_ring(&ring(), pairs, &policy));
            prop_assert_eq!(published, cached);
        }
    }
}

fn publication(bench: &Bench) -> Publication {
    let providers = bench.double.providers();
    Publication::new(Arc::clone(&bench.store), providers, Arc::clone(&bench.catalog), bench.policies(), bench.clock())
}

async fn fetched(publication: &Publication, place: &KeySetId) -> (Arc<KeySet>, Vec<String>) {
    let set = publication.key_set(place).await.unwrap();
    let json: Value = serde_json::from_slice(&set.body).unwrap();
    let kids = json["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned());
    (Arc::clone(&set), kids.collect())
}

#[tokio::test]
async fn kept_set_ends_with_a_change_of_its_ring_and_with_the_overlap_of_a_key() {
    let bench = Bench::new().await;
    let publication = publication(&bench);
    let ring = bench.ring_of("connection:a", &[InitialState::Active, InitialState::PreActive]).await;
    let place = KeySetId::ConnectionNamed("a".to_owned());
    publication.observe_epoch(EpochReading::read(bench.store.as_ref()).await.unwrap());
    let (first, _) = fetched(&publication, &place).await;
    assert!(Arc::ptr_eq(&first, &fetched(&publication, &place).await.0), "it was kept");

    let rotated = bench.rotation.rotate(&admin(), on_demand(&ring)).await.unwrap();
    publication.observe_epoch(EpochReading::read(bench.store.as_ref()).await.unwrap());
    let name = |pair: &KeyPair| pair.kid.as_ref().unwrap().to_string();
    let [active, next, previous] =
        [Some(rotated.active), rotated.next, rotated.previous].map(|pair| name(&pair.unwrap()));
    let (second, kids) = fetched(&publication, &place).await;
    assert_eq!(kids, [active.clone(), next.clone(), previous]);
    assert_ne!(second.etag, first.etag);
    assert_eq!(second.changes_at, Some(bench.now().plus(DAY)));

    bench.pass(HOUR * 23);
    assert!(Arc::ptr_eq(&second, &fetched(&publication, &place).await.0), "it was kept");
    assert_eq!(publication.max_age(&second), Duration::from_secs(300));
    bench.pass(Duration::from_secs(59 * 60));
    assert_eq!(publication.max_age(&second), Duration::from_secs(60));
    bench.pass(Duration::from_secs(60));
    assert_eq!(fetched(&publication, &place).await.1, [active, next]);
    assert_eq!(publication.max_age(&second), Duration::ZERO);
}

#[tokio::test]
async fn what_is_overdue_is_for_nobody_to_keep_but_asks_the_store_no_more_for_it() {
    let bench = Bench::new().await;
    let publication = publication(&bench);
    let ring = bench.rotating("a").await;
    let place = KeySetId::Ring(ring);
    bench.pass(days(276));
    publication.observe_epoch(EpochReading::read(bench.store.as_ref()).await.unwrap());
    let (set, kids) = fetched(&publication, &place).await;
    assert_eq!((kids.len(), publication.max_age(&set)), (1, Duration::ZERO));
    assert!(Arc::ptr_eq(&set, &fetched(&publication, &place).await.0), "it was kept");
}
