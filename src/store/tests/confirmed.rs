use std::time::Instant;

use crate::store::{CONFIRMED, Confirmed, SeenEpoch};

fn seen(epoch: i64) -> SeenEpoch {
    SeenEpoch { epoch, asked: Instant::now() }
}

#[test]
fn what_nobody_confirms_is_not_used() {
    let cache = Confirmed::default();
    let put = || cache.put('a', 1, cache.begin(0));
    put();
    assert_eq!(cache.get(&'a', 0), None, "no epoch was ever seen");
    cache.confirm(SeenEpoch { epoch: 1, asked: Instant::now().checked_sub(CONFIRMED).unwrap() });
    put();
    assert_eq!(cache.get(&'a', 0), None, "the epoch is old");
    cache.confirm(seen(1));
    assert_eq!(cache.get(&'a', 0), Some(1));
    assert_eq!(cache.get(&'b', 0), None, "another key");
    assert_eq!(cache.get(&'a', 1), None, "another revision");
    cache.confirm(seen(2));
    assert_eq!(cache.get(&'a', 0), None, "another epoch");
}

#[test]
fn what_was_read_before_a_change_is_not_kept_after_it() {
    let cache = Confirmed::default();
    cache.confirm(seen(1));
    let begun = cache.begin(0);
    cache.confirm(seen(2));
    cache.put('a', 1, begun);
    assert_eq!(cache.get(&'a', 0), None);
    let begun = cache.begin(0);
    cache.begin(1);
    cache.put('a', 1, begun);
    assert_eq!((cache.get(&'a', 0), cache.get(&'a', 1)), (None, None));
}
