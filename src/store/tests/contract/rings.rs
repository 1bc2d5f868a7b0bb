//! Key pairs among each other.

use futures_util::future::join_all;

use super::AnyStore;
use crate::store::tests::*;
use strongroom_domain::key::RingKind;

pub(in super::super) async fn ring_is_refused_a_second_key_until_its_name_is_free(store: AnyStore) {
    let store = &store;
    let name = ring("signing:a");
    let refused = async || matches!(store.reserve(new(Some(&name), at(9)), &[]).await, Ok(ReserveOutcome::RingExists));

    let pair = reserved(store, new(Some(&name), at(0))).await;
    assert!(refused().await, "reserved");
    let pair = store.commit(commit_of(&pair, KeyState::PreActive, at(1)), &[]).await.unwrap();
    assert!(refused().await, "pre-active");
    let pair = moved(store, &pair, KeyState::Active, at(2)).await;
    assert!(refused().await, "active");
    let pair = moved(store, &pair, KeyState::Deactivated, at(3)).await;
    assert!(refused().await, "deactivated");
    moved(store, &pair, KeyState::Destroying, at(4)).await;
    assert!(!refused().await, "being destroyed");
}

pub(in super::super) async fn generation_counts_tombstones(store: AnyStore) {
    let store = &store;
    let name = ring("signing:a");
    for generation in 1..=3 {
        let pair = active(store, &name, at(0)).await;
        assert_eq!(pair.generation, generation);
        let pair = moved(store, &pair, KeyState::Destroying, at(1)).await;
        moved(store, &pair, KeyState::Destroyed, at(2)).await;
    }
    assert_eq!(active(store, &ring("signing:b"), at(3)).await.generation, 1);
}

pub(in super::super) async fn locator_names_one_living_key(store: AnyStore) {
    let store = &store;
    let first = new(Some(&ring("signing:a")), at(0));
    let second = NewReservation { locator: first.locator.clone(), ..new(Some(&ring("signing:b")), at(0)) };
    let elsewhere = NewReservation { provider: ProviderKind::Local, ..second.clone() };
    let pair = reserved(store, first).await;
    assert!(is_conflict(&store.reserve(second.clone(), &[]).await));
    let pair = moved(store, &pair, KeyState::Abandoning, at(1)).await;
    assert!(is_conflict(&store.reserve(second.clone(), &[]).await), "its key may still be there");
    moved(store, &pair, KeyState::Destroyed, at(2)).await;
    reserved(store, second).await;
    let elsewhere = NewReservation { id: KeyId::new(at(0)).unwrap(), ring: Some(ring("signing:c")), ..elsewhere };
    reserved(store, elsewhere).await;
}

pub(in super::super) async fn hundred_reservations_at_once_are_all_kept(store: AnyStore) {
    let names: Vec<RingId> = (0..100).map(|n| ring(&format!("signing:{n}"))).collect();
    let pairs = join_all(names.iter().map(|name| reserved(&store, new(Some(name), at(0))))).await;
    let page = store.page(None, at(0), 1000).await.unwrap();
    assert_eq!(page.len(), 100);
    assert!(pairs.iter().all(|pair| page.contains(pair)));
}

pub(in super::super) async fn one_ring_wanted_by_many_goes_to_one(store: AnyStore) {
    let name = ring("signing:wanted");
    let outcomes = join_all((0..20).map(|_| store.reserve(new(Some(&name), at(0)), &[]))).await;
    let count = |wanted: fn(&ReserveOutcome) -> bool| {
        outcomes.iter().filter(|outcome| wanted(outcome.as_ref().unwrap())).count()
    };
    assert_eq!(count(|outcome| matches!(outcome, ReserveOutcome::Reserved(_))), 1);
    assert_eq!(count(|outcome| matches!(outcome, ReserveOutcome::RingExists)), 19);
}

pub(in super::super) async fn ring_lists_only_what_its_users_see(store: AnyStore) {
    let store = &store;
    let name = ring("signing:a");
    let pair = reserved(store, new(Some(&name), at(0))).await;
    assert_eq!(store.ring(&name).await.unwrap(), []);
    let mut pair = store.commit(commit_of(&pair, KeyState::PreActive, at(1)), &[]).await.unwrap();
    for to in [KeyState::Active, KeyState::Deactivated] {
        assert_eq!(store.ring(&name).await.unwrap(), [pair.clone()]);
        pair = moved(store, &pair, to, at(2)).await;
    }
    assert_eq!(store.ring(&name).await.unwrap(), [pair.clone()]);
    moved(store, &pair, KeyState::Destroying, at(3)).await;
    assert_eq!(store.ring(&name).await.unwrap(), []);
    assert_eq!(store.ring(&ring("signing:b")).await.unwrap(), []);
}

pub(in super::super) async fn active_of_kind_is_ordered_by_creation(store: AnyStore) {
    let store = &store;
    let late = active(store, &ring("signing:late"), at(9)).await;
    let early = active(store, &ring("signing:early"), at(1)).await;
    let middle = active(store, &ring("signing:middle"), at(5)).await;
    active(store, &ring("connection:other"), at(2)).await;
    reserved(store, new(Some(&ring("signing:unborn")), at(3))).await;
    let gone = active(store, &ring("signing:gone"), at(4)).await;
    moved(store, &gone, KeyState::Deactivated, at(5)).await;

    assert_eq!(store.active_of_kind(RingKind::Signing).await.unwrap(), [early, middle, late]);
    assert_eq!(store.active_of_kind(RingKind::WebKeys).await.unwrap(), []);

    let mut twins = Vec::new();
    for n in 0..5 {
        twins.push(active(store, &ring(&format!("sslClient:{n}")), at(7)).await);
    }
    twins.sort_by_key(|pair| pair.id);
    assert_eq!(store.active_of_kind(RingKind::SslClient).await.unwrap(), twins);
}
