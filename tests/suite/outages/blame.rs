//! Which keys are held to have taken hosts down.

use std::time::Duration;

use rustix::process::Signal;

use super::{BACK_WITHIN, Bench, signal};
use crate::harness::{Daemon, eventually};

#[test]
fn a_passing_crash_condemns_no_key() {
    let bench = Bench::new(5, "");
    let counts = bench.under_load(4, || {
        bench.faults.set("C_Sign exit=9");
        std::thread::sleep(Duration::from_secs(3));
        bench.faults.clear();
        bench.all_sign_within(BACK_WITHIN);
    });
    assert!(counts.keys().all(|status| [200, 503].contains(status)), "{counts:?}");
    assert!(counts[&200] > 0);
}

#[test]
fn killing_or_freezing_both_signing_hosts_condemns_no_key() {
    let bench = Bench::new(3, "");
    let counts = bench.under_load(4, || {
        for _ in 0..2 {
            for host in bench.daemon.signing_hosts() {
                Daemon::kill_host(host);
            }
            bench.all_sign_within(BACK_WITHIN);
            for host in bench.daemon.signing_hosts() {
                signal(host, Signal::STOP);
            }
            // A frozen host is noticed by its heartbeat.
            bench.all_sign_within(BACK_WITHIN + Duration::from_secs(3));
        }
    });
    assert!(counts.keys().all(|status| [200, 503].contains(status)), "{counts:?}");
    assert!(bench.metric("strongroom_token_suspected_keys") < 1.0);
}

#[test]
fn a_key_that_takes_hosts_down_while_others_sign_is_refused_for_moments_and_cleared_by_a_signature() {
    let bench = Bench::new(3, "");
    let poison = bench.key("ed25519", "Ed25519");
    let counts = bench.under_load(3, || {
        // CKM_EDDSA: whatever other mechanisms do goes well.
        bench.faults.set("C_SignInit mechanism=1057 exit=9");
        eventually("the suspicion", Duration::from_secs(40), || {
            let answer = bench.sign(&poison);
            assert_eq!(answer.status.as_u16(), 503, "{}", answer.text());
            assert!(!answer.header("retry-after").is_empty());
            (bench.metric("strongroom_token_suspected_keys") > 0.0).then_some(())
        });
        let restarts = bench.metric("strongroom_token_host_restarts_total");
        for _ in 0..20 {
            assert_eq!(bench.sign(&poison).status.as_u16(), 503);
        }
        assert!(bench.metric("strongroom_token_host_restarts_total") <= restarts + 1.0, "one trial at most");
        bench.faults.clear();
        eventually("its signature", Duration::from_secs(10), || {
            (bench.sign(&poison).status.as_u16() == 200).then_some(())
        });
        assert!(bench.metric("strongroom_token_suspected_keys") < 1.0);
    });
    assert!(counts.keys().all(|status| [200, 503].contains(status)), "{counts:?}");
    let (good, bad) = (counts[&200], counts.get(&503).copied().unwrap_or_default());
    assert!(good > bad, "others sign on: {counts:?}");
}
