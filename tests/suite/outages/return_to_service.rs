//! From the end of a fault to full service: looks without a log-in decide, and nothing waits out a back-off.

use std::time::Duration;

use super::{BACK_WITHIN, Bench};
use crate::harness::{eventually, key_pair};

/// Long enough for a back-off that doubles to have grown.
const OUTAGE: Duration = Duration::from_secs(12);

fn back_in_time(rules: &str) {
    let bench = Bench::new(3, "");
    bench.under_load(3, || {
        bench.faults.set(rules);
        std::thread::sleep(OUTAGE);
        bench.faults.clear();
        eventually(rules, BACK_WITHIN, || {
            let all = bench.keys.iter().all(|key| bench.sign(key).status.as_u16() == 200);
            let made = bench.daemon.generate(&key_pair("EC", None)).status.as_u16() == 201;
            let ready = bench.daemon.get("/readyz").status.as_u16() == 200;
            (all && made && ready && bench.daemon.hosts().len() >= 3).then_some(())
        });
    });
}

#[test]
fn service_is_back_within_five_seconds_of_a_device_that_was_gone() {
    back_in_time("* rv=0x32");
}

#[test]
fn service_is_back_within_five_seconds_of_a_module_that_crashed() {
    back_in_time("C_Sign exit=9\nC_GenerateKeyPair exit=9");
}

#[test]
fn service_is_back_within_five_seconds_of_log_ins_that_failed() {
    back_in_time("C_Login rv=0x30\nC_Sign rv=0xb3\nC_GetSessionInfo rv=0x30\nC_GetTokenInfo rv=0x30");
}

#[test]
fn a_token_that_is_gone_is_looked_at_and_not_logged_in_to() {
    let bench = Bench::new(1, "");
    bench.faults.set("C_GetTokenInfo rv=0x30\nC_SignInit rv=0x30\nC_GetSessionInfo rv=0x30");
    eventually("the outage", Duration::from_secs(20), || {
        bench.sign(&bench.keys[0]);
        (bench.daemon.get("/readyz").status.as_u16() == 503).then_some(())
    });
    std::thread::sleep(Duration::from_secs(2));
    let (log_ins, looks) = (bench.faults.calls("C_Login"), bench.faults.calls("C_Initialize"));
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(bench.faults.calls("C_Login"), log_ins);
    let looked = bench.faults.calls("C_Initialize") - looks;
    assert!((2..=12).contains(&looked), "{looked} looks in five seconds");
    bench.faults.clear();
    bench.all_sign_within(BACK_WITHIN);
}
