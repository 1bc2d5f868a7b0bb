//! Keys that a signature did not find.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Bench, admin, ring, wanted};
use crate::provider::ProviderError;
use crate::provider::double::{Fault, unavailable};
use crate::services::custody::missing_keys::MissingKeys;

/// A keyring that has made its inventory at start.
async fn inventoried() -> Bench {
    let bench = Bench::new().await;
    bench.keyring.inventory_due.store(false, Ordering::SeqCst);
    bench
}

#[tokio::test]
async fn key_is_marked_only_if_the_token_does_not_find_it_either_and_found_again() {
    let bench = inventoried().await;
    let made = bench.keyring.generate(&admin(), wanted("a")).await.unwrap();
    let (key, mut missing) = (made.pair.id, MissingKeys::new(Arc::clone(&bench.keyring)));
    let is_missing = async || bench.keyring.active(&admin(), &ring("a")).await.unwrap().missing;
    missing.confirm(BTreeSet::from([key])).await;
    assert!(!is_missing().await, "it is there");
    *bench.double.prove_fault.lock().unwrap() = Some(Fault::Refuse(unavailable()));
    missing.confirm(BTreeSet::from([key])).await;
    assert!(!is_missing().await, "nobody knows");
    *bench.double.prove_fault.lock().unwrap() = Some(Fault::Refuse(ProviderError::KeyMissing));
    missing.confirm(BTreeSet::from([key])).await;
    assert!(is_missing().await);
    assert!(!bench.keyring.inventory_due.load(Ordering::SeqCst), "one key is one key");
    missing.look_again().await;
    assert!(!is_missing().await, "it is back");
}

#[tokio::test]
async fn two_keys_that_are_missing_ask_for_an_inventory() {
    let bench = inventoried().await;
    let mut missing = MissingKeys::new(Arc::clone(&bench.keyring));
    for (name, asked) in [("a", false), ("b", true)] {
        let made = bench.keyring.generate(&admin(), wanted(name)).await.unwrap();
        *bench.double.prove_fault.lock().unwrap() = Some(Fault::Refuse(ProviderError::KeyMissing));
        missing.confirm(BTreeSet::from([made.pair.id])).await;
        assert_eq!(bench.keyring.inventory_due.load(Ordering::SeqCst), asked, "{name}");
    }
}
