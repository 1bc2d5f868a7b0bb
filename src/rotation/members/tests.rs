#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::key::{Hash, KeyAlgorithm, KeyId, Kid, Locator, Origin, ProviderKind, SignatureAlgorithm, SpkiDer};
use crate::rotation::policy::Afterwards;
use crate::rotation::{KeySet, Schedule};

const ES256: SignatureAlgorithm = SignatureAlgorithm::Ecdsa(Hash::Sha256);
const HOUR: Duration = Duration::from_secs(3600);

fn at(hours: u32) -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000).plus(HOUR * hours)
}

/// An Ed25519 public key of nothing but `n`: RFC 8410 section 4.
fn spki(n: u8) -> SpkiDer {
    let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    SpkiDer::parse([&head[..], &[n; 32]].concat()).unwrap()
}

fn pair(n: u8, state: State) -> KeyPair {
    KeyPair {
        id: KeyId::new(at(n.into())).unwrap(),
        ring: Some(ring()),
        generation: n.into(),
        state,
        missing_since: None,
        missing: false,
        provider: ProviderKind::Hsm,
        locator: Locator::new().unwrap(),
        sealed: None,
        origin: Origin::Generated,
        key_use: KeyUse::Sign,
        algorithm: KeyAlgorithm::Ed25519,
        signature_algorithm: SignatureAlgorithm::Ed25519,
        permitted: vec![SignatureAlgorithm::Ed25519],
        kid: Some(Kid::parse(format!("kid-{n}")).unwrap()),
        spki: Some(spki(n)),
        certificates: Vec::new(),
        created_at: at(0),
        activated_at: None,
        deactivated_at: (state == State::Deactivated).then(|| at(n.into())),
        deleted_at: None,
        destroyed_at: None,
        version: 1,
    }
}

fn ring() -> RingId {
    "connection:a".parse().unwrap()
}

fn policy(overlap: Option<Duration>) -> Policy {
    Policy { schedule: None, always_next: false, lead: HOUR, overlap, afterwards: Afterwards::Keep }
}

fn kids(pairs: &[KeyPair]) -> Vec<i64> {
    pairs.iter().map(|pair| pair.generation).collect()
}

#[test]
fn key_is_published_before_it_signs_and_until_its_overlap_ends() {
    let pairs = || {
        let states = [State::Active, State::PreActive, State::Deactivated, State::Stocked, State::Destroying];
        states.into_iter().zip(1..).map(|(state, n)| pair(n, state)).collect::<Vec<_>>()
    };
    // The third was deactivated in hour 3.
    for (now, overlap, published, until) in [
        (at(4), Some(HOUR * 2), vec![1, 2, 3], Some(at(5))),
        (at(5), Some(HOUR * 2), vec![1, 2], None),
        (at(90), None, vec![1, 2, 3], None),
    ] {
        let mut draft = Draft::at(now);
        let found = draft.watch(&ring(), pairs(), &policy(overlap));
        assert_eq!((kids(&found), draft.holds_until()), (published, until));
    }
    let mut draft = Draft::at(at(90));
    let web_keys = "web-keys".parse().unwrap();
    assert_eq!(kids(&draft.watch(&web_keys, pairs(), &policy(Some(HOUR)))), [1, 2, 3], "until they are deleted");
}

#[test]
fn key_is_shown_once_with_what_anybody_asked_for() {
    let mut draft = Draft::at(at(0));
    let mut key = pair(1, State::Active);
    key.certificates = vec![crate::key::CertificateDer::from_stored(b"leaf".to_vec())];
    draft.add(&key, Certificates::Hidden).unwrap();
    assert_eq!(json!(draft.keys())[0].get("x5c"), None);
    draft.add(&key, Certificates::Shown).unwrap();
    draft.add(&key, Certificates::Hidden).unwrap();
    assert_eq!((draft.keys().len(), &json!(draft.keys())[0]["x5c"]), (1, &json!(["bGVhZg=="])));
    draft.add_named(&key, "another", Certificates::Hidden).unwrap();
    let names: Vec<_> = draft.keys().iter().map(Jwk::kid).collect();
    assert_eq!(names, [Some("kid-1"), Some("another")]);
}

#[test]
fn algorithm_is_the_first_that_jose_has_a_name_for() {
    let mut key = pair(1, State::Active);
    assert_eq!(usual_algorithm(&key), Some("EdDSA"));
    key.algorithm = KeyAlgorithm::P256;
    key.signature_algorithm = SignatureAlgorithm::Ecdsa(Hash::Sha384);
    key.permitted = vec![key.signature_algorithm, ES256];
    assert_eq!(usual_algorithm(&key), Some("ES256"));
    key.permitted = vec![key.signature_algorithm];
    assert_eq!(usual_algorithm(&key), None);
    key.key_use = KeyUse::Decrypt;
    key.algorithm = KeyAlgorithm::Rsa2048;
    assert_eq!(usual_algorithm(&key), Some("RSA-OAEP-256"));
}

fn rings() -> impl Strategy<Value = Vec<KeyPair>> {
    let state = prop_oneof![Just(State::PreActive), Just(State::Deactivated), Just(State::Stocked)];
    proptest::collection::vec((1_u8..60, state), 0..6).prop_map(|members| {
        let mut pairs: Vec<_> = members.into_iter().map(|(n, state)| pair(n, state)).collect();
        pairs.extend([pair(0, State::Active)]);
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
        let mut draft = Draft::at(at(now));
        let published = kids(&draft.watch(&ring(), pairs.clone(), &policy));
        let set = KeySet { body: Bytes::new(), etag: String::new(), changes_at: draft.changes_at() };
        let max_age = set.max_age(at(now), HOUR * 1000);
        if let Some(until) = draft.holds_until() {
            prop_assert!(at(now) < until && max_age <= until.since(at(now)));
        }
        if max_age > Duration::ZERO && (later == 0 || HOUR * later < max_age) {
            let kept = kids(&Draft::at(at(now + later)).watch(&ring(), pairs, &policy));
            prop_assert_eq!(published, kept);
        }
    }
}
