//! What is kept for inventories, auditors and caches.

use super::AnyStore;
use crate::store::tests::*;

pub(in super::super) async fn page_walks_all_but_old_tombstones(store: AnyStore) {
    let store = &store;
    let mut expected = Vec::new();
    for n in 0..7 {
        expected.push(reserved(store, new(Some(&ring(&format!("signing:{n}"))), at(n))).await);
    }
    for (n, destroyed) in [(7, at(100)), (8, at(200))] {
        let pair = reserved(store, new(Some(&ring(&format!("signing:{n}"))), at(n))).await;
        let pair = moved(store, &pair, KeyState::Abandoning, at(50)).await;
        let pair = moved(store, &pair, KeyState::Destroyed, destroyed).await;
        if destroyed >= at(200) {
            expected.push(pair);
        }
    }

    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = store.page(after, at(200), 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        found.extend(page);
    }
    expected.sort_by_key(|pair| pair.id);
    assert_eq!(found, expected);
}

pub(in super::super) async fn keys_of_a_provider_are_counted_until_they_are_gone(store: AnyStore) {
    let store = &store;
    let count = async || {
        let held = async |provider| store.count_held_by(provider).await.unwrap();
        (held(ProviderKind::Hsm).await, held(ProviderKind::Local).await)
    };
    assert_eq!(count().await, (0, 0));
    reserved(store, new(Some(&ring("signing:a")), at(0))).await;
    let pair = active(store, &ring("signing:b"), at(0)).await;
    assert_eq!(count().await, (2, 0));
    let pair = moved(store, &pair, KeyState::Destroying, at(1)).await;
    assert_eq!(count().await, (2, 0), "its private half may still be there");
    moved(store, &pair, KeyState::Destroyed, at(2)).await;
    reserved(store, NewReservation { provider: ProviderKind::Local, ..new(Some(&ring("signing:c")), at(3)) }).await;
    assert_eq!(count().await, (1, 1));
}

pub(in super::super) async fn missing_mark_comes_and_goes(store: AnyStore) {
    let store = &store;
    let pair = active(store, &ring("signing:a"), at(0)).await;
    let marks = async || {
        let pair = store.pair(pair.id).await.unwrap().unwrap();
        (pair.missing_since, pair.missing, pair.version)
    };
    store.set_presence(pair.id, TokenPresence::Unseen { since: at(5) }, &[]).await.unwrap();
    assert_eq!(marks().await, (Some(at(5)), false, 3));
    store
        .set_presence(pair.id, TokenPresence::Missing { since: at(5) }, &[event(Action::Missing, Some(pair.id))])
        .await
        .unwrap();
    assert_eq!(marks().await, (Some(at(5)), true, 4));
    store.set_presence(pair.id, TokenPresence::Found, &[event(Action::Found, Some(pair.id))]).await.unwrap();
    assert_eq!(marks().await, (None, false, 5));
    assert_eq!(trail(store).await, [Action::Missing, Action::Found].map(|action| event(action, Some(pair.id))));
}

pub(in super::super) async fn missing_mark_is_refused_for_keys_that_need_not_be_there(store: AnyStore) {
    let store = &store;
    let refused = async |id| {
        let seen = [event(Action::Missing, Some(id))];
        is_conflict(&store.set_presence(id, TokenPresence::Missing { since: at(1) }, &seen).await)
    };
    let unborn = reserved(store, new(Some(&ring("signing:a")), at(0))).await;
    assert!(refused(unborn.id).await);
    let pair = active(store, &ring("signing:b"), at(0)).await;
    let pair = moved(store, &pair, KeyState::Destroying, at(1)).await;
    assert!(refused(pair.id).await);
    assert!(refused(KeyId::new(at(0)).unwrap()).await);
    assert_eq!(trail(store).await, []);
}

pub(in super::super) async fn audit_events_stand_or_fall_with_their_change(store: AnyStore) {
    let store = &store;
    let wish = new(Some(&ring("signing:a")), at(0));
    let id = Some(wish.id);
    store.reserve(wish.clone(), &[event(Action::Requested, id)]).await.unwrap();
    store.reserve(new(wish.ring.as_ref(), at(1)), &[event(Action::Requested, None)]).await.unwrap();
    let pair = store.pair(wish.id).await.unwrap().unwrap();

    let created = [event(Action::Created, id)];
    let outdated = Commit { version: 7, ..commit_of(&pair, KeyState::Active, at(1)) };
    assert!(is_conflict(&store.commit(outdated, &created).await));
    assert!(is_forbidden(&store.commit(commit_of(&pair, KeyState::Stocked, at(1)), &created).await));
    let pair = store.commit(commit_of(&pair, KeyState::Active, at(1)), &created).await.unwrap();

    let deleted = [event(Action::DeleteCommitted, id)];
    assert!(is_forbidden(&store.transition(move_of(&pair, KeyState::Destroyed, at(2)), &deleted).await));
    store.transition(move_of(&pair, KeyState::Destroying, at(2)), &deleted).await.unwrap();
    assert!(is_conflict(&store.transition(move_of(&pair, KeyState::Destroying, at(2)), &deleted).await));

    let expected = [Action::Requested, Action::Created, Action::DeleteCommitted].map(|action| event(action, id));
    assert_eq!(trail(store).await, expected);
}

pub(in super::super) async fn audit_keeps_every_action_and_is_paged_by_number(store: AnyStore) {
    let store = &store;
    let bare = Event { key: None, ring: None, request_id: None, ..event(Action::Orphaned, None) };
    let events: Vec<Event> = Action::ALL.iter().map(|action| event(*action, None)).chain([bare]).collect();
    store.record(&events).await.unwrap();
    store.record(&[]).await.unwrap();

    let first = store.audit(0, 4).await.unwrap();
    let rest = store.audit(first[3].0, 1000).await.unwrap();
    let all: Vec<_> = first.into_iter().chain(rest).collect();
    assert!(all.is_sorted_by(|(earlier, _), (later, _)| earlier < later));
    assert_eq!(all.into_iter().map(|(_, event)| event).collect::<Vec<_>>(), events);
}

pub(in super::super) async fn epoch_and_revision_grow_with_what_caches_may_know(store: AnyStore) {
    let store = &store;
    let now = async || (store.epoch().await.unwrap(), store.revision());
    let (epoch, revision) = now().await;
    let pair = reserved(store, new(Some(&ring("signing:a")), at(0))).await;
    store.record(&[event(Action::Orphaned, None)]).await.unwrap();
    store.ping().await.unwrap();
    assert!(is_forbidden(&store.transition(move_of(&pair, KeyState::Active, at(1)), &[]).await));
    assert_eq!(now().await, (epoch, revision));
    let pair = store.commit(commit_of(&pair, KeyState::Active, at(1)), &[]).await.unwrap();
    assert_eq!(now().await, (epoch + 1, revision + 1));
    let pair = moved(store, &pair, KeyState::Deactivated, at(1)).await;
    assert_eq!(now().await, (epoch + 2, revision + 2));
    store.set_presence(pair.id, TokenPresence::Missing { since: at(2) }, &[]).await.unwrap();
    assert_eq!(now().await, (epoch + 3, revision + 3));
}
