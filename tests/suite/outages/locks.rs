//! The log-in lock of a token, and hosts of a former life.

use std::time::Duration;

use rustix::process::Signal;

use super::{Bench, lives, signal};
use crate::harness::{Configuration, Faults, Launch, Scratch, Token, eventually};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_host_that_stops_in_its_log_in_holds_up_no_daemon_of_another_token() {
    let (one, other) = (Scratch::new(), Scratch::new());
    let (token, faults) = (Token::fresh(&one), Faults::new(&one));
    faults.set("C_Login hang");
    let stuck = Launch::serve(&Configuration::new(&one, &token).with_faults(&faults)).start();
    eventually("its log-in", SOON, || stuck.hosts().first().map(|_| ()));
    std::thread::sleep(Duration::from_secs(1));
    let (token, well) = (Token::fresh(&other), Faults::new(&other));
    let mut unrelated = Launch::serve(&Configuration::new(&other, &token).with_faults(&well)).start();
    eventually("the other daemon", SOON, || (unrelated.get("/readyz").status.as_u16() == 200).then_some(()));
    unrelated.await_ready();
    assert!(!unrelated.log().contains("without the lock"), "{}", unrelated.log());
}

#[test]
fn hosts_that_outlived_their_daemon_are_ended_before_new_ones_log_in() {
    let bench = Bench::new(1, "");
    let hosts = bench.daemon.hosts();
    for host in &hosts {
        signal(*host, Signal::STOP);
    }
    let Bench { daemon, configuration, keys, .. } = bench;
    daemon.kill();
    assert!(hosts.iter().all(|host| lives(*host)), "stopped processes do not end by themselves");
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    eventually("the end of former hosts", SOON, || hosts.iter().all(|host| !lives(*host)).then_some(()));
    assert!(daemon.log().contains("outlived its client"), "it is said");
    assert_eq!(super::sign(&daemon, &keys[0]).status.as_u16(), 200);
}

#[test]
fn an_orphan_that_holds_the_log_in_lock_is_ended_and_another_holder_is_named() {
    let dir = Scratch::new();
    let (token, faults) = (Token::fresh(&dir), Faults::new(&dir));
    faults.set("C_Login hang");
    let configuration = Configuration::new(&dir, &token).with_faults(&faults);
    let daemon = Launch::serve(&configuration).start();
    let host = eventually("a host", SOON, || daemon.hosts().first().copied());
    eventually("its log-in", SOON, || (faults.calls("C_GetTokenInfo") > 0).then_some(()));
    std::thread::sleep(Duration::from_millis(500));

    // Another daemon on the same token waits, and says for whom.
    let other = Launch::serve(&configuration.named("other")).start();
    eventually("the name of the holder", Duration::from_secs(40), || {
        let text = other.get("/readyz").text();
        text.contains(&format!("held by process {host}")).then_some(())
    });
    other.kill();

    signal(host, Signal::STOP);
    daemon.kill();
    assert!(lives(host));
    faults.clear();
    let configuration = Configuration::new(&dir, &token).with_faults(&faults);
    let daemon = Launch::serve(&configuration).start();
    eventually("a daemon that is ready", SOON, || (daemon.get("/readyz").status.as_u16() == 200).then_some(()));
    assert!(!lives(host));
}
