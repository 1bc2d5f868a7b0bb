//! Changes of several rows at once, and the agenda of sweeps.

use super::AnyStore;
use crate::store::tests::*;
use crate::store::{Agenda, DueRing, KeyPairChange};
use strongroom_domain::key::RingKind;

pub(in super::super) async fn change_of_several_rows_is_made_whole_or_not_at_all(store: AnyStore) {
    let store = &store;
    let name = ring("connection:c");
    let current = active(store, &name, at(0)).await;
    let next = beside(store, &name, at(1)).await;
    let next = store.commit(commit_of(&next, KeyState::PreActive, at(1)), &[]).await.unwrap();
    let new = beside(store, &name, at(2)).await;
    let change = |current: &KeyPair| KeyPairChange {
        moves: vec![move_of(current, KeyState::Deactivated, at(3)), move_of(&next, KeyState::Active, at(3))],
        commits: vec![commit_of(&new, KeyState::PreActive, at(3))],
        ..KeyPairChange::default()
    };
    let before = store.ring(&name).await.unwrap();
    let (epoch, trail_before) = (store.epoch().await.unwrap(), trail(store).await);
    let outdated = KeyPair { version: current.version + 1, ..current.clone() };
    let events = [event(Action::Activated, Some(next.id))];
    assert!(is_conflict(&store.change(change(&outdated), &events).await));
    // The last part fails: what went before is undone.
    let mut late = change(&current);
    late.commits[0].version += 1;
    assert!(is_conflict(&store.change(late, &events).await));
    assert_eq!(store.ring(&name).await.unwrap(), before);
    assert_eq!((store.epoch().await.unwrap(), trail(store).await), (epoch, trail_before));

    let rows = store.change(change(&current), &events).await.unwrap();
    let states: Vec<_> = rows.iter().map(|pair| (pair.id, pair.state)).collect();
    let expected = [(current.id, KeyState::Deactivated), (next.id, KeyState::Active), (new.id, KeyState::PreActive)];
    assert_eq!(states, expected);
    let listed: Vec<_> = store.ring(&name).await.unwrap().iter().map(|pair| pair.generation).collect();
    assert_eq!(listed, [2, 3, 1], "Active, PreActive, Deactivated");
    assert_eq!(trail(store).await.len(), 1);
}

pub(in super::super) async fn ring_never_has_two_active_keys(store: AnyStore) {
    let store = &store;
    let name = ring("web-keys");
    let current = active(store, &name, at(0)).await;
    let other = beside(store, &name, at(1)).await;
    assert!(store.commit(commit_of(&other, KeyState::Active, at(1)), &[]).await.is_err());
    let commit = Commit { active_if_none: true, ..commit_of(&other, KeyState::PreActive, at(1)) };
    let other = store.commit(commit, &[]).await.unwrap();
    assert_eq!(other.state, KeyState::PreActive, "another is Active already");
    assert!(store.transition(move_of(&other, KeyState::Active, at(2)), &[]).await.is_err());
    // In the wrong order, too: who gives way goes first.
    let moves = vec![move_of(&other, KeyState::Active, at(2)), move_of(&current, KeyState::Deactivated, at(2))];
    assert!(store.change(KeyPairChange { moves, ..KeyPairChange::default() }, &[]).await.is_err());
    assert_eq!(store.pair(current.id).await.unwrap().unwrap().state, KeyState::Active);

    let alone = reserved(store, new(Some(&ring("connection:alone")), at(3))).await;
    let commit = Commit { active_if_none: true, ..commit_of(&alone, KeyState::PreActive, at(3)) };
    let alone = store.commit(commit, &[]).await.unwrap();
    assert_eq!((alone.state, alone.activated_at), (KeyState::Active, Some(at(3))));
}

pub(in super::super) async fn second_successor_is_refused_while_one_is_on_its_way(store: AnyStore) {
    let store = &store;
    let name = ring("signing:a");
    active(store, &name, at(0)).await;
    let successor = || NewReservation { placement: Placement::Successor, ..new(Some(&name), at(1)) };
    let first = reserved(store, successor()).await;
    assert_eq!(first.generation, 2);
    assert!(matches!(store.reserve(successor(), &[]).await, Ok(ReserveOutcome::SuccessorPending)));
    moved(store, &first, KeyState::Abandoning, at(2)).await;
    assert_eq!(reserved(store, successor()).await.generation, 3, "generations are given once");
}

pub(in super::super) async fn remembered_knows_the_latest_key_of_a_kid_and_ring(store: AnyStore) {
    let store = &store;
    let (name, kid) = (ring("web-keys"), Kid::parse("a-kid").unwrap());
    assert_eq!(store.find_even_deleted(&name, &kid).await.unwrap(), None);
    let first = active(store, &name, at(0)).await;
    let first = moved(store, &first, KeyState::Destroying, at(1)).await;
    let first = moved(store, &first, KeyState::Destroyed, at(2)).await;
    assert_eq!((first.deleted_at, first.destroyed_at), (Some(at(1)), Some(at(2))));
    assert_eq!(store.find_even_deleted(&name, &kid).await.unwrap(), Some(first));
    let second = active(store, &name, at(3)).await;
    assert_eq!(store.find_even_deleted(&name, &kid).await.unwrap().map(|pair| pair.id), Some(second.id));
    assert_eq!(store.find_even_deleted(&ring("connection:c"), &kid).await.unwrap(), None);
}

pub(in super::super) async fn rings_are_paged_by_id_while_they_have_visible_keys(store: AnyStore) {
    let store = &store;
    for name in ["signing:b", "signing:a", "web-keys", "connection:c"] {
        active(store, &ring(name), at(0)).await;
    }
    reserved(store, new(Some(&ring("signing:unborn")), at(0))).await;
    let gone = active(store, &ring("signing:gone"), at(0)).await;
    moved(store, &gone, KeyState::Destroying, at(1)).await;
    let names = async |after: Option<&RingId>, limit| {
        let rings = store.rings(after, limit).await.unwrap();
        rings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names(None, 10).await, ["connection:c", "signing:a", "signing:b", "web-keys"]);
    assert_eq!(names(None, 2).await, ["connection:c", "signing:a"]);
    assert_eq!(names(Some(&ring("signing:a")), 2).await, ["signing:b", "web-keys"]);
}

pub(in super::super) async fn ring_is_due_after_each_change_until_a_plan_is_noted(store: AnyStore) {
    let store = &store;
    let (name, other) = (ring("signing:a"), ring("signing:b"));
    let pair = active(store, &name, at(0)).await;
    let due = async |now| store.due_rings(now, 10).await.unwrap();
    let first = due(at(0)).await.remove(0);
    assert_eq!(first.ring, name);
    assert!(store.set_ring_due(&first, Some(at(100))).await.unwrap());
    assert_eq!((due(at(99)).await, due(at(100)).await), (vec![], vec![first.clone()]));
    let agenda = |due, next: Option<i64>| Agenda { due, next: next.map(at) };
    assert_eq!(store.agenda(at(99)).await.unwrap(), agenda(0, Some(100)));
    assert_eq!(store.agenda(at(100)).await.unwrap(), agenda(1, None));

    // Each of these changes makes it due at once, and outdates a plan that was made before.
    let pair = store.replace_certificates(CertificateReplacement::new(&pair, chain()), &[]).await.unwrap();
    let changed = due(at(1)).await.remove(0);
    assert!(!store.set_ring_due(&first, None).await.unwrap(), "the plan is of an older ring");
    assert!(store.set_ring_due(&changed, None).await.unwrap());
    assert_eq!(due(at(1_000_000)).await, [], "nothing is planned");
    moved(store, &pair, KeyState::Deactivated, at(2)).await;
    assert_eq!(due(at(2)).await.len(), 1);

    // What no plan sees changes nothing.
    let quiet = due(at(2)).await.remove(0);
    assert!(store.set_ring_due(&quiet, None).await.unwrap());
    let reservation = beside(store, &name, at(3)).await;
    let reservation = moved(store, &reservation, KeyState::Abandoning, at(4)).await;
    moved(store, &reservation, KeyState::Destroyed, at(5)).await;
    assert_eq!(due(at(5)).await, []);

    active(store, &other, at(6)).await;
    store.make_kind_due(RingKind::Signing).await.unwrap();
    let names: Vec<_> = due(at(6)).await.into_iter().map(|ring| ring.ring).collect();
    assert_eq!(names, [name.clone(), other]);
    assert_eq!(store.due_rings(at(6), 1).await.unwrap().len(), 1);
    store.make_kind_due(RingKind::WebKeys).await.unwrap();
    let unknown = DueRing { ring: ring("signing:unknown"), version: 1 };
    assert!(!store.set_ring_due(&unknown, None).await.unwrap());
}

pub(in super::super) async fn right_to_sweep_has_one_holder_and_numbers_that_grow(store: AnyStore) {
    let store = &store;
    let elsewhere = LeaseOwner { instance: "there".to_owned(), life: "first".to_owned() };
    let take = async |who: &LeaseOwner, seconds| store.lease_sweep(who, at(seconds), LEASE).await.unwrap();
    let here = take(&owner("first"), 0).await.unwrap();
    assert_eq!(here.swept_at, None);
    assert_eq!(take(&elsewhere, 59).await, None);
    assert_eq!(take(&elsewhere, -60).await, None, "clocks differ by a little");
    // The same instance goes on, in whatever life.
    let again = take(&owner("second"), 1).await.unwrap();
    assert!(again.fence > here.fence);
    assert!(matches!(store.end_sweep(here.fence, Some(at(2)), &[]).await, Err(StoreError::Fenced)));
    // A lease ends by its time.
    assert_eq!(take(&elsewhere, 60).await, None);
    let there = take(&elsewhere, 61).await.unwrap();
    assert!(there.fence > again.fence);
    store.end_sweep(there.fence, Some(at(70)), &[event(Action::RotationResumed, None)]).await.unwrap();
    assert_eq!(trail(store).await.len(), 1);
    // Or by the word of its holder, who says when a sweep came to its end.
    let here = take(&owner("second"), 71).await.unwrap();
    assert_eq!(here.swept_at, Some(at(70)));
    store.end_sweep(here.fence, None, &[]).await.unwrap();
    assert_eq!(take(&elsewhere, 72).await.unwrap().swept_at, Some(at(70)));
    // A lease of the far future was taken under another clock.
    assert!(take(&owner("second"), 10).await.is_some());
}

pub(in super::super) async fn change_under_an_older_number_is_refused(store: AnyStore) {
    let store = &store;
    let pair = active(store, &ring("signing:a"), at(0)).await;
    let old = store.lease_sweep(&owner("first"), at(0), LEASE).await.unwrap().unwrap();
    let latest = store.lease_sweep(&owner("first"), at(1), LEASE).await.unwrap().unwrap();
    let change = |fence| KeyPairChange {
        moves: vec![move_of(&pair, KeyState::Deactivated, at(2))],
        fence,
        ..KeyPairChange::default()
    };
    let refused = store.change(change(Some(old.fence)), &[event(Action::Deactivated, Some(pair.id))]).await;
    assert!(matches!(refused, Err(StoreError::Fenced)), "{refused:?}");
    assert_eq!(store.pair(pair.id).await.unwrap(), Some(pair.clone()));
    assert_eq!(trail(store).await, []);
    assert_eq!(store.change(change(Some(latest.fence)), &[]).await.unwrap()[0].state, KeyState::Deactivated);
}

/// Reserves a key beside whatever is in a ring.
async fn beside(store: &Store, name: &RingId, now: Timestamp) -> KeyPair {
    reserved(store, NewReservation { placement: Placement::Additional, ..new(Some(name), now) }).await
}
