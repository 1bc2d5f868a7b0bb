//! PINs: refused once, known to all, tried by one daemon at a time.

use super::AnyStore;
use crate::store::tests::*;
use crate::store::{KnownPin, PinTrial, PinTrialEnd, PinTrialOutcome};

const TOKEN: &str = "serial 1";

fn trial(hash: &str, life: &str, now: Timestamp) -> PinTrial {
    PinTrial {
        token: TOKEN.to_owned(),
        hash: hash.to_owned(),
        compared: Vec::new(),
        again: false,
        owner: owner(life),
        now,
        lease: LEASE,
    }
}

async fn begin(store: &Store, hash: &str, life: &str, now: Timestamp) -> PinTrialOutcome {
    store.begin_pin_trial(&trial(hash, life, now)).await.unwrap()
}

async fn end(store: &Store, hash: &str, life: &str, end: PinTrialEnd) {
    store.end_pin_trial((TOKEN, hash), &owner(life), end, at(9)).await.unwrap();
}

fn known(hash: &str, worked: bool) -> KnownPin {
    KnownPin { token: TOKEN.to_owned(), hash: hash.to_owned(), worked }
}

pub(in super::super) async fn refused_pin_is_tried_once_by_whichever_daemon(store: AnyStore) {
    let store = &store;
    assert_eq!(begin(store, "a", "one", at(0)).await, PinTrialOutcome::Granted);
    assert_eq!(store.known_pins().await.unwrap(), [known("a", false)], "on record before it is tried");
    assert_eq!(begin(store, "b", "other", at(0)).await, PinTrialOutcome::Busy);
    end(store, "a", "one", PinTrialEnd::Refused).await;
    for life in ["one", "other"] {
        assert_eq!(begin(store, "a", life, at(1)).await, PinTrialOutcome::Refused);
        assert_eq!(begin(store, "b", life, at(1)).await, PinTrialOutcome::Unseen, "it may be the same PIN");
    }
    let compared = PinTrial { compared: vec!["a".to_owned()], ..trial("b", "other", at(1)) };
    assert_eq!(store.begin_pin_trial(&compared).await.unwrap(), PinTrialOutcome::Granted);
    end(store, "b", "other", PinTrialEnd::Worked).await;
    let mut all = store.known_pins().await.unwrap();
    all.sort_by(|one, other| one.hash.cmp(&other.hash));
    assert_eq!(all, [known("a", false), known("b", true)]);
    // One that works is tried by all at once.
    for life in ["one", "other", "third"] {
        assert_eq!(begin(store, "b", life, at(2)).await, PinTrialOutcome::Granted);
    }
    store.forget_refused_pins().await.unwrap();
    assert_eq!(store.known_pins().await.unwrap(), [known("b", true)]);
}

pub(in super::super) async fn pin_that_worked_is_tried_once_more_after_a_refusal(store: AnyStore) {
    let store = &store;
    begin(store, "a", "one", at(0)).await;
    end(store, "a", "one", PinTrialEnd::Worked).await;
    assert_eq!(begin(store, "a", "other", at(1)).await, PinTrialOutcome::Granted);
    end(store, "a", "other", PinTrialEnd::Refused).await;
    let again = |life| PinTrial { again: true, ..trial("a", life, at(2)) };
    assert_eq!(begin(store, "a", "one", at(2)).await, PinTrialOutcome::Refused);
    assert_eq!(store.begin_pin_trial(&again("one")).await.unwrap(), PinTrialOutcome::Granted);
    assert_eq!(store.begin_pin_trial(&again("other")).await.unwrap(), PinTrialOutcome::Busy);
    end(store, "a", "one", PinTrialEnd::Refused).await;
    assert_eq!(store.begin_pin_trial(&again("other")).await.unwrap(), PinTrialOutcome::Refused);
}

pub(in super::super) async fn attempts_that_are_cut_short_are_bounded(store: AnyStore) {
    let store = &store;
    assert_eq!(begin(store, "a", "one", at(0)).await, PinTrialOutcome::Granted);
    // The daemon dies; another waits for the end of its lease.
    assert_eq!(begin(store, "a", "other", at(30)).await, PinTrialOutcome::Busy);
    assert_eq!(begin(store, "a", "other", at(60)).await, PinTrialOutcome::Granted);
    assert_eq!(begin(store, "a", "third", at(600)).await, PinTrialOutcome::Refused);
    store.forget_refused_pins().await.unwrap();
    assert_eq!(begin(store, "a", "third", at(601)).await, PinTrialOutcome::Granted);
    end(store, "a", "third", PinTrialEnd::NotTried).await;
    assert_eq!(store.known_pins().await.unwrap(), [], "the token never saw it");
    assert_eq!(begin(store, "a", "one", at(602)).await, PinTrialOutcome::Granted);
}

pub(in super::super) async fn pin_that_another_replaces_is_refused(store: AnyStore) {
    let store = &store;
    begin(store, "old", "one", at(0)).await;
    end(store, "old", "one", PinTrialEnd::Worked).await;
    let new = PinTrial { compared: vec!["old".to_owned()], ..trial("new", "one", at(1)) };
    assert_eq!(store.begin_pin_trial(&new).await.unwrap(), PinTrialOutcome::Granted);
    end(store, "new", "one", PinTrialEnd::Worked).await;
    assert_eq!(begin(store, "old", "other", at(2)).await, PinTrialOutcome::Unseen);
    let old = PinTrial { compared: vec!["new".to_owned()], ..trial("old", "other", at(2)) };
    assert_eq!(store.begin_pin_trial(&old).await.unwrap(), PinTrialOutcome::Refused);
    // The record of a state directory changes nothing that is known.
    store.remember_refused_pin(known("new", false), at(3)).await.unwrap();
    store.remember_refused_pin(known("moved", false), at(3)).await.unwrap();
    let mut all = store.known_pins().await.unwrap();
    all.sort_by(|one, other| one.hash.cmp(&other.hash));
    assert_eq!(all, [known("moved", false), known("new", true), known("old", false)]);
}

/// Daemons with the same wrong PIN, each with a hash of its own.
pub(in super::super) async fn one_of_many_handles_tries_a_pin(one: AnyStore, other: AnyStore) {
    let wishes = (0..8).map(|n| {
        let store = if n % 2 == 0 { &one } else { &other };
        let (hash, life) = (format!("hash {n}"), format!("life {n}"));
        async move { begin(store, &hash, &life, at(0)).await }
    });
    let outcomes = futures_util::future::join_all(wishes).await;
    let granted = outcomes.iter().filter(|outcome| **outcome == PinTrialOutcome::Granted).count();
    assert_eq!(granted, 1, "{outcomes:?}");
}
