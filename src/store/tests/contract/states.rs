//! Suspended and compromised keys.

use super::super::*;
use super::AnyStore;
use strongroom_domain::key::KeyName;

pub(in super::super) async fn suspended_key_returns_where_it_came_from_and_nowhere_else(store: AnyStore) {
    let store = &*store;
    for (n, origin) in [KeyState::PreActive, KeyState::Active, KeyState::Deactivated].into_iter().enumerate() {
        let name = ring(&format!("signing:r{n}"));
        let pair = reserved(store, new(Some(&name), at(0))).await;
        let first = if origin == KeyState::PreActive { KeyState::PreActive } else { KeyState::Active };
        let mut before = store.commit(commit_of(&pair, first, at(1)), &[]).await.unwrap();
        if origin == KeyState::Deactivated {
            before = moved(store, &before, KeyState::Deactivated, at(2)).await;
        }
        let step = Transition { unpublished: true, ..move_of(&before, KeyState::Suspended, at(3)) };
        let pair = store.transition(step, &[]).await.unwrap();
        assert_eq!((pair.suspended_from, pair.unpublished), (Some(origin), true));
        for other in [KeyState::PreActive, KeyState::Active, KeyState::Deactivated] {
            if other != origin {
                let step = Transition { reactivate: true, ..move_of(&pair, other, at(4)) };
                assert!(is_forbidden(&store.transition(step, &[]).await), "{origin} to {other}");
            }
        }
        let after = moved(store, &pair, origin, at(5)).await;
        assert_eq!(after, KeyPair { version: before.version + 2, ..before }, "as if nothing had been");
    }
}

pub(in super::super) async fn suspended_key_keeps_its_place_until_another_becomes_active(store: AnyStore) {
    let (store, name) = (&*store, ring("signing:a"));
    let first = active(store, &name, at(0)).await;
    let first = moved(store, &first, KeyState::Suspended, at(1)).await;
    assert_eq!(store.ring(&name).await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(
        store.active_of_kind(name.kind()).await.unwrap(),
        std::slice::from_ref(&first),
        "it is still the ring's own"
    );
    let next = reserved(store, NewReservation { placement: Placement::Successor, ..new(Some(&name), at(2)) }).await;
    let idle = Commit { active_if_none: true, ..commit_of(&next, KeyState::PreActive, at(2)) };
    let next = store.commit(idle, &[]).await.unwrap();
    assert_eq!(next.state, KeyState::PreActive, "the place is taken");
    let next = moved(store, &next, KeyState::Active, at(3)).await;
    let succeeded = store.pair(first.id).await.unwrap().unwrap();
    assert_eq!(
        (succeeded.state, succeeded.suspended_from, succeeded.deactivated_at),
        (KeyState::Suspended, Some(KeyState::Deactivated), Some(at(3)))
    );
    assert!(is_conflict(&store.transition(move_of(&first, KeyState::Active, at(4)), &[]).await));
    assert_eq!(store.active_of_kind(name.kind()).await.unwrap(), [next]);
    let back = moved(store, &succeeded, KeyState::Deactivated, at(5)).await;
    assert_eq!(back.deactivated_at, Some(at(3)));
}

pub(in super::super) async fn compromised_key_is_named_and_in_no_ring(store: AnyStore) {
    let (store, name) = (&*store, ring("signing:a"));
    let pair = active(store, &name, at(0)).await;
    let pair = moved(store, &pair, KeyState::Compromised, at(1)).await;
    assert_eq!((pair.compromised_at, pair.awaits_successor), (Some(at(1)), true));
    assert_eq!(store.ring(&name).await.unwrap(), []);
    assert_eq!(store.rings(None, 10).await.unwrap(), []);
    assert_eq!(store.active_of_kind(name.kind()).await.unwrap(), []);
    assert_eq!(store.find_by_name(&KeyName::Id(pair.id)).await.unwrap(), Some(pair.clone()));
    let ends = [KeyState::PendingDestruction, KeyState::Destroying];
    for to in KeyState::ALL.into_iter().filter(|to| !ends.contains(to)) {
        let step = Transition { reactivate: true, ..move_of(&pair, to, at(2)) };
        assert!(is_forbidden(&store.transition(step, &[]).await), "{to}");
    }
    let pair = moved(store, &pair, KeyState::Destroying, at(3)).await;
    let pair = moved(store, &pair, KeyState::Destroyed, at(4)).await;
    assert_eq!((pair.compromised_at, pair.awaits_successor), (Some(at(1)), false));
}

pub(in super::super) async fn compromised_key_awaits_the_next_active_one_of_its_ring(store: AnyStore) {
    let (store, name) = (&*store, ring("connection:a"));
    let first = active(store, &name, at(0)).await;
    let next = reserved(store, NewReservation { placement: Placement::Successor, ..new(Some(&name), at(0)) }).await;
    let next = store.commit(commit_of(&next, KeyState::PreActive, at(1)), &[]).await.unwrap();
    let waiting = moved(store, &next, KeyState::Suspended, at(2)).await;
    let first = moved(store, &first, KeyState::Compromised, at(3)).await;
    assert_eq!(store.ring_to_plan(&name).await.unwrap(), [first.clone(), waiting.clone()]);
    assert_eq!(store.due_rings(at(3), 10).await.unwrap().len(), 1, "a sweep looks at it");
    let waiting = moved(store, &waiting, KeyState::PreActive, at(4)).await;
    moved(store, &waiting, KeyState::Active, at(5)).await;
    assert!(!store.pair(first.id).await.unwrap().unwrap().awaits_successor);
    assert_eq!(store.ring_to_plan(&name).await.unwrap().len(), 1);
}

pub(in super::super) async fn public_key_that_was_compromised_never_comes_back(store: AnyStore) {
    let store = &*store;
    let pair = active(store, &ring("signing:a"), at(0)).await;
    let again = reserved(store, new(Some(&ring("signing:b")), at(0))).await;
    let pair = moved(store, &pair, KeyState::Compromised, at(1)).await;
    let comes_back = |at| store.commit(commit_of(&again, KeyState::Active, at), &[]);
    assert!(matches!(comes_back(at(2)).await, Err(StoreError::Compromised)));
    let pair = moved(store, &pair, KeyState::Destroying, at(3)).await;
    moved(store, &pair, KeyState::Destroyed, at(4)).await;
    assert!(matches!(comes_back(at(5)).await, Err(StoreError::Compromised)), "not even when it is destroyed");
}

pub(in super::super) async fn key_about_to_be_destroyed_is_named_and_in_no_ring(store: AnyStore) {
    let (store, name) = (&*store, ring("signing:a"));
    let pair = active(store, &name, at(0)).await;
    let pending = scheduled(store, &pair, at(1), at(9)).await;
    assert_eq!((pending.suspended_from, pending.destroy_at), (Some(KeyState::Active), Some(at(9))));
    assert!(!pending.is_current());
    assert_eq!(store.ring(&name).await.unwrap(), []);
    assert_eq!(store.active_of_kind(name.kind()).await.unwrap(), []);
    assert_eq!(store.find_by_name(&KeyName::Id(pair.id)).await.unwrap().as_ref(), Some(&pending));
    assert_eq!(store.ring_to_plan(&name).await.unwrap(), std::slice::from_ref(&pending));
    assert_eq!(store.due_rings(at(1), 10).await.unwrap().len(), 1, "a sweep looks at it");
    let back = moved(store, &pending, KeyState::Suspended, at(2)).await;
    assert_eq!((back.suspended_from, back.destroy_at), (Some(KeyState::Active), None));
    assert_eq!(store.ring(&name).await.unwrap(), std::slice::from_ref(&back));
    let again = scheduled(store, &back, at(3), at(8)).await;
    assert_eq!(again.suspended_from, Some(KeyState::Active), "the state before both");
    moved(store, &again, KeyState::Destroying, at(8)).await;
}

pub(in super::super) async fn name_of_a_key_about_to_be_destroyed_is_free(store: AnyStore) {
    let (store, name) = (&*store, ring("signing:a"));
    let old = active(store, &name, at(0)).await;
    let old = scheduled(store, &old, at(1), at(9)).await;
    let new = active(store, &name, at(2)).await;
    let kid = KeyName::Kid(new.kid.clone().unwrap());
    assert_eq!((old.kid.as_ref(), new.generation), (new.kid.as_ref(), 2));
    assert_eq!(store.find_by_name(&kid).await.unwrap().map(|pair| pair.id), Some(new.id), "the kid is free as well");
    let old = store.pair(old.id).await.unwrap().unwrap();
    assert_eq!(old.suspended_from, Some(KeyState::Deactivated), "another is Active");
    let back = moved(store, &old, KeyState::Suspended, at(3)).await;
    assert_eq!(back.suspended_from, Some(KeyState::Deactivated));
    assert_eq!(store.ring(&name).await.unwrap(), [new, back]);
}

pub(in super::super) async fn compromised_key_stays_compromised_through_a_cancelled_destruction(store: AnyStore) {
    let (store, name) = (&*store, ring("signing:a"));
    let pair = active(store, &name, at(0)).await;
    let pair = moved(store, &pair, KeyState::Compromised, at(1)).await;
    let pending = scheduled(store, &pair, at(2), at(9)).await;
    assert_eq!((pending.suspended_from, pending.compromised_at), (None, Some(at(1))));
    assert!(is_forbidden(&store.transition(move_of(&pending, KeyState::Suspended, at(3)), &[]).await));
    let back = moved(store, &pending, KeyState::Compromised, at(3)).await;
    assert_eq!((back.compromised_at, back.destroy_at, back.awaits_successor), (Some(at(1)), None, false));
}

async fn scheduled(store: &Store, pair: &KeyPair, now: Timestamp, destroy_at: Timestamp) -> KeyPair {
    let step = move_of(pair, KeyState::PendingDestruction, now);
    store.transition(Transition { destroy_at: Some(destroy_at), ..step }, &[]).await.unwrap()
}
