//! How fast hosts come back.

use std::time::Duration;

use super::supervise::delay_after;

#[test]
fn the_first_restart_is_immediate_and_the_rest_double_up_to_half_a_minute() {
    let delays: Vec<u64> = (0..=9).map(|setbacks| delay_after(setbacks).as_secs()).collect();
    assert_eq!(delays, [0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
    assert_eq!(delay_after(u32::MAX), Duration::from_secs(30));
}
