#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod cluster;
mod confirmed;
mod contract;
mod invariants;
mod postgres;
mod sqlite;

use std::time::Duration;

use x509_cert::der::{DecodePem, Encode};

use super::{
    CertificateReplacement, Commit, IdempotencyClaim, LeaseOwner, NewReservation, Placement, ReserveOutcome,
    RotationSettingsChange, Store, StoreError, TokenPresence, Transition,
};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{
    CertificateDer, KeyAlgorithm, KeyId, KeyOrigin, KeyPair, KeyState, KeyUse, Kid, Locator, ProviderKind, RingId,
    SignatureAlgorithm, SpkiDer,
};

const LEASE: Duration = Duration::from_secs(60);

/// The moment `seconds` after the start of the tests' time.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros((1_800_000_000 + seconds) * 1_000_000)
}

fn owner(life: &str) -> LeaseOwner {
    LeaseOwner { instance: "here".to_owned(), life: life.to_owned() }
}

fn ring(text: &str) -> RingId {
    text.parse().unwrap()
}

fn new(ring: Option<&RingId>, now: Timestamp) -> NewReservation {
    NewReservation {
        id: KeyId::new(now).unwrap(),
        ring: ring.cloned(),
        placement: Placement::NewRing,
        provider: ProviderKind::Hsm,
        locator: Locator::new().unwrap(),
        origin: KeyOrigin::Generated,
        key_use: KeyUse::Sign,
        algorithm: KeyAlgorithm::P256,
        signature_algorithm: SignatureAlgorithm::ECDSA_SHA256,
        permitted: vec![SignatureAlgorithm::ECDSA_SHA256, SignatureAlgorithm::ECDSA_SHA512],
        owner: owner("first"),
        now,
        lease: LEASE,
        idempotency: None,
        stock: None,
    }
}

fn claim(store: &Store, body: &[u8], expires: Timestamp) -> IdempotencyClaim {
    IdempotencyClaim {
        principal: "admin".to_owned(),
        route: "POST /generate".to_owned(),
        key: "once".to_owned(),
        fingerprint: store.fingerprint(body),
        expires,
    }
}

fn event(action: Action, key: Option<KeyId>) -> Event {
    Event {
        at: at(0),
        principal: "admin".to_owned(),
        action,
        key,
        ring: Some(ring("signing:audited")),
        detail: "a test".to_owned(),
        request_id: Some("r-1".to_owned()),
    }
}

fn chain() -> Vec<CertificateDer> {
    [include_str!("leaf.pem"), include_str!("issuer.pem")]
        .map(|pem| CertificateDer::parse(x509_cert::Certificate::from_pem(pem).unwrap().to_der().unwrap()).unwrap())
        .to_vec()
}

fn spki() -> SpkiDer {
    let certificate = x509_cert::Certificate::from_pem(include_str!("leaf.pem")).unwrap();
    SpkiDer::parse(certificate.tbs_certificate().subject_public_key_info().to_der().unwrap()).unwrap()
}

fn commit_of(pair: &KeyPair, state: KeyState, now: Timestamp) -> Commit {
    Commit {
        id: pair.id,
        version: pair.version,
        state,
        active_if_none: false,
        kid: Kid::parse("a-kid").unwrap(),
        spki: spki(),
        sealed: None,
        certificates: chain(),
        now,
    }
}

fn move_of(pair: &KeyPair, to: KeyState, now: Timestamp) -> Transition {
    let destroy_at = (to == KeyState::PendingDestruction).then_some(now);
    Transition { id: pair.id, version: pair.version, to, reactivate: false, unpublished: false, destroy_at, now }
}

/// Reserves, and expects to be given the row.
async fn reserved(store: &Store, new: NewReservation) -> KeyPair {
    match store.reserve(new, &[]).await.unwrap() {
        ReserveOutcome::Reserved(pair) => *pair,
        other => panic!("expected a new row, found {other:?}"),
    }
}

/// The Active key pair of a new ring.
async fn active(store: &Store, ring: &RingId, now: Timestamp) -> KeyPair {
    let pair = reserved(store, new(Some(ring), now)).await;
    store.commit(commit_of(&pair, KeyState::Active, now), &[]).await.unwrap()
}

/// Moves a key pair and gives it back as it is then.
async fn moved(store: &Store, pair: &KeyPair, to: KeyState, now: Timestamp) -> KeyPair {
    store.transition(move_of(pair, to, now), &[]).await.unwrap()
}

/// Every audit event so far.
async fn trail(store: &Store) -> Vec<Event> {
    store.audit(0, 1000).await.unwrap().into_iter().map(|(_, event)| event).collect()
}

fn is_conflict<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Conflict))
}

fn is_forbidden<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Forbidden { .. }))
}
