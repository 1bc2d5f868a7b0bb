//! The rate limit.

use std::time::{SystemTime, UNIX_EPOCH};

use super::served;
use crate::harness::{AUDITOR, Answer, Scratch};
use reqwest::Method;

const PATH: &str = "/api/v2/connections/con_limited/keys";

#[test]
fn each_credential_has_its_own_allowance_and_is_told_what_is_left() {
    let dir = Scratch::new();
    let daemon = served(&dir, "[auth0]\nrate-limit = 3");
    // Not across the end of a minute, which gives everybody a new allowance.
    let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    while seconds() % 60 > 50 {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let left = |answer: &Answer| answer.header("x-ratelimit-remaining").to_owned();
    for remaining in ["2", "1", "0"] {
        let answer = daemon.get(PATH).expect(404);
        assert_eq!(left(&answer), remaining);
        assert_eq!(answer.header("x-ratelimit-limit"), "3");
    }
    let refused = daemon.get(PATH).expect(429);
    assert_eq!(refused.json()["errorCode"], "too_many_requests");
    assert_eq!(left(&refused), "0");
    let reset: u64 = refused.header("x-ratelimit-reset").parse().unwrap();
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert_eq!(reset % 60, 0);
    assert!((1..=60).contains(&wait) && seconds().abs_diff(reset - wait) <= 2, "{wait} {reset}");

    assert_eq!(left(&daemon.call(Method::GET, PATH).bearer(AUDITOR).send().expect(404)), "2");
    for _ in 0..3 {
        daemon.call(Method::GET, PATH).anonymous().send().expect(401);
    }
    daemon.call(Method::GET, PATH).bearer("somebody-unknown").send().expect(429);
    assert_eq!(left(&daemon.call(Method::GET, PATH).bearer(AUDITOR).send().expect(404)), "1");
    daemon.get("/v1/keys").expect(200);
}
