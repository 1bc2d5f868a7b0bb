#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;

use futures_util::future::join_all;

use super::*;
use crate::auth::Scope;
use crate::provider::double::{Fault, unavailable};
use crate::services::lifecycle::{InitialState, KidScheme, NewRingKey, Placement};
use crate::services::rotation::tests::service::{Bench, admin};
use strongroom_domain::key::{KeyAlgorithm, KeyUse, ProviderKind, SignatureAlgorithm};

fn service(bench: &Bench) -> Arc<Connections> {
    Arc::new(Connections::new(Arc::clone(&bench.store), Arc::clone(&bench.keyring), bench.clock()))
}

fn connection(name: &str) -> Connection {
    Connection {
        name: name.to_owned(),
        strategy: "oidc".to_owned(),
        display_name: None,
        options: options("https://idp.example"),
    }
}

fn options(issuer: &str) -> JsonObject {
    serde_json::from_str(&format!(r#"{{"issuer":"{issuer}"}}"#)).unwrap()
}

fn keys(name: &str) -> RingChange {
    let member = |initial_state| NewRingKey {
        initial_state,
        kid_scheme: KidScheme::Thumbprint,
        provider: ProviderKind::Hsm,
        key_use: KeyUse::Sign,
        algorithm: KeyAlgorithm::P256,
        signature_algorithm: SignatureAlgorithm::ECDSA_SHA256,
        permitted: vec![SignatureAlgorithm::ECDSA_SHA256],
        certificate: None,
    };
    RingChange {
        ring: RingId::new(RingKind::Connection, Connection::id_of(name)).unwrap(),
        placement: Placement::NewRing,
        keys: vec![member(InitialState::Active), member(InitialState::PreActive)],
        state_changes: Vec::new(),
        reason: String::new(),
        fence: None,
        deadline: Duration::from_secs(60),
    }
}

fn display(name: &str) -> ConnectionChange {
    ConnectionChange { display_name: Some(name.to_owned()), options: None }
}

async fn all(bench: &Bench) -> Vec<(String, Connection)> {
    bench.catalog.connections(&admin()).await.unwrap()
}

#[tokio::test]
async fn connections_are_kept_apart_by_their_names() {
    let bench = Bench::new().await;
    let (service, admin) = (service(&bench), admin());
    let id = service.declare(&admin, connection("acme"), None).await.unwrap();
    assert_eq!(id, Connection::id_of("acme"));
    assert!(id.len() == 20 && id.strip_prefix("con_").unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let again = service.declare(&admin, connection("acme"), None).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict);
    let other = service.declare(&admin, connection("acmf"), None).await.unwrap();
    assert_ne!(other, id);

    let change = ConnectionChange { display_name: None, options: Some(options("https://other.example")) };
    let changed = service.change(&admin, &id, change, |_| None).await.unwrap();
    assert_eq!(changed, Connection { options: options("https://other.example"), ..connection("acme") });
    let mut expected = vec![(id.clone(), changed), (other, connection("acmf"))];
    expected.sort_by(|one, another| one.0.cmp(&another.0));
    assert_eq!(all(&bench).await, expected);
    service.delete(&admin, &id).await.unwrap();
    assert_eq!(service.delete(&admin, &id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(service.change(&admin, &id, display("x"), |_| None).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn connection_and_its_keys_come_and_go_together() {
    let bench = Bench::new().await;
    let (service, ring) = (service(&bench), keys("acme").ring);
    *bench.double.generate_fault.lock().unwrap() = Some(Fault::Refuse(unavailable()));
    let failure = service.declare(&admin(), connection("acme"), Some(keys("acme"))).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::ProviderUnavailable);
    assert_eq!((all(&bench).await, bench.keys(&ring).await.len()), (vec![], 0));

    let id = service.declare(&admin(), connection("acme"), Some(keys("acme"))).await.unwrap();
    assert_eq!((all(&bench).await.len(), bench.keys(&ring).await.len()), (1, 2));
    let epoch = bench.store.epoch().await.unwrap();
    service.delete(&admin(), &id).await.unwrap();
    assert_eq!((all(&bench).await, bench.keys(&ring).await.len()), (vec![], 0));
    assert!(bench.store.epoch().await.unwrap() > epoch);
    let orphans = service.make_keys(&admin(), keys("acme")).await.unwrap_err();
    assert_eq!(orphans.kind(), ErrorKind::NotFound, "keys of a connection that is gone");
    assert_eq!(bench.keys(&ring).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn declarations_at_once_make_one_connection_with_two_keys() {
    let bench = Bench::new().await;
    let service = service(&bench);
    let made = join_all((0..6).map(|_| {
        let service = Arc::clone(&service);
        async move { service.declare(&admin(), connection("acme"), Some(keys("acme"))).await }
    }));
    let outcomes = made.await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let refused = outcomes.into_iter().filter_map(Result::err).map(|failure| failure.kind());
    assert!(refused.into_iter().all(|kind| kind == ErrorKind::Conflict));
    assert_eq!((all(&bench).await.len(), bench.keys(&keys("acme").ring).await.len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_once_keep_what_each_of_them_says() {
    let bench = Bench::new().await;
    let service = service(&bench);
    let id = service.declare(&admin(), connection("acme"), None).await.unwrap();
    for round in 0..10 {
        let (name, issuer) = (format!("name {round}"), format!("https://{round}.example"));
        let who = admin();
        let change = ConnectionChange { display_name: None, options: Some(options(&issuer)) };
        let first_keys = |connection: &Connection| Some(keys(&connection.name));
        let (one, other) = tokio::join!(
            service.change(&who, &id, display(&name), |_| None),
            service.change(&who, &id, change, first_keys)
        );
        one.unwrap();
        other.unwrap();
        let (_, now) = all(&bench).await.remove(0);
        assert_eq!((now.display_name, now.options), (Some(name), options(&issuer)));
    }
    assert_eq!(bench.keys(&keys("acme").ring).await.len(), 2);
}

#[tokio::test]
async fn who_may_only_read_changes_no_connection() {
    let bench = Bench::new().await;
    let (service, catalog) = (service(&bench), &bench.catalog);
    let reader = Caller::bearer("reader", &[Scope::Read]);
    let id = service.declare(&admin(), connection("acme"), None).await.unwrap();
    assert_eq!(catalog.connection(&reader, &id).await.unwrap(), connection("acme"));
    let signer = Caller::bearer("signer", &[Scope::Sign]);
    for outcome in [
        service.declare(&reader, connection("other"), None).await.map(drop),
        service.change(&reader, &id, display("x"), |_| None).await.map(drop),
        service.delete(&reader, &id).await,
        catalog.connections(&signer).await.map(drop),
        catalog.connection(&signer, &id).await.map(drop),
    ] {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Forbidden);
    }
}

#[tokio::test]
async fn the_ring_of_a_name_is_the_declared_ones_before_any_other() {
    let bench = Bench::new().await;
    let ring = async |name| bench.catalog.connection_by_name(name).await.unwrap().map(|ring| ring.to_string());
    assert_eq!(ring("acme").await, Some("connection:acme".to_owned()));
    let id = service(&bench).declare(&admin(), connection("acme"), None).await.unwrap();
    assert_eq!(ring("acme").await, Some(format!("connection:{id}")));
    assert_eq!(ring(&"x".repeat(201)).await, None);
}
