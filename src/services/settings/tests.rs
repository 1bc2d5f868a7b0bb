#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod oidc;

use std::time::Duration;

use super::*;
use crate::auth::Scope;
use crate::store::{Commit, LeaseOwner, NewReservation, Placement, ReserveOutcome, Store, StoreError, Transition};
use strongroom_domain::clock::{SystemClock, Timestamp};
use strongroom_domain::error::{Field, FieldViolation, Reason, SettingFault, TlsField, TlsServer};
use strongroom_domain::key::{
    CertificateDer, KeyAlgorithm, KeyId, KeyOrigin, KeyState, KeyUse, Kid, Locator, ProviderKind, RingKind,
    SignatureAlgorithm, SpkiDer,
};

const ES256: SignatureAlgorithm = SignatureAlgorithm::ECDSA_SHA256;

const SETTINGS: RotationSettings = RotationSettings {
    creation_buffer_days: 90,
    activation_buffer_days: 30,
    valid_days: 365,
    algorithm: KeyAlgorithm::P256,
    signature_algorithm: ES256,
};

struct Bench {
    _place: tempfile::TempDir,
    store: Arc<Store>,
    catalog: Catalog,
}

impl Bench {
    async fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(&place.path().join("store.db")).await.unwrap();
        let catalog = Catalog::new(Arc::clone(&store) as Arc<_>, Arc::new(SystemClock));
        Self { _place: place, store, catalog }
    }

    async fn ring(&self, name: &str) -> RingId {
        self.ring_of(name, KeyUse::Sign, KeyAlgorithm::P256).await
    }

    async fn ring_of(&self, name: &str, key_use: KeyUse, algorithm: KeyAlgorithm) -> RingId {
        let ring: RingId = name.parse().unwrap();
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let new = NewReservation {
            id: KeyId::new(now).unwrap(),
            ring: Some(ring.clone()),
            placement: Placement::NewRing,
            provider: ProviderKind::Hsm,
            locator: Locator::new().unwrap(),
            origin: KeyOrigin::Generated,
            key_use,
            algorithm,
            signature_algorithm: algorithm.default_signature_algorithm(),
            permitted: algorithm.usual_signature_algorithms(),
            owner: LeaseOwner { instance: "test".to_owned(), life: "one".to_owned() },
            now,
            lease: Duration::from_secs(60),
            idempotency: None,
            stock: None,
        };
        let ReserveOutcome::Reserved(pair) = self.store.reserve(new, &[]).await.unwrap() else { panic!("a new row") };
        let commit = Commit {
            id: pair.id,
            version: pair.version,
            state: KeyState::Active,
            active_if_none: false,
            kid: Kid::parse("kid").unwrap(),
            spki: spki(),
            sealed: None,
            certificates: vec![certificate()],
            now,
        };
        self.store.commit(commit, &[]).await.unwrap();
        ring
    }

    async fn delete(&self, ring: &RingId) -> Result<(), StoreError> {
        let pair = self.store.ring(ring).await.unwrap().remove(0);
        let to = KeyState::Destroying;
        let now = pair.created_at;
        let transition = Transition {
            id: pair.id,
            version: pair.version,
            to,
            reactivate: false,
            unpublished: false,
            destroy_at: None,
            now,
        };
        self.store.transition(transition, &[]).await.map(drop)
    }

    async fn actions(&self) -> Vec<Action> {
        self.store.audit(0, 100).await.unwrap().into_iter().map(|(_, event)| event.action).collect()
    }
}

fn certificate() -> CertificateDer {
    use x509_cert::der::{DecodePem as _, Encode as _};
    let leaf = x509_cert::Certificate::from_pem(include_str!("../../store/tests/leaf.pem")).unwrap();
    CertificateDer::parse(leaf.to_der().unwrap()).unwrap()
}

fn spki() -> SpkiDer {
    use x509_cert::der::{Decode as _, Encode as _};
    let leaf = x509_cert::Certificate::from_der(certificate().as_bytes()).unwrap();
    SpkiDer::parse(leaf.tbs_certificate().subject_public_key_info().to_der().unwrap()).unwrap()
}

fn who(scopes: &[Scope]) -> Caller {
    Caller::bearer("somebody", scopes)
}

fn admin() -> Caller {
    who(&[Scope::Read, Scope::Manage])
}

fn refusals(outcome: Result<(), Error>) -> Vec<FieldViolation> {
    outcome.unwrap_err().field_violations().to_vec()
}

#[tokio::test]
async fn rotation_settings_live_and_go_with_their_ring() {
    let bench = Bench::new().await;
    let (catalog, admin) = (&bench.catalog, admin());
    let absent: RingId = "signing:absent".parse().unwrap();
    let outcome = catalog.put_rotation_settings(&admin, &absent, SETTINGS).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::NotFound);

    let ring = bench.ring("signing:a").await;
    assert_eq!(catalog.rotation_settings(&admin, &ring).await.unwrap_err().kind(), ErrorKind::NotFound);
    catalog.put_rotation_settings(&admin, &ring, SETTINGS).await.unwrap();
    let later = RotationSettings { valid_days: 30, ..SETTINGS };
    catalog.put_rotation_settings(&admin, &ring, later).await.unwrap();
    assert_eq!(catalog.rotation_settings(&admin, &ring).await.unwrap(), later);
    assert_eq!(catalog.all_rotation_settings(&admin).await.unwrap(), [(ring.clone(), later)]);
    catalog.delete_rotation_settings(&admin, &ring).await.unwrap();
    let again = catalog.delete_rotation_settings(&admin, &ring).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::NotFound);
    let expected = [Action::SettingsChanged, Action::SettingsChanged, Action::SettingsRemoved];
    assert_eq!(bench.actions().await, expected);

    catalog.put_rotation_settings(&admin, &ring, SETTINGS).await.unwrap();
    bench.delete(&ring).await.unwrap();
    assert_eq!(catalog.all_rotation_settings(&admin).await.unwrap(), []);
}

#[tokio::test]
async fn ssl_settings_hold_the_key_pairs_that_they_name() {
    let bench = Bench::new().await;
    let (catalog, admin) = (&bench.catalog, admin());
    assert_eq!(catalog.ssl_settings(&admin).await.unwrap(), SslSettings::default());
    let ring = bench.ring("sslServer:a").await;
    bench.ring("signing:b").await;
    let settings = SslSettings {
        runtime_server: Some("a".to_owned()),
        admin_console: Some("a".to_owned()),
        active_runtime_server: vec!["a".to_owned()],
        active_admin_console: Vec::new(),
    };
    let kept = catalog.put_ssl_settings(&admin, settings.clone()).await.unwrap();
    let settings = SslSettings { active_admin_console: vec!["a".to_owned()], ..settings };
    assert_eq!(kept, settings, "an absent list is the default alone");
    assert_eq!(catalog.ssl_settings(&admin).await.unwrap(), settings);
    assert!(matches!(bench.delete(&ring).await, Err(StoreError::InUse(_))));

    let wrong = SslSettings {
        runtime_server: Some("b".to_owned()),
        admin_console: Some("nowhere".to_owned()),
        active_runtime_server: vec!["a".to_owned(), String::new()],
        active_admin_console: vec!["nowhere".to_owned()],
    };
    let (runtime, console) = (TlsServer::Runtime, TlsServer::AdminConsole);
    let unknown = |name: &str| SettingFault::NoSuchRing(RingKind::SslServer, name.to_owned());
    let expected = [
        (Field::Tls(runtime, TlsField::Default), unknown("b")),
        (Field::Tls(console, TlsField::Default), unknown("nowhere")),
        (Field::Tls(runtime, TlsField::Active(1)), unknown("")),
        (Field::Tls(console, TlsField::Active(0)), unknown("nowhere")),
        (Field::Tls(runtime, TlsField::Default), SettingFault::DefaultNotActive("b".to_owned())),
    ];
    let expected = expected.map(|(field, fault)| FieldViolation { field, reason: fault.into() });
    assert_eq!(catalog.unknown_ssl_rings(&admin, &wrong).await.unwrap(), expected[..4]);
    assert_eq!(refusals(catalog.put_ssl_settings(&admin, wrong).await.map(drop)), expected);
    assert_eq!(catalog.ssl_settings(&admin).await.unwrap(), settings);

    catalog.put_ssl_settings(&admin, SslSettings::default()).await.unwrap();
    bench.delete(&ring).await.unwrap();
}

#[tokio::test]
async fn trusted_cas_are_added_once_and_removed() {
    let bench = Bench::new().await;
    let (catalog, admin) = (&bench.catalog, admin());
    let ca = TrustedCa { id: "root".to_owned(), certificate: certificate() };
    catalog.add_trusted_ca(&admin, ca.clone()).await.unwrap();
    let again = catalog.add_trusted_ca(&admin, ca.clone()).await;
    let refusal = FieldViolation { field: Field::TrustedCaId, reason: Reason::IdInUse("root".to_owned()) };
    assert_eq!(refusals(again), [refusal]);
    assert_eq!(catalog.trusted_cas(&admin).await.unwrap(), [ca]);
    catalog.delete_trusted_ca(&admin, "root").await.unwrap();
    assert_eq!(catalog.delete_trusted_ca(&admin, "root").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(catalog.trusted_cas(&admin).await.unwrap(), []);
}

#[tokio::test]
async fn reader_changes_nothing_and_stranger_sees_nothing() {
    let bench = Bench::new().await;
    let catalog = &bench.catalog;
    let ring = bench.ring("signing:a").await;
    let (reader, stranger) = (who(&[Scope::Read]), who(&[Scope::Sign]));
    let ca = TrustedCa { id: "root".to_owned(), certificate: certificate() };
    for refused in [
        catalog.put_rotation_settings(&reader, &ring, SETTINGS).await,
        catalog.delete_rotation_settings(&reader, &ring).await,
        catalog.put_ssl_settings(&reader, SslSettings::default()).await.map(drop),
        catalog.unknown_ssl_rings(&reader, &SslSettings::default()).await.map(drop),
        catalog.add_trusted_ca(&reader, ca).await,
        catalog.delete_trusted_ca(&reader, "root").await,
        catalog.rotation_settings(&stranger, &ring).await.map(drop),
        catalog.all_rotation_settings(&stranger).await.map(drop),
        catalog.ssl_settings(&stranger).await.map(drop),
        catalog.trusted_cas(&stranger).await.map(drop),
    ] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Forbidden);
    }
    assert_eq!(bench.actions().await, []);
}

#[tokio::test]
async fn document_that_says_more_than_is_known_is_not_read() {
    let bench = Bench::new().await;
    let (kind, id) = (DocumentKind::SslSettings, "default".to_owned());
    let body = r#"{"activeRuntimeServer":[],"activeAdminConsole":[],"color":1}"#.to_owned();
    let document = StoredDocument { kind, id, body, updated_at: Timestamp::from_micros(0) };
    bench.store.put_document(document, &[], false, &[]).await.unwrap();
    assert_eq!(bench.catalog.ssl_settings(&admin()).await.unwrap_err().kind(), ErrorKind::Internal);
}

fn connection(name: &str) -> Connection {
    Connection {
        name: name.to_owned(),
        strategy: "oidc".to_owned(),
        display_name: None,
        options: serde_json::from_str(r#"{"issuer":"https://idp.example"}"#).unwrap(),
    }
}

#[tokio::test]
async fn connections_are_kept_apart_by_their_names() {
    let bench = Bench::new().await;
    let (catalog, admin) = (&bench.catalog, admin());
    let id = catalog.add_connection(&admin, &connection("acme")).await.unwrap();
    assert_eq!(id, Connection::id_of("acme"));
    assert!(id.len() == 20 && id.strip_prefix("con_").unwrap().bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let again = catalog.add_connection(&admin, &connection("acme")).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict);
    let other = catalog.add_connection(&admin, &connection("acmf")).await.unwrap();
    assert_ne!(other, id);

    let changed = Connection { strategy: "okta".to_owned(), ..connection("acme") };
    catalog.put_connection(&admin, &changed).await.unwrap();
    assert_eq!(catalog.connection(&admin, &id).await.unwrap(), changed);
    let mut all = vec![(id.clone(), changed), (other, connection("acmf"))];
    all.sort_by(|one, another| one.0.cmp(&another.0));
    assert_eq!(catalog.connections(&admin).await.unwrap(), all);
    catalog.delete_connection(&admin, &id).await.unwrap();
    assert_eq!(catalog.connection(&admin, &id).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(catalog.delete_connection(&admin, &id).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_ring_of_a_name_is_the_declared_ones_before_any_other() {
    let bench = Bench::new().await;
    let ring = async |name| bench.catalog.connection_by_name(name).await.unwrap().map(|ring| ring.to_string());
    assert_eq!(ring("acme").await, Some("connection:acme".to_owned()));
    let id = bench.catalog.add_connection(&admin(), &connection("acme")).await.unwrap();
    assert_eq!(ring("acme").await, Some(format!("connection:{id}")));
    assert_eq!(ring(&"x".repeat(201)).await, None);
}

#[tokio::test]
async fn who_may_only_read_changes_no_connection() {
    let bench = Bench::new().await;
    let (catalog, reader) = (&bench.catalog, who(&[Scope::Read]));
    let id = catalog.add_connection(&admin(), &connection("acme")).await.unwrap();
    assert_eq!(catalog.connection(&reader, &id).await.unwrap(), connection("acme"));
    for outcome in [
        catalog.add_connection(&reader, &connection("other")).await.map(drop),
        catalog.put_connection(&reader, &connection("acme")).await,
        catalog.delete_connection(&reader, &id).await,
        catalog.connections(&who(&[Scope::Sign])).await.map(drop),
        catalog.connection(&who(&[Scope::Sign]), &id).await.map(drop),
    ] {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Forbidden);
    }
}
