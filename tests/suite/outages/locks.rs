//! The log-in lock of a token, and hosts of a former life.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::Signal;

use super::{Bench, lives};
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
fn a_registered_host_that_outlived_its_daemon_is_ended_before_new_ones_log_in() {
    let bench = Bench::new(1, "");
    let Bench { daemon, configuration, keys, dir, .. } = bench;
    let hosts = daemon.hosts();
    let registrations = dir.join("state-default/hosts");
    let registered = || fs::read_dir(&registrations).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(registered().count(), hosts.len(), "each host registers");
    daemon.kill();
    eventually("the end of its hosts", SOON, || hosts.iter().all(|host| !lives(*host)).then_some(()));

    let orphan = Orphan::holding(&registrations.join("1"), "4194304");
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    assert!(!lives(orphan.0.id()), "it was ended");
    assert!(daemon.log().contains("outlived its client"), "it is said");
    assert_eq!(super::sign(&daemon, &keys[0]).status.as_u16(), 200);
    eventually("the end of stale registrations", SOON, || {
        let pids: Vec<String> = daemon.hosts().iter().map(u32::to_string).collect();
        registered().all(|name| pids.iter().any(|pid| name == pid.as_str())).then_some(())
    });
}

#[test]
fn a_process_that_is_no_orphan_is_left_alone_whatever_it_holds() {
    let bench = Bench::new(0, "");
    let Bench { daemon, configuration, dir, .. } = bench;
    daemon.kill();
    // Its client is this test, and lives.
    let held = Orphan::holding(&dir.join("state-default/hosts/1"), &std::process::id().to_string());
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    assert!(lives(held.0.id()));
}

#[test]
fn a_holder_of_the_log_in_lock_is_named_and_one_that_outlived_its_client_is_ended() {
    let dir = Scratch::new();
    let (token, faults) = (Token::fresh(&dir), Faults::new(&dir));
    let locks = dir.join("locks");
    let hosts = format!("[hosts]\nlock-dir = \"{}\"", locks.display());
    let configuration = || Configuration::new(&dir, &token).with_faults(&faults).with(&hosts);
    // A PIN that has worked is tried by every daemon.
    let mut daemon = Launch::serve(&configuration()).start();
    daemon.await_ready();
    daemon.stop(Signal::TERM);
    faults.set("C_Login hang");
    let daemon = Launch::serve(&configuration()).start();
    let host = eventually("a host", SOON, || daemon.hosts().first().copied());
    let lock = eventually("its lock", SOON, || fs::read_dir(&locks).ok()?.next()?.ok().map(|entry| entry.path()));

    // Another daemon on the same token waits, and says for whom.
    let other = Launch::serve(&configuration().named("other")).start();
    eventually("the name of the holder", Duration::from_secs(40), || {
        let text = other.get("/readyz").text();
        text.contains(&format!("held by process {host}")).then_some(())
    });
    other.kill();
    daemon.kill();
    eventually("the end of its host", SOON, || (!lives(host)).then_some(()));

    faults.clear();
    let orphan = Orphan::holding(&lock, "4194304");
    let daemon = Launch::serve(&configuration()).start();
    eventually("a daemon that is ready", SOON, || (daemon.get("/readyz").status.as_u16() == 200).then_some(()));
    assert!(!lives(orphan.0.id()));
}

/// A process that looks like a token host and holds a lock in the name of a client.
struct Orphan(Child);

impl Orphan {
    fn holding(lock: &Path, client: &str) -> Self {
        fs::create_dir_all(lock.parent().unwrap()).unwrap();
        let script =
            "exec 9>>\"$0\" && flock -n 9 && echo \"$$ $1 a former life\" > \"$0\" && exec -a token-host sleep 60";
        let child = Command::new("bash").args(["-c", script]).arg(lock).arg(client).spawn().unwrap();
        eventually("the orphan's lock", SOON, || {
            let cmdline = fs::read_to_string(format!("/proc/{}/cmdline", child.id())).unwrap();
            cmdline.starts_with("token-host").then_some(())
        });
        Self(child)
    }
}

impl Drop for Orphan {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
