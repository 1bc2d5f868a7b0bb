//! Documents, what they refer to, and what may go while they do.

use super::AnyStore;
use crate::store::tests::*;
use crate::store::{DocumentKind, PutOutcome, StoredDocument};

fn document(kind: DocumentKind, id: &str, body: &str) -> StoredDocument {
    StoredDocument { kind, id: id.to_owned(), body: body.to_owned(), updated_at: at(5) }
}

fn ssl(body: &str) -> StoredDocument {
    document(DocumentKind::SslSettings, "default", body)
}

fn rotation(ring: &RingId) -> StoredDocument {
    document(DocumentKind::RotationSettings, &ring.to_string(), "{}")
}

pub(in super::super) async fn documents_are_kept_replaced_and_removed(store: AnyStore) {
    let store = &store;
    let changed = [event(Action::SettingsChanged, None)];
    let first = document(DocumentKind::TrustedCa, "b", "one");
    assert_eq!(store.document(first.kind, "b").await.unwrap(), None);
    assert_eq!(store.put_document(first.clone(), &[], true, &changed).await.unwrap(), PutOutcome::Done);
    let other = StoredDocument { body: "two".to_owned(), ..first.clone() };
    assert_eq!(store.put_document(other.clone(), &[], true, &changed).await.unwrap(), PutOutcome::Exists);
    assert_eq!(store.document(first.kind, "b").await.unwrap(), Some(first.clone()));
    assert_eq!(store.put_document(other.clone(), &[], false, &changed).await.unwrap(), PutOutcome::Done);
    let before = document(DocumentKind::TrustedCa, "a", "three");
    assert_eq!(store.put_document(before.clone(), &[], true, &changed).await.unwrap(), PutOutcome::Done);
    assert_eq!(store.documents(first.kind).await.unwrap(), [before, other]);
    assert_eq!(store.documents(DocumentKind::SslSettings).await.unwrap(), []);
    assert!(store.delete_document(first.kind, "b", &changed).await.unwrap());
    assert!(!store.delete_document(first.kind, "b", &changed).await.unwrap());
    assert_eq!(store.documents(first.kind).await.unwrap().len(), 1);
    assert_eq!(trail(store).await.len(), 4, "one event for each change, none for what changed nothing");
}

pub(in super::super) async fn document_refers_only_to_rings_with_an_active_key(store: AnyStore) {
    let store = &store;
    let (there, gone) = (ring("sslServer:there"), ring("sslServer:gone"));
    active(store, &there, at(0)).await;
    let pending = reserved(store, new(Some(&gone), at(0))).await;
    let changed = [event(Action::SettingsChanged, None)];
    let wish = [there.clone(), gone.clone()];
    let refused = PutOutcome::NoSuchRing(gone.clone());
    assert_eq!(store.put_document(ssl("1"), &wish, false, &changed).await.unwrap(), refused);
    assert_eq!(store.put_document(rotation(&gone), &[], false, &changed).await.unwrap(), refused);
    assert_eq!(store.documents(DocumentKind::SslSettings).await.unwrap(), []);
    assert_eq!(trail(store).await, []);
    store.commit(commit_of(&pending, KeyState::Active, at(1)), &[]).await.unwrap();
    assert_eq!(store.put_document(ssl("1"), &wish, false, &changed).await.unwrap(), PutOutcome::Done);
    assert_eq!(store.put_document(rotation(&gone), &[], false, &changed).await.unwrap(), PutOutcome::Done);
}

pub(in super::super) async fn key_that_is_referred_to_is_not_deleted(store: AnyStore) {
    let store = &store;
    let name = ring("sslServer:used");
    let pair = active(store, &name, at(0)).await;
    let twice = [name.clone(), name.clone()];
    assert_eq!(store.put_document(ssl("1"), &twice, false, &[]).await.unwrap(), PutOutcome::Done);
    let deleted = [event(Action::DeleteCommitted, Some(pair.id))];
    let outcome = store.transition(move_of(&pair, KeyState::Destroying, at(2)), &deleted).await;
    let Err(StoreError::InUse(by)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(by, [(DocumentKind::SslSettings, "default".to_owned())]);
    assert_eq!(store.pair(pair.id).await.unwrap(), Some(pair.clone()));
    assert_eq!(trail(store).await, []);

    assert_eq!(store.put_document(ssl("2"), &[], false, &[]).await.unwrap(), PutOutcome::Done);
    store.transition(move_of(&pair, KeyState::Destroying, at(2)), &deleted).await.unwrap();
}

pub(in super::super) async fn rotation_settings_go_with_the_last_key_of_their_ring(store: AnyStore) {
    let store = &store;
    let name = ring("web-keys");
    let first = active(store, &name, at(0)).await;
    assert_eq!(
        store.put_document(rotation(&name), std::slice::from_ref(&name), false, &[]).await.unwrap(),
        PutOutcome::Done
    );
    let first = moved(store, &first, KeyState::Deactivated, at(1)).await;
    assert_eq!(store.documents(DocumentKind::RotationSettings).await.unwrap().len(), 1);
    moved(store, &first, KeyState::Destroying, at(2)).await;
    assert_eq!(store.documents(DocumentKind::RotationSettings).await.unwrap(), []);
}

pub(in super::super) async fn rotation_settings_go_with_the_certificates_that_void_them(store: AnyStore) {
    let store = &store;
    let name = ring("signing:a");
    let pair = active(store, &name, at(0)).await;
    let removed = event(Action::SettingsRemoved, None);
    let replace = async |pair: &KeyPair, rotation_settings| {
        store
            .replace_certificates(
                CertificateReplacement {
                    rotation_settings,
                    ..CertificateReplacement::new(pair, chain()[..1].to_vec())
                },
                &[],
            )
            .await
    };
    let pair = replace(&pair, RotationSettingsChange::Remove(removed.clone())).await.unwrap();
    assert_eq!(trail(store).await, [], "there was nothing to remove");
    assert_eq!(
        store.put_document(rotation(&name), std::slice::from_ref(&name), false, &[]).await.unwrap(),
        PutOutcome::Done
    );
    let later = replace(&pair, RotationSettingsChange::Keep).await.unwrap();
    assert!(is_conflict(&replace(&pair, RotationSettingsChange::Remove(removed.clone())).await));
    assert_eq!(store.documents(DocumentKind::RotationSettings).await.unwrap().len(), 1);
    replace(&later, RotationSettingsChange::Remove(removed.clone())).await.unwrap();
    assert_eq!(store.documents(DocumentKind::RotationSettings).await.unwrap(), []);
    assert_eq!(trail(store).await, [removed]);
}

pub(in super::super) async fn reference_and_deletion_never_both_win(store: AnyStore) {
    for round in 0..20 {
        let name = ring(&format!("sslServer:{round}"));
        let pair = active(&store, &name, at(0)).await;
        let wish = [name];
        let (put, deletion) = tokio::join!(
            store.put_document(ssl("1"), &wish, false, &[]),
            store.transition(move_of(&pair, KeyState::Destroying, at(1)), &[]),
        );
        assert!((put.unwrap() == PutOutcome::Done) != deletion.is_ok(), "{deletion:?}");
        assert!(deletion.is_ok() || matches!(deletion, Err(StoreError::InUse(_))), "{deletion:?}");
    }
}
