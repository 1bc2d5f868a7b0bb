//! Stock: claimed once, and by nobody who saw it otherwise.

use super::AnyStore;
use crate::store::tests::*;

/// A key in stock, made then.
async fn stocked(store: &Store, now: Timestamp) -> KeyPair {
    let pair = reserved(store, new(None, now)).await;
    store.commit(commit_of(&pair, KeyState::Stocked, now), &[]).await.unwrap()
}

/// A wish for a ring that a key of the stock fulfils.
fn wish(stock: &KeyPair, name: &str, now: Timestamp) -> NewReservation {
    let (id, locator) = (stock.id, stock.locator.clone());
    NewReservation { id, locator, stock: Some(stock.version), ..new(Some(&ring(name)), now) }
}

async fn next(store: &Store, since: Timestamp) -> Option<KeyPair> {
    store.next_stocked(KeyAlgorithm::P256, KeyUse::Sign, since).await.unwrap()
}

pub(in super::super) async fn stock_is_claimed_once_and_becomes_a_reservation(store: AnyStore) {
    let store = &store;
    let stock = stocked(store, at(0)).await;
    assert!(is_forbidden(&store.transition(move_of(&stock, KeyState::Reserved, at(1)), &[]).await), "by a claim only");
    let pair = reserved(store, wish(&stock, "signing:a", at(5))).await;
    assert_eq!((pair.id, pair.state, pair.version), (stock.id, KeyState::Reserved, stock.version + 1));
    assert_eq!((&pair.ring, pair.generation), (&Some(ring("signing:a")), 1));
    assert_eq!((&pair.spki, &pair.kid, pair.created_at), (&stock.spki, &None, at(5)));
    let late = store.reserve(wish(&stock, "signing:b", at(6)), &[]).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    assert!(matches!(store.reserve(new(pair.ring.as_ref(), at(6)), &[]).await, Ok(ReserveOutcome::RingExists)));
    let active = store.commit(commit_of(&pair, KeyState::Active, at(7)), &[]).await.unwrap();
    assert_eq!((active.id, active.state), (stock.id, KeyState::Active));
}

pub(in super::super) async fn stock_that_is_not_as_it_was_seen_is_not_claimed(store: AnyStore) {
    let store = &store;
    let stock = stocked(store, at(0)).await;
    let other_algorithm = NewReservation { algorithm: KeyAlgorithm::P384, ..wish(&stock, "signing:a", at(1)) };
    let other_use = NewReservation { key_use: KeyUse::Decrypt, ..wish(&stock, "signing:a", at(1)) };
    let other_place = NewReservation { locator: Locator::new().unwrap(), ..wish(&stock, "signing:a", at(1)) };
    for wrong in [other_algorithm, other_use, other_place] {
        assert!(matches!(store.reserve(wrong, &[]).await, Err(StoreError::Conflict)));
    }
    store.set_presence(stock.id, TokenPresence::Unseen { since: at(1) }, &[]).await.unwrap();
    assert!(matches!(store.reserve(wish(&stock, "signing:a", at(2)), &[]).await, Err(StoreError::Conflict)));
    assert_eq!(store.pair(stock.id).await.unwrap().unwrap().state, KeyState::Stocked);
}

pub(in super::super) async fn oldest_usable_key_of_the_stock_comes_first(store: AnyStore) {
    let store = &store;
    assert_eq!(next(store, at(0)).await, None);
    let mut stock = Vec::new();
    for second in [1, 2, 3] {
        stock.push(stocked(store, at(second)).await);
    }
    let expected = reserved(store, new(None, at(4))).await;
    reserved(store, new(Some(&ring("signing:a")), at(5))).await;
    let listed: Vec<_> = store.stock().await.unwrap().into_iter().map(|pair| pair.id).collect();
    assert_eq!(listed, [stock[0].id, stock[1].id, stock[2].id, expected.id]);

    assert_eq!(next(store, at(0)).await.as_ref(), Some(&stock[0]));
    assert_eq!(next(store, at(1)).await.as_ref(), Some(&stock[1]), "the first is too old");
    store.set_presence(stock[1].id, TokenPresence::Unseen { since: at(4) }, &[]).await.unwrap();
    assert_eq!(next(store, at(1)).await.as_ref(), Some(&stock[2]), "the second may be missing");
    assert_eq!(store.next_stocked(KeyAlgorithm::P384, KeyUse::Sign, at(0)).await.unwrap(), None);
}

pub(in super::super) async fn claim_that_is_abandoned_frees_ring_and_request(store: AnyStore) {
    let store = &store;
    let stock = stocked(store, at(0)).await;
    let request = claim(store, b"body", at(1000));
    let wish = NewReservation { idempotency: Some(request.clone()), ..wish(&stock, "signing:a", at(1)) };
    let pair = reserved(store, wish).await;
    assert!(matches!(store.prior_outcome(&request, at(2)).await, Ok(Some(ReserveOutcome::InProgress))));
    assert_eq!(store.unfinished(&owner("second"), at(2)).await.unwrap()[0].id, pair.id, "of a former life");
    moved(store, &pair, KeyState::Abandoning, at(2)).await;
    assert!(matches!(store.prior_outcome(&request, at(3)).await, Ok(None)));
    reserved(store, new(Some(&ring("signing:a")), at(3))).await;
}
