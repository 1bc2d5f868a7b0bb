//! Rules over several rows, asked for at once: no update is lost, and no two changes both win that exclude each other.

use futures_util::future::join_all;

use super::AnyStore;
use crate::store::tests::*;
use crate::store::{DocumentKind, KeyPairChange, PutOutcome, StoredDocument};
use strongroom_domain::key::SealedKey;

pub(in super::super) async fn one_claim_for_many_rings_is_kept_once(store: AnyStore) {
    let store = &store;
    for round in 0..10 {
        let reserve = async |n: usize| {
            let body: &[u8] = if n < 6 { b"same" } else { b"other" };
            let key = format!("once {round}");
            let idempotency = Some(IdempotencyClaim { key, ..claim(store, body, at(1000)) });
            let name = ring(&format!("signing:{round}-{n}"));
            store.reserve(NewReservation { idempotency, ..new(Some(&name), at(0)) }, &[]).await.unwrap()
        };
        let outcomes = join_all((0..8).map(reserve)).await;
        let count = |wanted: fn(&ReserveOutcome) -> bool| outcomes.iter().filter(|outcome| wanted(outcome)).count();
        assert_eq!(count(|outcome| matches!(outcome, ReserveOutcome::Reserved(_))), 1, "{outcomes:?}");
        let refused =
            |outcome: &ReserveOutcome| matches!(outcome, ReserveOutcome::InProgress | ReserveOutcome::BodyMismatch);
        assert_eq!(count(refused), 7, "{outcomes:?}");
    }
}

pub(in super::super) async fn new_document_is_made_once(store: AnyStore) {
    let store = &store;
    for round in 0..10 {
        let put = async |n: usize| {
            let document = StoredDocument {
                kind: DocumentKind::TrustedCa,
                id: format!("ca-{round}"),
                body: format!("{n}"),
                updated_at: at(0),
            };
            (n, store.put_document(document, &[], true, &[]).await.unwrap())
        };
        let outcomes = join_all((0..8).map(put)).await;
        let made: Vec<_> = outcomes.iter().filter(|(_, outcome)| *outcome == PutOutcome::Done).collect();
        let [(maker, _)] = made[..] else { panic!("{outcomes:?}") };
        let kept = store.document(DocumentKind::TrustedCa, &format!("ca-{round}")).await.unwrap().unwrap();
        assert_eq!(kept.body, maker.to_string());
    }
}

pub(in super::super) async fn master_key_is_not_retired_beside_a_commit_under_it(store: AnyStore) {
    let store = &store;
    for round in 1..20 {
        let name = ring(&format!("signing:{round}"));
        let wish = NewReservation { provider: ProviderKind::Local, ..new(Some(&name), at(0)) };
        let pair = reserved(store, wish).await;
        let commit =
            Commit { sealed: Some(SealedKey::under(round, &[9; 40])), ..commit_of(&pair, KeyState::Active, at(1)) };
        let (committed, retired) = tokio::join!(store.commit(commit, &[]), store.retire_masters(round + 1, &[]));
        assert!(committed.is_ok() != retired.unwrap(), "{committed:?}");
        if let Ok(pair) = committed {
            let pair = moved(store, &pair, KeyState::Destroying, at(2)).await;
            moved(store, &pair, KeyState::Destroyed, at(3)).await;
            assert!(store.retire_masters(round + 1, &[]).await.unwrap(), "nothing is sealed any more");
        }
    }
}

pub(in super::super) async fn changes_of_the_same_rings_in_either_order_never_block_each_other(store: AnyStore) {
    let store = &store;
    for round in 0..10 {
        let pairs = [format!("signing:a{round}"), format!("signing:b{round}")];
        let pairs = [active(store, &ring(&pairs[0]), at(0)).await, active(store, &ring(&pairs[1]), at(0)).await];
        let change = |pairs: [&KeyPair; 2]| KeyPairChange {
            moves: pairs.map(|pair| move_of(pair, KeyState::Deactivated, at(1))).to_vec(),
            ..KeyPairChange::default()
        };
        let (one, other) = tokio::join!(
            store.change(change([&pairs[0], &pairs[1]]), &[]),
            store.change(change([&pairs[1], &pairs[0]]), &[]),
        );
        let refused = if one.is_ok() { &other } else { &one };
        assert!(one.is_ok() != other.is_ok() && is_conflict(refused), "{one:?} {other:?}");
    }
}

pub(in super::super) async fn epoch_counts_every_change_of_many_at_once(store: AnyStore) {
    let store = &store;
    let before = (store.epoch().await.unwrap(), store.revision());
    let made = join_all((0..24).map(async |n: u32| active(store, &ring(&format!("signing:{n}")), at(0)).await)).await;
    let changed = join_all(made.iter().map(|pair| store.transition(move_of(pair, KeyState::Destroying, at(1)), &[])));
    assert!(changed.await.iter().all(Result::is_ok));
    assert_eq!((store.epoch().await.unwrap(), store.revision()), (before.0 + 48, before.1 + 48));
}

pub(in super::super) async fn fence_that_is_lost_meanwhile_refuses_the_commit(store: AnyStore) {
    let store = &store;
    for round in 0..10 {
        let pair = active(store, &ring(&format!("signing:{round}")), at(0)).await;
        let old = store.lease_sweep(&owner("first"), at(0), LEASE).await.unwrap().unwrap();
        let change = KeyPairChange {
            moves: vec![move_of(&pair, KeyState::Deactivated, at(2))],
            fence: Some(old.fence),
            ..KeyPairChange::default()
        };
        let epoch = store.epoch().await.unwrap();
        let sweeper = owner("first");
        let (changed, latest) =
            tokio::join!(store.change(change.clone(), &[]), store.lease_sweep(&sweeper, at(1), LEASE));
        assert!(latest.unwrap().unwrap().fence > old.fence);
        assert!(changed.is_ok() || matches!(changed, Err(StoreError::Fenced)), "{changed:?}");
        assert_eq!(store.epoch().await.unwrap(), epoch + i64::from(changed.is_ok()));
        let again = store.change(change, &[]).await;
        assert!(matches!(again, Err(StoreError::Fenced)), "{again:?}");
    }
}
