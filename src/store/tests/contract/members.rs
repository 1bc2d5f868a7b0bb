//! Members of a ring that are activated and deleted by their kid, documents that change with keys, and changes that
//! come through two handles at once.

use futures_util::future::join_all;

use super::AnyStore;
use crate::store::tests::*;
use crate::store::{
    Activation, DocumentKind, DocumentPut, DocumentWrite, ExpectedDocument, KeyPairChange, MemberDeletion, PutOutcome,
    StoredDocument,
};

/// Web keys of these kids, the first one Active.
async fn web_keys(store: &Store, kids: &[&str]) {
    for (n, kid) in kids.iter().enumerate() {
        let new = NewReservation { placement: Placement::Additional, ..new(Some(&ring("web-keys")), at(0)) };
        let pair = reserved(store, new).await;
        let state = if n == 0 { KeyState::Active } else { KeyState::PreActive };
        let commit = Commit { kid: Kid::parse(*kid).unwrap(), ..commit_of(&pair, state, at(1)) };
        store.commit(commit, &[]).await.unwrap();
    }
}

fn kid(text: &str) -> Kid {
    Kid::parse(text).unwrap()
}

/// The event of a member that is about to become `to`.
fn member_event(pair: &KeyPair, to: KeyState) -> Event {
    let action = match to {
        KeyState::Active => Action::Activated,
        KeyState::Deactivated => Action::Deactivated,
        _ => Action::DeleteCommitted,
    };
    event(action, Some(pair.id))
}

async fn activate(store: &Store, id: &str) -> Activation {
    store.activate_member(&ring("web-keys"), &kid(id), at(2), member_event).await.unwrap()
}

async fn delete(store: &Store, id: &str) -> MemberDeletion {
    let removal =
        |pair: &KeyPair| (move_of(pair, KeyState::Destroying, at(2)), member_event(pair, KeyState::Destroying));
    store.delete_member(&ring("web-keys"), &kid(id), removal).await.unwrap()
}

/// The kids of the Active keys.
async fn active_kids(store: &Store) -> Vec<String> {
    let keys = store.ring(&ring("web-keys")).await.unwrap();
    let active = keys.iter().filter(|pair| pair.state == KeyState::Active);
    active.map(|pair| pair.kid.as_ref().unwrap().to_string()).collect()
}

pub(in super::super) async fn activation_moves_two_keys_with_their_events(store: AnyStore) {
    let store = &store;
    web_keys(store, &["1", "2"]).await;
    let (epoch, revision) = (store.epoch().await.unwrap(), store.revision());
    assert!(matches!(activate(store, "1").await, Activation::Done(_)), "it is Active already");
    assert_eq!(activate(store, "3").await, Activation::NotFound);
    assert_eq!((store.epoch().await.unwrap(), store.revision()), (epoch, revision));
    assert_eq!(trail(store).await, []);

    let Activation::Done(pair) = activate(store, "2").await else { panic!("it is there") };
    assert_eq!((pair.state, pair.activated_at), (KeyState::Active, Some(at(2))));
    assert_eq!(active_kids(store).await, ["2"]);
    let actions: Vec<Action> = trail(store).await.iter().map(|event| event.action).collect();
    assert_eq!(actions, [Action::Deactivated, Action::Activated]);
    assert!(store.epoch().await.unwrap() > epoch && store.revision() > revision);

    assert_eq!(delete(store, "2").await, MemberDeletion::Active);
    assert_eq!(delete(store, "3").await, MemberDeletion::NotFound);
    let MemberDeletion::Done(pair) = delete(store, "1").await else { panic!("it does not sign") };
    assert_eq!((pair.state, pair.deleted_at), (KeyState::Destroying, Some(at(2))));
    assert_eq!(delete(store, "1").await, MemberDeletion::Done(pair), "and stays as it is");
    assert_eq!(activate(store, "1").await, Activation::NotFound);
    assert_eq!(trail(store).await.len(), 3);
}

pub(in super::super) async fn key_that_the_token_has_lost_is_not_activated(store: AnyStore) {
    web_keys(&store, &["1", "2"]).await;
    let lost =
        store.ring(&ring("web-keys")).await.unwrap().into_iter().find(|pair| pair.kid == Some(kid("2"))).unwrap();
    store.set_presence(lost.id, TokenPresence::Missing { since: at(2) }, &[]).await.unwrap();
    assert!(matches!(activate(&store, "2").await, Activation::Unfit(pair) if pair.id == lost.id));
    assert_eq!(active_kids(&store).await, ["1"]);
}

fn connection(body: &str) -> DocumentPut {
    let document = StoredDocument {
        kind: DocumentKind::Connection,
        id: "con".to_owned(),
        body: body.to_owned(),
        updated_at: at(5),
    };
    DocumentPut { document, references: Vec::new(), claims: Vec::new(), expected: ExpectedDocument::None }
}

pub(in super::super) async fn document_is_replaced_in_the_revision_that_was_read(store: AnyStore) {
    let store = &store;
    let put = async |body: &str, expected| {
        store.keep_document(DocumentPut { expected, ..connection(body) }, &[]).await.unwrap()
    };
    let read = async || store.document_revision(DocumentKind::Connection, "con").await.unwrap();
    assert_eq!(put("1", ExpectedDocument::Some).await, PutOutcome::Changed, "it is not there yet");
    assert_eq!(put("1", ExpectedDocument::None).await, PutOutcome::Done);
    let (_, first) = read().await.unwrap();
    assert_eq!(put("2", ExpectedDocument::Revision(first)).await, PutOutcome::Done);
    assert_eq!(put("3", ExpectedDocument::Revision(first)).await, PutOutcome::Changed);
    let (document, second) = read().await.unwrap();
    assert_eq!(document.body, "2");
    assert!(second > first);
    assert_eq!(put("4", ExpectedDocument::Some).await, PutOutcome::Done);
    assert_eq!(put("5", ExpectedDocument::Any).await, PutOutcome::Done);
    assert_eq!(put("6", ExpectedDocument::Revision(second)).await, PutOutcome::Changed);
    assert_eq!(read().await.unwrap().0.body, "5");
}

pub(in super::super) async fn name_is_claimed_by_one_document_of_its_kind(store: AnyStore) {
    let store = &store;
    let set = |id: &str, names: &[&str]| {
        let document = StoredDocument {
            kind: DocumentKind::AdditionalKeySet,
            id: id.to_owned(),
            body: "{}".to_owned(),
            updated_at: at(5),
        };
        let claims = names.iter().map(|name| (*name).to_owned()).collect();
        DocumentPut { document, references: Vec::new(), claims, expected: ExpectedDocument::Any }
    };
    let keep = async |put| store.keep_document(put, &[]).await.unwrap();
    assert_eq!(keep(set("a", &["x", "y"])).await, PutOutcome::Done);
    let claimed = PutOutcome::Claimed { name: "y".to_owned(), holder: "a".to_owned() };
    assert_eq!(keep(set("b", &["z", "y"])).await, claimed);
    assert_eq!(store.document(DocumentKind::AdditionalKeySet, "b").await.unwrap(), None);
    assert_eq!(keep(set("c", &["z"])).await, PutOutcome::Done, "what was refused claims nothing");
    assert_eq!(keep(set("a", &["x"])).await, PutOutcome::Done);
    assert_eq!(keep(set("b", &["y"])).await, PutOutcome::Done, "let go by its holder");
    assert!(store.delete_document(DocumentKind::AdditionalKeySet, "a", &[]).await.unwrap());
    assert_eq!(keep(set("b", &["x", "y"])).await, PutOutcome::Done, "let go with its holder");
}

pub(in super::super) async fn documents_change_with_keys_or_not_at_all(store: AnyStore) {
    let store = &store;
    let name = ring("connection:con");
    let first = reserved(store, new(Some(&name), at(0))).await;
    let change = |pair: &KeyPair, write| KeyPairChange {
        commits: vec![commit_of(pair, KeyState::Active, at(1))],
        documents: vec![write],
        ..KeyPairChange::default()
    };
    let require = || DocumentWrite::Require { kind: DocumentKind::Connection, id: "con".to_owned() };
    let refused = store.change(change(&first, require()), &[]).await;
    assert!(matches!(refused, Err(StoreError::DocumentChanged)), "{refused:?}");
    assert_eq!(store.ring(&name).await.unwrap(), []);
    store.change(change(&first, DocumentWrite::Put(connection("1"))), &[]).await.unwrap();
    assert_eq!(store.ring(&name).await.unwrap().len(), 1);

    let second = NewReservation { placement: Placement::Successor, ..new(Some(&name), at(2)) };
    let second = reserved(store, second).await;
    let again = KeyPairChange {
        commits: vec![commit_of(&second, KeyState::PreActive, at(2))],
        documents: vec![DocumentWrite::Put(connection("2"))],
        ..KeyPairChange::default()
    };
    assert!(matches!(store.change(again, &[]).await, Err(StoreError::DocumentExists)));
    let all = store.ring(&name).await.unwrap();
    assert_eq!(all.len(), 1);
    let removal = KeyPairChange {
        moves: vec![move_of(&all[0], KeyState::Destroying, at(3))],
        documents: vec![DocumentWrite::Remove { kind: DocumentKind::Connection, id: "con".to_owned() }],
        ..KeyPairChange::default()
    };
    let events = [event(Action::SettingsRemoved, None)];
    store.change(removal.clone(), &events).await.unwrap();
    assert_eq!(store.document(DocumentKind::Connection, "con").await.unwrap(), None);
    assert_eq!(trail(store).await.len(), 1);
}

/// Two handles on one database, as two daemons have them.
pub(in super::super) async fn activations_through_two_handles_are_never_lost(one: AnyStore, other: AnyStore) {
    let kids = ["1", "2", "3", "4"];
    web_keys(&one, &kids).await;
    for round in 0..5 {
        let both = kids.iter().enumerate().map(|(n, kid)| {
            let store = if (n + round) % 2 == 0 { &one } else { &other };
            activate(store, kid)
        });
        let outcomes = join_all(both).await;
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Activation::Done(_))), "{outcomes:?}");
        assert_eq!(active_kids(&other).await.len(), 1);
    }
    let (activate, delete) = tokio::join!(activate(&one, "4"), delete(&other, "4"));
    let signs = active_kids(&one).await == ["4"];
    assert_eq!(matches!(activate, Activation::Done(_)), signs, "{activate:?}");
    assert_eq!(matches!(delete, MemberDeletion::Active), signs, "{delete:?}");
}

/// Each of two handles adds its letters to a document that it has read.
pub(in super::super) async fn changes_of_a_document_through_two_handles_are_never_lost(one: AnyStore, other: AnyStore) {
    one.keep_document(connection(""), &[]).await.unwrap();
    let add = async |store: &Store, letter: char| {
        loop {
            let (document, revision) = store.document_revision(DocumentKind::Connection, "con").await.unwrap().unwrap();
            let put = connection(&format!("{}{letter}", document.body));
            let put = DocumentPut { expected: ExpectedDocument::Revision(revision), ..put };
            if store.keep_document(put, &[]).await.unwrap() == PutOutcome::Done {
                return;
            }
        }
    };
    for _ in 0..10 {
        tokio::join!(add(&one, 'a'), add(&other, 'b'), add(&other, 'c'));
    }
    let body = one.document(DocumentKind::Connection, "con").await.unwrap().unwrap().body;
    for letter in ['a', 'b', 'c'] {
        assert_eq!(body.matches(letter).count(), 10, "{body}");
    }
}
