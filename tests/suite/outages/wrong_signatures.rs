//! Signatures that the token spoils.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;

use super::{BACK_WITHIN, Bench};

/// Whether the daemon itself, which verifies in software, finds a signature right.
fn is_right(bench: &Bench, signature: &str) -> bool {
    let key = &bench.keys[0];
    let request = json!({
        "algorithm": key.algorithm,
        "message": STANDARD.encode(b"what is to be signed"),
        "signature": signature,
    });
    let path = format!("/v1/keys/{}/verify", key.kid);
    bench.daemon.call(Method::POST, &path).json(&request).send().expect(200).json()["valid"] == true
}

#[test]
fn a_wrong_signature_is_never_sent_where_every_one_is_verified() {
    let bench = Bench::new(1, "verify-signatures = \"every\"");
    for _ in 0..10 {
        bench.sign(&bench.keys[0]).expect(200);
    }
    bench.faults.set("C_Sign corrupt n=6\n");
    let (mut right, mut refused) = (0, 0);
    for _ in 0..60 {
        let answer = bench.sign(&bench.keys[0]);
        if answer.status.as_u16() == 200 {
            right += 1;
            assert!(is_right(&bench, answer.json()["signature"].as_str().unwrap()), "a wrong signature was sent");
        } else {
            assert_eq!(answer.status.as_u16(), 503, "{}", answer.text());
            refused += 1;
        }
    }
    assert!(right > 0, "{right} right, {refused} refused");
    assert!(bench.metric("strongroom_wrong_signatures_total") >= 1.0);
    assert!(bench.metric("strongroom_token_host_restarts_total") >= 1.0);
    bench.faults.clear();
    bench.all_sign_within(BACK_WITHIN);
}

#[test]
fn sampling_finds_a_token_that_errs_before_long() {
    let bench = Bench::new(1, "workers = 1");
    for _ in 0..10 {
        bench.sign(&bench.keys[0]).expect(200);
    }
    bench.faults.set("C_Sign corrupt");
    let found = (0..1000).find(|_| {
        bench.sign(&bench.keys[0]);
        bench.metric("strongroom_wrong_signatures_total") >= 1.0
    });
    assert!(found.is_some(), "a thousand signatures, and nothing was noticed");
    bench.faults.clear();
    bench.all_sign_within(BACK_WITHIN + Duration::from_secs(2));
}
