//! Signals to the daemon, and two daemons of one name.

use std::time::Duration;

use rustix::process::Signal;

use super::{Bench, signal};
use crate::harness::{Launch, eventually};

#[test]
fn signals_that_mean_nothing_here_are_logged_and_end_nothing() {
    let bench = Bench::new(1, "");
    for (how, name) in [(Signal::HUP, "SIGHUP"), (Signal::USR1, "SIGUSR1"), (Signal::USR2, "SIGUSR2")] {
        signal(bench.daemon.pid(), how);
        eventually(name, Duration::from_secs(5), || {
            bench.daemon.log().contains(&format!("{name} is ignored")).then_some(())
        });
    }
    assert_eq!(bench.sign(&bench.keys[0]).status.as_u16(), 200);
    assert_eq!(bench.daemon.stop(Signal::TERM).code(), Some(0));
}

#[test]
fn sigterm_answers_whatever_was_received() {
    let bench = Bench::new(2, "");
    bench.faults.set("C_SignInit delay=400");
    let answers = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..12)
            .map(|n| {
                scope.spawn({
                    let bench = &bench;
                    move || bench.sign(&bench.keys[n % 2]).status.as_u16()
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        signal(bench.daemon.pid(), Signal::TERM);
        calls.into_iter().map(|call| call.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(answers, [200; 12]);
    let mut daemon = bench.daemon;
    assert_eq!(daemon.await_end().code(), Some(0));
}

#[test]
fn two_daemons_of_one_name_on_one_store_are_noticed() {
    let bench = Bench::new(0, "");
    let file = bench.configuration.write();
    let text = std::fs::read_to_string(&file).unwrap();
    let other = bench.dir.join("other.toml");
    std::fs::write(&other, text.replace("/state-default", "/state-elsewhere")).unwrap();
    let output = Launch::command(["serve".as_ref(), "--config".as_ref(), other.as_os_str()]).run();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("is the instance \"default\""), "{said}");
    bench.daemon.get("/readyz").expect(200);
}
