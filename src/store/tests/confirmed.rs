use std::time::Instant;

use crate::store::{EPOCH_VALID_FOR, EpochCache, EpochReading};

fn seen(epoch: i64) -> EpochReading {
    EpochReading { epoch, asked: Instant::now() }
}

#[test]
fn what_nobody_confirms_is_not_used() {
    let cache = EpochCache::default();
    let put = || cache.insert_if_unchanged('a', 1, cache.snapshot(0));
    put();
    assert_eq!(cache.get(&'a', 0), None, "no epoch was ever seen");
    cache.observe_epoch(EpochReading { epoch: 1, asked: Instant::now().checked_sub(EPOCH_VALID_FOR).unwrap() });
    put();
    assert_eq!(cache.get(&'a', 0), None, "the epoch is old");
    cache.observe_epoch(seen(1));
    assert_eq!(cache.get(&'a', 0), Some(1));
    assert_eq!(cache.get(&'b', 0), None, "another key");
    assert_eq!(cache.get(&'a', 1), None, "another revision");
    cache.observe_epoch(seen(2));
    assert_eq!(cache.get(&'a', 0), None, "another epoch");
}

#[test]
fn what_was_read_before_a_change_is_not_kept_after_it() {
    let cache = EpochCache::default();
    cache.observe_epoch(seen(1));
    let begun = cache.snapshot(0);
    cache.observe_epoch(seen(2));
    cache.insert_if_unchanged('a', 1, begun);
    assert_eq!(cache.get(&'a', 0), None);
    let begun = cache.snapshot(0);
    cache.snapshot(1);
    cache.insert_if_unchanged('a', 1, begun);
    assert_eq!((cache.get(&'a', 0), cache.get(&'a', 1)), (None, None));
}
