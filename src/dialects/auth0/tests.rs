#![allow(clippy::unwrap_used, reason = "tests")]

use super::algorithm::SigningAlg;
use super::rate_limit::{Allowance, Window};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::KeyAlgorithm;
use strongroom_formats::jose;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000 + 999_999)
}

#[test]
fn an_allowance_lasts_a_minute_and_is_never_overdrawn() {
    let mut window = Window::default();
    let allowance = |remaining, reset| Allowance { limit: 2, remaining, reset };
    assert_eq!(window.count(at(60), 2), allowance(Some(1), 120));
    assert_eq!(window.count(at(119), 2), allowance(Some(0), 120));
    assert_eq!(window.count(at(119), 2), allowance(None, 120));
    assert_eq!(window.count(at(119), 2), allowance(None, 120));
    assert_eq!(window.count(at(120), 2), allowance(Some(1), 180));
    // A clock that was set back does not lock anybody out.
    assert_eq!(window.count(at(30), 2), allowance(Some(1), 60));
}

#[test]
fn every_signing_algorithm_is_the_one_that_jose_calls_so() {
    for name in ["RS256", "RS384", "RS512", "PS256", "PS384", "ES256", "ES384"] {
        for rsa in [KeyAlgorithm::RSA_2048, KeyAlgorithm::RSA_3072, KeyAlgorithm::RSA_4096] {
            let (key, signature) = SigningAlg::named(name).unwrap().algorithms(rsa);
            assert_eq!(jose::algorithm_name(key, signature), Some(name));
            assert!(!name.starts_with(['R', 'P']) || key == rsa, "{name}");
        }
    }
    for name in ["PS512", "ES512", "EdDSA", "HS256", "none", "", "rs256", "RS256 "] {
        let fault = SigningAlg::named(name).unwrap_err();
        assert!(fault.ends_with("must be one of RS256, RS384, RS512, PS256, PS384, ES256, ES384"), "{fault}");
    }
}
