//! Changes of rings: several members and moves, all of them or nothing.

use super::*;
use crate::services::lifecycle::{InitialState, KidScheme, NewRingKey, Placement, RingChange, StateChange};

const ES256: SignatureAlgorithm = SignatureAlgorithm::ECDSA_SHA256;

fn connection() -> RingId {
    RingId::new(RingKind::Connection, "c").unwrap()
}

fn member(entry: InitialState) -> NewRingKey {
    NewRingKey {
        initial_state: entry,
        kid_scheme: KidScheme::Thumbprint,
        provider: ProviderKind::Hsm,
        key_use: KeyUse::Sign,
        algorithm: KeyAlgorithm::P256,
        signature_algorithm: ES256,
        permitted: vec![ES256],
        certificate: None,
    }
}

fn change(placement: Placement, entries: &[InitialState]) -> RingChange {
    RingChange {
        ring: connection(),
        placement,
        keys: entries.iter().copied().map(member).collect(),
        state_changes: Vec::new(),
        reason: "a test".to_owned(),
        fence: None,
        deadline: Duration::from_secs(60),
    }
}

fn to(pair: &strongroom_domain::key::KeyPair, to: KeyState) -> StateChange {
    StateChange { pair: pair.clone(), to, reason: "its turn".to_owned() }
}

#[tokio::test]
async fn members_join_and_others_move_in_one_transaction() {
    let bench = Bench::new().await;
    let first = change(Placement::NewRing, &[InitialState::Active, InitialState::PreActive]);
    let made = bench.keyring.change_ring(&admin(), first).await.unwrap().created;
    assert_eq!([made[0].state, made[1].state], [KeyState::Active, KeyState::PreActive]);
    assert_ne!(made[0].kid, made[1].kid);

    let mut second = change(Placement::Successor, &[InitialState::PreActive]);
    second.state_changes = vec![to(&made[0], KeyState::Deactivated), to(&made[1], KeyState::Active)];
    let changed = bench.keyring.change_ring(&admin(), second).await.unwrap();
    let states: Vec<_> = changed.moved.iter().chain(&changed.created).map(|pair| pair.state).collect();
    assert_eq!(states, [KeyState::Deactivated, KeyState::Active, KeyState::PreActive]);
    assert_eq!(bench.double.locators().len(), 3);
    let trail = bench.store.audit(0, 100).await.unwrap();
    assert_eq!(trail.iter().filter(|(_, event)| event.detail == "its turn").count(), 2);
    assert!(reconciler(&bench.keyring).reconcile(ReconcileMode::ReportOnly).await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn failure_at_the_second_member_undoes_the_first() {
    let bench = Bench::new().await;
    let mut two = change(Placement::NewRing, &[InitialState::Active, InitialState::PreActive]);
    // The second cannot be certified: its subject has no name.
    let names = CertificateNames::Given { subject: Subject::default(), alternative_names: Vec::new() };
    two.keys[1].certificate = Some(CertificateSpec { names, valid_days: 1, profile: CertificateProfile::Signing });
    let failure = bench.keyring.change_ring(&admin(), two).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::Invalid, "{failure:?}");
    assert!(bench.double.locators().is_empty());
    assert!(bench.store.ring(&connection()).await.unwrap().is_empty());
    let again = change(Placement::NewRing, &[InitialState::Active]);
    assert_eq!(bench.keyring.change_ring(&admin(), again).await.unwrap().created.len(), 1, "the name is free");
}

#[tokio::test]
async fn change_of_a_ring_that_has_changed_is_refused_and_leaves_nothing() {
    let bench = Bench::new().await;
    let first = change(Placement::NewRing, &[InitialState::Active, InitialState::PreActive]);
    let made = bench.keyring.change_ring(&admin(), first).await.unwrap().created;
    let turn = || RingChange {
        state_changes: vec![to(&made[0], KeyState::Deactivated), to(&made[1], KeyState::Active)],
        ..change(Placement::Successor, &[InitialState::PreActive])
    };
    bench.keyring.change_ring(&admin(), turn()).await.unwrap();
    let (before, objects) = (bench.store.ring(&connection()).await.unwrap(), bench.double.locators());
    let refused = bench.keyring.change_ring(&admin(), turn()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused:?}");
    assert_eq!((bench.store.ring(&connection()).await.unwrap(), bench.double.locators()), (before, objects));
}

#[tokio::test]
async fn successor_is_refused_while_another_is_on_its_way() {
    let bench = Bench::new().await;
    bench.keyring.change_ring(&admin(), change(Placement::NewRing, &[InitialState::Active])).await.unwrap();
    let who = admin();
    let successors =
        (0..4).map(|_| bench.keyring.change_ring(&who, change(Placement::Successor, &[InitialState::PreActive])));
    let outcomes = futures_util::future::join_all(successors).await;
    let made = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    for refused in outcomes.iter().filter_map(|outcome| outcome.as_ref().err()) {
        assert_eq!(refused.kind(), ErrorKind::Conflict);
        assert!(refused.public().contains("another key pair is being made"), "{refused}");
    }
    assert!(made >= 1);
    assert_eq!(bench.store.ring(&connection()).await.unwrap().len(), 1 + made);
}

#[tokio::test]
async fn change_by_a_sweeper_that_was_overtaken_is_refused() {
    let bench = Bench::new().await;
    let made =
        bench.keyring.change_ring(&admin(), change(Placement::NewRing, &[InitialState::Active])).await.unwrap().created;
    let owner = LeaseOwner { instance: "test".to_owned(), life: "first".to_owned() };
    let lease = async || {
        let taken = bench.store.lease_sweep(&owner, bench.clock.now(), Duration::from_secs(60)).await;
        taken.unwrap().unwrap().fence
    };
    let (old, _latest) = (lease().await, lease().await);
    let overtaken = RingChange { fence: Some(old), ..change(Placement::Successor, &[InitialState::PreActive]) };
    let refused = bench.keyring.change_ring(&admin(), overtaken).await.unwrap_err();
    assert!(matches!(refused.source_as(), Some(crate::store::StoreError::Fenced)), "{refused:?}");
    assert_eq!(bench.store.ring(&connection()).await.unwrap(), made);
    assert_eq!(bench.double.locators().len(), 1);
}

#[tokio::test]
async fn moves_alone_need_no_provider() {
    let bench = Bench::new().await;
    let first = change(Placement::NewRing, &[InitialState::Active, InitialState::PreActive]);
    let made = bench.keyring.change_ring(&admin(), first).await.unwrap().created;
    bench.double.away.store(true, Ordering::SeqCst);
    let mut turn = change(Placement::Successor, &[]);
    turn.state_changes = vec![to(&made[0], KeyState::Deactivated), to(&made[1], KeyState::Active)];
    let moved = bench.keyring.change_ring(&admin(), turn).await.unwrap().moved;
    assert_eq!([moved[0].state, moved[1].state], [KeyState::Deactivated, KeyState::Active]);
}
