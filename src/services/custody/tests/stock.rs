use std::collections::{BTreeMap, HashSet};

use futures_util::future::join_all;

use super::*;
use crate::config::StockConfig;
use crate::services::custody::StockFiller;
use strongroom_domain::audit::Action;
use strongroom_domain::key::KeyPair;

const IDLE: Duration = Duration::from_secs(5);

/// A bench whose stock of P-256 keys has this target, and that has been idle long enough.
async fn stocking(target: usize) -> Bench {
    let mut bench = Bench::new().await;
    bench.keyring = Arc::new(Arc::into_inner(bench.keyring).unwrap().with_stock(policy(target)));
    *bench.double.idle.lock().unwrap() = IDLE;
    bench
}

fn policy(target: usize) -> StockConfig {
    StockConfig { targets: BTreeMap::from([(KeyAlgorithm::P256, target)]), ..StockConfig::default() }
}

fn filler(keyring: &Arc<Keyring>) -> StockFiller {
    StockFiller::new(Arc::clone(keyring))
}

impl Bench {
    /// Fills the stock up.
    async fn fill(&self) {
        while filler(&self.keyring).fill_once().await.unwrap().is_zero() {}
    }

    async fn stock(&self) -> Vec<KeyPair> {
        self.store.stock().await.unwrap()
    }

    fn generated(&self) -> usize {
        self.double.generated.load(Ordering::SeqCst)
    }

    async fn actions(&self, of: &KeyPair) -> Vec<Action> {
        let events = self.store.audit(0, 1000).await.unwrap();
        events.into_iter().filter(|(_, event)| event.key == Some(of.id)).map(|(_, event)| event.action).collect()
    }

    /// Every key of the token has its row, and there is nothing else.
    async fn agrees(&self) {
        reconciler(&self.keyring).reconcile(REPAIR).await.unwrap();
        assert!(reconciler(&self.keyring).reconcile(ReconcileMode::ReportOnly).await.unwrap().findings.is_empty());
        let rows = self.store.page(None, self.clock.now(), 1000).await.unwrap();
        assert_eq!(rows.iter().filter(|row| row.state != KeyState::Destroyed).count(), self.double.locators().len());
    }
}

#[tokio::test]
async fn hit_costs_one_signature_and_no_generation() {
    let bench = stocking(1).await;
    bench.fill().await;
    let [stocked] = bench.stock().await.try_into().unwrap();
    assert_eq!((stocked.state, &stocked.ring, stocked.generation), (KeyState::Stocked, &None, 0));
    bench.pass(Duration::from_secs(3600));
    let made = bench.keyring.generate(&admin(), wanted("a")).await.unwrap().pair;
    assert_eq!((bench.generated(), bench.double.signed.load(Ordering::SeqCst)), (1, 1));
    assert_eq!((made.id, &made.locator, &made.spki), (stocked.id, &stocked.locator, &stocked.spki));
    assert_eq!((made.state, made.generation, made.ring.clone()), (KeyState::Active, 1, Some(ring("a"))));
    assert_eq!((made.kid.clone(), made.created_at), (stocked.kid, bench.clock.now()), "created when it was asked for");
    assert!(made.leaf().is_some());
    assert_eq!(bench.actions(&made).await, [Action::Requested, Action::Stocked, Action::Requested, Action::Created]);
    assert!(bench.stock().await.is_empty());
    bench.agrees().await;
}

#[tokio::test]
async fn empty_stock_falls_back_to_generation() {
    let bench = stocking(1).await;
    bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    assert_eq!((bench.generated(), bench.double.proven.load(Ordering::SeqCst)), (1, 0));
    bench.agrees().await;
}

#[tokio::test]
async fn stock_is_filled_one_by_one_and_only_while_nobody_asks_anything() {
    let bench = stocking(3).await;
    *bench.double.idle.lock().unwrap() = Duration::from_secs(3);
    assert_eq!(filler(&bench.keyring).fill_once().await.unwrap(), Duration::from_secs(2), "two more seconds to wait");
    assert_eq!(bench.generated(), 0);
    *bench.double.idle.lock().unwrap() = IDLE;
    for level in 1..=3 {
        assert!(filler(&bench.keyring).fill_once().await.unwrap().is_zero());
        assert_eq!(bench.stock().await.len(), level);
    }
    assert!(!filler(&bench.keyring).fill_once().await.unwrap().is_zero());
    assert_eq!(bench.generated(), 3, "the target is reached");
}

#[tokio::test]
async fn stock_stops_at_its_share_of_the_partition() {
    let mut bench = stocking(5).await;
    bench.keyring =
        Arc::new(Arc::into_inner(bench.keyring).unwrap().with_stock(StockConfig { most_keys: Some(3), ..policy(5) }));
    bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    bench.fill().await;
    assert_eq!(bench.stock().await.len(), 2, "the key of the ring counts too");
}

#[tokio::test]
async fn key_that_is_too_old_is_destroyed_and_never_given_out() {
    let bench = stocking(1).await;
    bench.fill().await;
    let [old] = bench.stock().await.try_into().unwrap();
    bench.pass(Duration::from_secs(30 * 24 * 3600));
    let made = bench.keyring.generate(&admin(), wanted("a")).await.unwrap().pair;
    assert_ne!(made.id, old.id);
    bench.fill().await;
    bench.agrees().await;
    let old = bench.store.pair(old.id).await.unwrap().unwrap();
    assert_eq!(old.state, KeyState::Destroyed);
    assert!(bench.stock().await.iter().all(|pair| pair.created_at == bench.clock.now()));
}

#[tokio::test]
async fn key_that_fails_its_proof_is_destroyed_and_another_is_taken() {
    let bench = stocking(2).await;
    bench.fill().await;
    let [first, second] = bench.stock().await.try_into().unwrap();
    *bench.double.prove_fault.lock().unwrap() = Some(Fault::Refuse(ProviderError::Refused("extractable".to_owned())));
    let made = bench.keyring.generate(&admin(), wanted("a")).await.unwrap().pair;
    assert_eq!((made.id, bench.generated()), (second.id, 2));
    bench.agrees().await;
    assert_eq!(bench.store.pair(first.id).await.unwrap().unwrap().state, KeyState::Destroyed);
    assert_eq!(bench.double.locators(), [second.locator]);
}

#[tokio::test]
async fn key_that_the_token_has_lost_is_given_up() {
    let bench = stocking(1).await;
    bench.fill().await;
    let [lost] = bench.stock().await.try_into().unwrap();
    bench.double.lose(&lost.locator);
    reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap();
    bench.pass(Duration::from_secs(61));
    reconciler(&bench.keyring).reconcile(REPAIR).await.unwrap();
    bench.fill().await;
    bench.agrees().await;
    assert_eq!(bench.store.pair(lost.id).await.unwrap().unwrap().state, KeyState::Destroyed);
    assert_eq!(bench.stock().await.len(), 1, "another has taken its place");
}

#[tokio::test]
async fn token_that_is_away_at_the_claim_costs_no_stock() {
    let bench = stocking(1).await;
    bench.fill().await;
    *bench.double.prove_fault.lock().unwrap() = Some(Fault::Refuse(unavailable()));
    let failure = bench.keyring.generate(&admin(), wanted("a")).await.unwrap_err();
    assert_eq!(failure.kind(), ErrorKind::ProviderUnavailable);
    assert_eq!(bench.stock().await.len(), 1);
    bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    assert_eq!(bench.generated(), 1);
}

#[tokio::test]
async fn claims_at_the_same_time_get_different_keys() {
    let bench = stocking(4).await;
    bench.fill().await;
    let names: Vec<_> = (0..6).map(|n| format!("ring-{n}")).collect();
    let principal = admin();
    let made = join_all(names.iter().map(|name| bench.keyring.generate(&principal, wanted(name)))).await;
    let ids: HashSet<_> = made.into_iter().map(|made| made.unwrap().pair.id).collect();
    assert_eq!((ids.len(), bench.generated()), (6, 6), "four from stock, two anew");
    bench.agrees().await;
}

#[tokio::test]
async fn claim_whose_certificate_fails_is_undone_with_its_key() {
    let bench = stocking(1).await;
    bench.fill().await;
    *bench.double.sign_fault.lock().unwrap() = Some(Fault::Corrupt);
    bench.keyring.generate(&repeating("x"), wanted("a")).await.unwrap_err();
    assert!(bench.double.locators().is_empty(), "the key is gone from the token");
    let made = bench.keyring.generate(&repeating("x"), wanted("a")).await.unwrap();
    assert!(!made.replayed, "the claim of the request was given back");
    let again = bench.keyring.generate(&repeating("x"), wanted("a")).await.unwrap();
    assert_eq!((again.pair.id, again.replayed), (made.pair.id, true));
    bench.agrees().await;
}

#[tokio::test]
async fn claim_whose_owner_dies_is_undone_by_the_next_life() {
    let bench = stocking(1).await;
    bench.fill().await;
    *bench.double.sign_fault.lock().unwrap() = Some(Fault::Hang);
    let principal = admin();
    let spec = bench.keyring.generate(&principal, wanted("a"));
    assert!(tokio::time::timeout(Duration::from_millis(300), spec).await.is_err(), "its daemon dies");
    let next = bench.restarted();
    reconciler(&next).reconcile(REPAIR).await.unwrap();
    assert!(bench.double.locators().is_empty());
    next.generate(&admin(), wanted("a")).await.unwrap();
    assert!(reconciler(&next).reconcile(ReconcileMode::ReportOnly).await.unwrap().findings.is_empty());
}

#[tokio::test]
async fn generation_for_stock_whose_reply_is_lost_leaves_nothing() {
    let bench = stocking(1).await;
    *bench.double.generate_fault.lock().unwrap() = Some(Fault::LoseReply);
    filler(&bench.keyring).fill_once().await.unwrap_err();
    assert!(bench.double.locators().is_empty());
    bench.fill().await;
    assert_eq!(bench.stock().await.len(), 1);
    bench.agrees().await;
}
