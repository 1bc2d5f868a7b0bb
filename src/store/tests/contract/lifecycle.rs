//! One key pair from its reservation to its tombstone.

use futures_util::future::join_all;

use super::AnyStore;
use crate::store::tests::*;

pub(in super::super) async fn reservation_and_commit_keep_every_field(store: AnyStore) {
    let name = ring("signing:full name: with colon");
    let wish = new(Some(&name), at(0));
    let pair = reserved(&store, wish.clone()).await;
    let expected = KeyPair {
        id: wish.id,
        ring: Some(name),
        generation: 1,
        state: KeyState::Reserved,
        missing_since: None,
        missing: false,
        provider: wish.provider,
        locator: wish.locator,
        sealed: None,
        origin: wish.origin,
        key_use: wish.key_use,
        algorithm: wish.algorithm,
        signature_algorithm: wish.signature_algorithm,
        permitted: wish.permitted,
        kid: None,
        spki: None,
        certificates: Vec::new(),
        created_at: at(0),
        activated_at: None,
        deactivated_at: None,
        suspended_from: None,
        unpublished: false,
        compromised_at: None,
        awaits_successor: false,
        destroy_at: None,
        deleted_at: None,
        destroyed_at: None,
        version: 1,
    };
    assert_eq!(pair, expected);
    assert_eq!(store.pair(pair.id).await.unwrap().as_ref(), Some(&expected));

    let committed = store.commit(commit_of(&pair, KeyState::Active, at(1)), &[]).await.unwrap();
    let expected = KeyPair {
        state: KeyState::Active,
        kid: Some(Kid::parse("a-kid").unwrap()),
        spki: Some(spki()),
        certificates: chain(),
        activated_at: Some(at(1)),
        version: 2,
        ..expected
    };
    assert_eq!(committed, expected);
    assert_eq!(store.pair(pair.id).await.unwrap(), Some(expected));
    assert_eq!(store.pair(KeyId::new(at(0)).unwrap()).await.unwrap(), None);
}

pub(in super::super) async fn only_one_of_two_commits_wins(store: AnyStore) {
    let pair = reserved(&store, new(Some(&ring("signing:a")), at(0))).await;
    let attempts = (0..2).map(|_| store.commit(commit_of(&pair, KeyState::Active, at(1)), &[]));
    let outcomes = join_all(attempts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| is_conflict(outcome)).count(), 1);
    assert_eq!(store.pair(pair.id).await.unwrap().unwrap().version, 2);
}

pub(in super::super) async fn only_one_of_commit_and_abandonment_wins(store: AnyStore) {
    for round in 0..20 {
        let pair = reserved(&store, new(Some(&ring(&format!("signing:{round}"))), at(0))).await;
        let (commit, abandonment) = tokio::join!(
            store.commit(commit_of(&pair, KeyState::Active, at(1)), &[]),
            store.transition(move_of(&pair, KeyState::Abandoning, at(1)), &[]),
        );
        assert!(commit.is_ok() != abandonment.is_ok(), "{commit:?} {abandonment:?}");
        assert!(is_conflict(&commit) || is_conflict(&abandonment), "{commit:?} {abandonment:?}");
    }
}

pub(in super::super) async fn only_one_of_two_transitions_wins(store: AnyStore) {
    let pair = active(&store, &ring("signing:a"), at(0)).await;
    let attempts =
        [KeyState::Deactivated, KeyState::Destroying].map(|to| store.transition(move_of(&pair, to, at(1)), &[]));
    let outcomes = join_all(attempts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| is_conflict(outcome)).count(), 1);
}

pub(in super::super) async fn states_move_only_along_their_machine(store: AnyStore) {
    let store = &store;
    let pair = reserved(store, new(Some(&ring("signing:a")), at(0))).await;
    for to in [KeyState::PreActive, KeyState::Active, KeyState::Stocked, KeyState::Destroyed, KeyState::Reserved] {
        assert!(is_forbidden(&store.transition(move_of(&pair, to, at(1)), &[]).await), "{to} without a commit");
    }
    for to in [KeyState::Reserved, KeyState::Abandoning, KeyState::Deactivated, KeyState::Destroying, KeyState::Stocked]
    {
        assert!(is_forbidden(&store.commit(commit_of(&pair, to, at(1)), &[]).await), "commit as {to}");
    }
    let unchanged = store.pair(pair.id).await.unwrap().unwrap();
    assert_eq!(unchanged, pair);

    let stock = reserved(store, new(None, at(0))).await;
    assert_eq!(stock.generation, 0);
    assert!(is_forbidden(&store.commit(commit_of(&stock, KeyState::Active, at(1)), &[]).await));
    let stock = store.commit(commit_of(&stock, KeyState::Stocked, at(1)), &[]).await.unwrap();
    assert!(is_forbidden(&store.transition(move_of(&stock, KeyState::Active, at(1)), &[]).await), "no ring to sign in");
    assert!(is_conflict(&store.commit(commit_of(&stock, KeyState::Stocked, at(1)), &[]).await), "committed before");

    let unknown = KeyPair { id: KeyId::new(at(0)).unwrap(), ..pair };
    assert!(is_conflict(&store.transition(move_of(&unknown, KeyState::Abandoning, at(1)), &[]).await));
    assert!(is_conflict(&store.commit(commit_of(&unknown, KeyState::Active, at(1)), &[]).await));
}

pub(in super::super) async fn deactivated_web_key_may_become_active_again_and_no_other(store: AnyStore) {
    let store = &store;
    for (name, may) in [("web-keys", true), ("signing:a", false)] {
        let pair = active(store, &ring(name), at(0)).await;
        let pair = moved(store, &pair, KeyState::Deactivated, at(1)).await;
        assert!(is_forbidden(&store.transition(move_of(&pair, KeyState::Active, at(2)), &[]).await));
        let back = Transition { reactivate: true, ..move_of(&pair, KeyState::Active, at(2)) };
        let outcome = store.transition(back, &[]).await;
        if may {
            let pair = outcome.unwrap();
            assert_eq!((pair.activated_at, pair.deactivated_at), (Some(at(2)), None));
        } else {
            assert!(is_forbidden(&outcome));
        }
    }
}

pub(in super::super) async fn dates_follow_the_states(store: AnyStore) {
    let store = &store;
    let pair = reserved(store, new(Some(&ring("connection:a")), at(0))).await;
    let pair = store.commit(commit_of(&pair, KeyState::PreActive, at(1)), &[]).await.unwrap();
    assert_eq!(pair.activated_at, None);
    let pair = moved(store, &pair, KeyState::Active, at(2)).await;
    let pair = moved(store, &pair, KeyState::Deactivated, at(3)).await;
    let pair = moved(store, &pair, KeyState::Destroying, at(4)).await;
    assert_eq!((pair.deleted_at, pair.destroyed_at), (Some(at(4)), None));
    let pair = moved(store, &pair, KeyState::Destroyed, at(5)).await;
    assert_eq!(pair.created_at, at(0));
    assert_eq!(pair.activated_at, Some(at(2)));
    assert_eq!(pair.deactivated_at, Some(at(3)));
    assert_eq!((pair.deleted_at, pair.destroyed_at), (Some(at(4)), Some(at(5))));
    assert_eq!(pair.version, 6);
    assert_eq!(pair.certificates, chain(), "a tombstone keeps its certificates");
    assert_eq!(store.pair(pair.id).await.unwrap(), Some(pair));
}
