//! Hosts that stand still: noticed whatever they do, because their heartbeat stops.

use std::time::Duration;

use rustix::process::Signal;

use super::{Bench, lives, signal, timed};
use crate::harness::{agreement_within, eventually, key_pair};

/// Six beats, a new host, and a busy machine.
const NOTICED: Duration = Duration::from_secs(10);

#[test]
fn a_frozen_generation_host_is_replaced_while_it_has_nothing_to_do_or_generates() {
    let bench = Bench::new(1, "");
    let frozen = bench.keeping_host();
    signal(frozen, Signal::STOP);
    let took = timed(|| {
        eventually("a key pair", NOTICED, || {
            (bench.daemon.generate(&key_pair("EC", None)).status.as_u16() == 201).then_some(())
        });
    });
    assert!(took < NOTICED, "{took:?}");
    assert!(!lives(frozen));

    // In the middle of a generation.
    bench.faults.set("C_GenerateKeyPair delay=2000");
    let frozen = bench.keeping_host();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bench.daemon.generate(&key_pair("EC", None)));
        std::thread::sleep(Duration::from_millis(700));
        signal(frozen, Signal::STOP);
        let took = timed(|| drop(waiting.join().unwrap().expect(503)));
        assert!(took < NOTICED, "{took:?}");
    });
    bench.faults.clear();
    let deleted = bench.daemon.get("/v1/keys").expect(200);
    assert!(deleted.text().contains(&bench.keys[0].kid), "listing goes on");
    let agreed = agreement_within(Duration::from_secs(30), &bench.token, &bench.configuration.database());
    assert_eq!(agreed.keys().len(), 2);
    assert_eq!(bench.sign(&bench.keys[0]).status.as_u16(), 200);
}

#[test]
fn a_daemon_whose_generation_host_is_frozen_ends_in_time() {
    let bench = Bench::new(0, "");
    bench.faults.set("C_GenerateKeyPair delay=1500");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| bench.daemon.generate(&key_pair("EC", None)));
        std::thread::sleep(Duration::from_millis(700));
        signal(bench.keeping_host(), Signal::STOP);
        signal(bench.daemon.pid(), Signal::TERM);
        waiting.join().unwrap().expect(503);
    });
    let mut daemon = bench.daemon;
    let took = timed(|| assert_eq!(daemon.await_end().code(), Some(0)));
    assert!(took < NOTICED, "{took:?}");
}

#[test]
fn a_daemon_that_stood_still_itself_blames_no_host() {
    let bench = Bench::new(1, "");
    let hosts = bench.daemon.hosts();
    signal(bench.daemon.pid(), Signal::STOP);
    std::thread::sleep(Duration::from_secs(6));
    signal(bench.daemon.pid(), Signal::CONT);
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(bench.sign(&bench.keys[0]).status.as_u16(), 200);
    assert_eq!(bench.daemon.hosts(), hosts);
}
