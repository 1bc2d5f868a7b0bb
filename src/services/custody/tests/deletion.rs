//! Deleting one key pair, alone in its ring and beside others.

use super::*;
use crate::services::lifecycle::{InitialState, KidScheme, NewRingKey, RingChange};
use crate::store::Placement;
use strongroom_domain::key::{KeyName, KeyPair};

async fn successor(bench: &Bench, name: &str) -> KeyPair {
    let NewKeyPair { ring, provider, key_use, algorithm, signature_algorithm, permitted, .. } = wanted(name);
    let (entry, kid, certificate) = (InitialState::PreActive, KidScheme::Thumbprint, None);
    let member = NewRingKey {
        initial_state: entry,
        kid_scheme: kid,
        provider,
        key_use,
        algorithm,
        signature_algorithm,
        permitted,
        certificate,
    };
    let change = RingChange {
        ring,
        placement: Placement::Successor,
        keys: vec![member],
        state_changes: Vec::new(),
        reason: String::new(),
        fence: None,
        deadline: Duration::from_secs(60),
    };
    bench.keyring.change_ring(&admin(), change).await.unwrap().created.remove(0)
}

#[tokio::test]
async fn active_key_of_a_ring_with_others_stays_and_others_go_alone() {
    let bench = Bench::new().await;
    let active = bench.keyring.generate(&admin(), wanted("a")).await.unwrap().pair;
    let next = successor(&bench, "a").await;
    assert_eq!(next.state, KeyState::PreActive);
    let delete = async |pair: &KeyPair| bench.keyring.delete_key(&admin(), &KeyName::Id(pair.id)).await;
    let refused = delete(&active).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.public().contains("signing:a"), "{}", refused.public());
    delete(&next).await.unwrap();
    assert_eq!(delete(&next).await.unwrap_err().kind(), ErrorKind::NotFound);
    reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap();
    assert_eq!(bench.double.locators(), std::slice::from_ref(&active.locator));
    assert_eq!(bench.keyring.active(&admin(), &ring("a")).await.unwrap().id, active.id);
    delete(&active).await.unwrap();
    reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap();
    assert_eq!(bench.double.locators(), []);
}

#[tokio::test]
async fn deletion_by_kid_wants_the_scope_and_one_key() {
    let bench = Bench::new().await;
    let pair = bench.keyring.generate(&admin(), wanted("a")).await.unwrap().pair;
    let name = KeyName::Kid(pair.kid.clone().unwrap());
    let reader = Caller::bearer("b", &[Scope::Read, Scope::Sign]);
    assert_eq!(bench.keyring.delete_key(&reader, &name).await.unwrap_err().kind(), ErrorKind::Forbidden);
    bench.keyring.delete_key(&admin(), &name).await.unwrap();
    assert_eq!(bench.keyring.delete_key(&admin(), &name).await.unwrap_err().kind(), ErrorKind::NotFound);
}
