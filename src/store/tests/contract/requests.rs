//! Idempotency keys, and requests that nobody finished.

use super::AnyStore;
use crate::store::tests::*;

/// A reservation of `ring` under the claim that the body `body` makes.
fn claiming(store: &Store, name: &str, body: &[u8], now: Timestamp) -> NewReservation {
    let idempotency = Some(claim(store, body, now.plus(Duration::from_secs(86_400))));
    NewReservation { idempotency, ..new(Some(&ring(name)), now) }
}

pub(in super::super) async fn fingerprint_is_the_same_for_the_same_body_only(store: AnyStore) {
    assert_eq!(store.fingerprint(b"body"), store.fingerprint(b"body"));
    assert_ne!(store.fingerprint(b"body"), store.fingerprint(b"bodY"));
    assert_ne!(store.fingerprint(b""), [0; 32]);
}

pub(in super::super) async fn same_request_is_answered_from_memory(store: AnyStore) {
    let store = &store;
    let pair = reserved(store, claiming(store, "signing:a", b"body", at(0))).await;
    let pair = store.commit(commit_of(&pair, KeyState::Active, at(1)), &[]).await.unwrap();
    let replayed = async || match store.reserve(claiming(store, "signing:a", b"body", at(2)), &[]).await.unwrap() {
        ReserveOutcome::Replay(id) => id == pair.id,
        _ => false,
    };
    assert!(replayed().await);
    let other = store.reserve(claiming(store, "signing:a", b"other body", at(2)), &[]).await.unwrap();
    assert!(matches!(other, ReserveOutcome::BodyMismatch));

    let deleted = async || {
        let again = store.reserve(claiming(store, "signing:a", b"body", at(2)), &[]).await.unwrap();
        matches!(again, ReserveOutcome::Deleted)
    };
    let destroying = moved(store, &pair, KeyState::Destroying, at(3)).await;
    assert!(deleted().await, "being destroyed");
    moved(store, &destroying, KeyState::Destroyed, at(4)).await;
    assert!(deleted().await, "destroyed");
    let other = store.reserve(claiming(store, "signing:a", b"other body", at(2)), &[]).await.unwrap();
    assert!(matches!(other, ReserveOutcome::BodyMismatch));
}

pub(in super::super) async fn same_request_while_running_is_in_progress(store: AnyStore) {
    let store = &store;
    reserved(store, claiming(store, "signing:a", b"body", at(0))).await;
    let again = store.reserve(claiming(store, "signing:a", b"body", at(1)), &[]).await.unwrap();
    assert!(matches!(again, ReserveOutcome::InProgress));
    let other = store.reserve(claiming(store, "signing:a", b"other body", at(1)), &[]).await.unwrap();
    assert!(matches!(other, ReserveOutcome::BodyMismatch));
    assert_eq!(store.page(None, at(0), 10).await.unwrap().len(), 1);
}

pub(in super::super) async fn claims_are_apart_by_principal_route_and_key(store: AnyStore) {
    let store = &store;
    let first = claiming(store, "signing:0", b"body", at(0));
    let claim = first.idempotency.clone().unwrap();
    reserved(store, first).await;
    let others = [
        IdempotencyClaim { principal: "other".to_owned(), ..claim.clone() },
        IdempotencyClaim { route: "POST /other".to_owned(), ..claim.clone() },
        IdempotencyClaim { key: "other".to_owned(), ..claim },
    ];
    for (n, claim) in others.into_iter().enumerate() {
        let name = ring(&format!("signing:other-{n}"));
        reserved(store, NewReservation { idempotency: Some(claim), ..new(Some(&name), at(1)) }).await;
    }
}

pub(in super::super) async fn refused_ring_takes_no_claim(store: AnyStore) {
    let store = &store;
    active(store, &ring("signing:a"), at(0)).await;
    let refused = store.reserve(claiming(store, "signing:a", b"body", at(1)), &[]).await.unwrap();
    assert!(matches!(refused, ReserveOutcome::RingExists));
    reserved(store, claiming(store, "signing:b", b"another body", at(2))).await;
}

pub(in super::super) async fn abandonment_frees_name_and_claim(store: AnyStore) {
    let store = &store;
    let lost = reserved(store, claiming(store, "signing:a", b"body", at(0))).await;
    let lost = moved(store, &lost, KeyState::Abandoning, at(1)).await;
    let won = reserved(store, claiming(store, "signing:a", b"body", at(2))).await;
    assert_eq!((lost.generation, won.generation), (1, 2));
    moved(store, &lost, KeyState::Destroyed, at(3)).await;
    let again = store.reserve(claiming(store, "signing:a", b"body", at(4)), &[]).await.unwrap();
    assert!(matches!(again, ReserveOutcome::InProgress), "the claim of the second is untouched");
}

pub(in super::super) async fn expired_claim_is_forgotten(store: AnyStore) {
    let store = &store;
    reserved(store, claiming(store, "signing:a", b"body", at(0))).await;
    let in_time = store.reserve(claiming(store, "signing:b", b"other", at(86_399)), &[]).await.unwrap();
    assert!(matches!(in_time, ReserveOutcome::BodyMismatch));
    let late = reserved(store, claiming(store, "signing:b", b"other", at(86_400))).await;
    store.commit(commit_of(&late, KeyState::Active, at(86_400)), &[]).await.unwrap();
    let replay = store.reserve(claiming(store, "signing:b", b"other", at(86_401)), &[]).await.unwrap();
    assert!(matches!(replay, ReserveOutcome::Replay(id) if id == late.id));
}

pub(in super::super) async fn unfinished_knows_leases_and_former_lives(store: AnyStore) {
    let store = &store;
    let elsewhere = LeaseOwner { instance: "elsewhere".to_owned(), life: "second".to_owned() };
    let made_by = |name: &str, owner: LeaseOwner| NewReservation { owner, ..new(Some(&ring(name)), at(0)) };
    let former = reserved(store, made_by("signing:former", owner("first"))).await;
    let present = reserved(store, made_by("signing:present", owner("second"))).await;
    let foreign = reserved(store, made_by("signing:foreign", elsewhere)).await;
    let done = active(store, &ring("signing:done"), at(0)).await;
    let deleted = active(store, &ring("signing:deleted"), at(0)).await;
    let deleted = moved(store, &deleted, KeyState::Destroying, at(1)).await;
    let undone = reserved(store, made_by("signing:undone", owner("second"))).await;
    let undone = moved(store, &undone, KeyState::Abandoning, at(1)).await;
    let gone = active(store, &ring("signing:gone"), at(0)).await;
    let gone = moved(store, &gone, KeyState::Destroying, at(1)).await;
    let gone = moved(store, &gone, KeyState::Destroyed, at(1)).await;

    let sorted = |pairs: &[&KeyPair]| {
        let mut ids: Vec<KeyId> = pairs.iter().map(|pair| pair.id).collect();
        ids.sort();
        ids
    };
    let unfinished = async |now| {
        let pairs = store.unfinished(&owner("second"), now).await.unwrap();
        assert!(!pairs.contains(&done) && !pairs.contains(&gone));
        sorted(&pairs.iter().collect::<Vec<_>>())
    };
    let lease_over = at(0).plus(LEASE);
    let just_before = Timestamp::from_micros(lease_over.as_micros() - 1);
    assert_eq!(unfinished(just_before).await, sorted(&[&former, &deleted, &undone]));
    assert_eq!(unfinished(lease_over).await, sorted(&[&former, &present, &foreign, &deleted, &undone]));
}
