//! Sealed keys, what seals them, and certificates that are replaced.

use futures_util::future::join_all;

use super::AnyStore;
use crate::store::MasterKey;
use crate::store::tests::*;
use strongroom_domain::key::SealedKey;

fn sealed(byte: u8) -> SealedKey {
    SealedKey::from_bytes(vec![byte; 40])
}

fn master(version: i64) -> MasterKey {
    MasterKey { version, sealed: vec![7; 60], created_at: at(version) }
}

async fn local(store: &Store, name: &str) -> KeyPair {
    let wish = NewReservation { provider: ProviderKind::Local, ..new(Some(&ring(name)), at(0)) };
    let pair = reserved(store, wish).await;
    let commit = Commit { sealed: Some(sealed(1)), ..commit_of(&pair, KeyState::Active, at(1)) };
    store.commit(commit, &[]).await.unwrap()
}

pub(in super::super) async fn sealed_half_is_kept_replaced_and_erased(store: AnyStore) {
    let store = &store;
    let pair = local(store, "signing:a").await;
    assert_eq!(pair.sealed, Some(sealed(1)));
    let (epoch, revision) = (store.epoch().await.unwrap(), store.revision());
    let resealed = [event(Action::Resealed, Some(pair.id))];
    let later = store.reseal(pair.id, pair.version, sealed(2), &resealed).await.unwrap();
    assert_eq!((later.sealed.clone(), later.version), (Some(sealed(2)), pair.version + 1));
    let grown = (store.epoch().await.unwrap(), store.revision());
    assert_eq!(grown, (epoch + 1, revision + 1), "caches hold sealed halves");
    assert!(is_conflict(&store.reseal(pair.id, pair.version, sealed(3), &resealed).await));

    let pair = moved(store, &later, KeyState::Destroying, at(2)).await;
    assert_eq!(pair.sealed, Some(sealed(2)));
    let pair = moved(store, &pair, KeyState::Destroyed, at(3)).await;
    assert_eq!(pair.sealed, None);
    assert!(is_conflict(&store.reseal(pair.id, pair.version, sealed(3), &resealed).await), "a tombstone stays empty");
    assert_eq!(trail(store).await, resealed);
}

pub(in super::super) async fn key_in_a_token_is_given_no_sealed_half(store: AnyStore) {
    let pair = active(&store, &ring("signing:a"), at(0)).await;
    assert!(is_conflict(&store.reseal(pair.id, pair.version, sealed(1), &[]).await));
}

pub(in super::super) async fn master_keys_are_added_once_each(store: AnyStore) {
    assert_eq!(store.master_keys().await.unwrap(), []);
    let made = [event(Action::MasterAdded, None)];
    store.add_master_key(master(1), &made).await.unwrap();
    let outcomes = join_all((0..4).map(|_| store.add_master_key(master(2), &made))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert_eq!(outcomes.iter().filter(|outcome| is_conflict(outcome)).count(), 3);
    assert_eq!(store.master_keys().await.unwrap(), [master(1), master(2)]);
    assert_eq!(trail(&store).await.len(), 2);
}

pub(in super::super) async fn first_master_key_is_not_made_where_keys_are_sealed(store: AnyStore) {
    local(&store, "signing:a").await;
    let outcome = store.add_master_key(master(1), &[]).await;
    assert!(matches!(outcome, Err(StoreError::Inconsistent(_))), "{outcome:?}");
    assert_eq!(store.master_keys().await.unwrap(), []);
}

pub(in super::super) async fn retired_master_keys_seal_nothing_any_more(store: AnyStore) {
    let store = &store;
    let under = |version| SealedKey::under(version, &[9; 40]);
    let committing = async |name: &str, version| {
        let wish = NewReservation { provider: ProviderKind::Local, ..new(Some(&ring(name)), at(0)) };
        let pair = reserved(store, wish).await;
        let commit = Commit { sealed: Some(under(version)), ..commit_of(&pair, KeyState::Active, at(1)) };
        store.commit(commit, &[]).await
    };
    let retired = [event(Action::MasterRetired, None)];
    let pair = committing("signing:a", 1).await.unwrap();
    assert!(!store.retire_masters(2, &retired).await.unwrap(), "a key is sealed under master key 1");
    assert_eq!((store.oldest_master().await.unwrap(), trail(store).await.len()), (0, 0));

    let pair = store.reseal(pair.id, pair.version, under(2), &[]).await.unwrap();
    assert!(store.retire_masters(2, &retired).await.unwrap());
    assert_eq!(store.oldest_master().await.unwrap(), 2);
    let refused = store.reseal(pair.id, pair.version, under(1), &[]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let refused = committing("signing:b", 1).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    committing("signing:c", 2).await.unwrap();

    assert!(store.retire_masters(1, &[]).await.unwrap());
    assert_eq!(store.oldest_master().await.unwrap(), 2, "it only grows");
    assert_eq!(trail(store).await, retired);
}

pub(in super::super) async fn certificates_of_a_visible_key_are_replaced_at_once(store: AnyStore) {
    let store = &store;
    let pair = active(store, &ring("signing:a"), at(0)).await;
    let epoch = store.epoch().await.unwrap();
    let leaf = chain()[..1].to_vec();
    let changed = [event(Action::CertificatesReplaced, Some(pair.id))];
    let later = store.replace_certificates(CertificateReplacement::new(&pair, leaf.clone()), &changed).await.unwrap();
    let expected = KeyPair { certificates: leaf.clone(), version: pair.version + 1, ..pair.clone() };
    assert_eq!(later, expected);
    assert_eq!(store.epoch().await.unwrap(), epoch + 1);
    assert!(is_conflict(&store.replace_certificates(CertificateReplacement::new(&pair, leaf.clone()), &changed).await));
    let gone = moved(store, &later, KeyState::Destroying, at(2)).await;
    assert!(is_conflict(&store.replace_certificates(CertificateReplacement::new(&gone, leaf), &changed).await));
    assert_eq!(trail(store).await, changed);
}
