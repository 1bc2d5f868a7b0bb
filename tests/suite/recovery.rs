//! Crashes: of the daemon at each step of a generation, of token hosts under load.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;

use crate::harness::{
    Configuration, Daemon, GENERATE, Launch, SIGNING, Scratch, Token, agreement, agreement_within, eventually,
    key_pair, rows,
};

const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn a_crash_at_any_of_the_eight_steps_loses_no_acknowledged_key() {
    for step in ["authorise", "capability", "reserve", "generate", "prepare", "issue", "check", "commit"] {
        crash_at(&format!("generate.{step}"));
    }
}

#[test]
fn a_crash_of_the_host_around_its_generation_leaves_nothing_half_made() {
    for point in ["host.generate.before", "host.generate.after"] {
        let dir = Scratch::new();
        let daemon = Launch::dev(&dir).start();
        let kept = daemon.generate(&key_pair("EC", None)).expect(201).id();
        assert!(daemon.stop(Signal::TERM).success());

        // The point crashes each host that passes it: no generation succeeds, none is retried.
        let daemon = Launch::dev(&dir).at(&format!("{point}=abort")).start();
        let answer = daemon.generate(&key_pair("EC", None));
        assert!(answer.status.is_server_error(), "{point}: {}", answer.text());
        daemon.get(&format!("{SIGNING}/{kept}")).expect(200);
        assert!(daemon.stop(Signal::TERM).success(), "{point}");

        let daemon = Launch::dev(&dir).start();
        let after = agreement_within(PATIENCE, &Token::of_dev(&dir), &dir.join("strongroom.db"));
        assert_eq!(after.keys().len(), 1, "{point}");
        daemon.generate(&key_pair("EC", None)).expect(201);
    }
}

/// Crashes the daemon in its third generation; the two acknowledged keys must stay, and
/// after a restart token and store agree.
fn crash_at(point: &str) {
    let dir = Scratch::new();
    let mut daemon = Launch::dev(&dir).at(&format!("{point}#3=abort")).start();
    let kept: Vec<String> = (0..2).map(|_| daemon.generate(&key_pair("EC", None)).expect(201).id()).collect();
    let crashed = daemon.call(Method::POST, GENERATE).json(&key_pair("EC", None)).try_send();
    assert!(crashed.is_err(), "{point}: the daemon answered although it should have crashed");
    assert!(!daemon.await_end().success(), "{point}");
    drop(daemon);

    let daemon = Launch::dev(&dir).start();
    let after = agreement_within(PATIENCE, &Token::of_dev(&dir), &dir.join("strongroom.db"));
    // Past the commit the key is there although nobody was told.
    let expected = if point == "generate.commit" { 3 } else { 2 };
    assert_eq!(after.keys().len(), expected, "{point}");
    let listed = listed(&daemon);
    assert_eq!(listed.len(), expected, "{point}");
    assert!(kept.iter().all(|id| listed.contains(id)), "{point}: {kept:?} in {listed:?}");
    daemon.generate(&key_pair("EC", None)).expect(201);
}

#[test]
fn a_crash_around_a_deletion_ends_in_deletion() {
    for point in ["delete.commit", "delete.destroy"] {
        let dir = Scratch::new();
        let mut daemon = Launch::dev(&dir).at(&format!("{point}=abort")).start();
        let kept = daemon.generate(&key_pair("EC", None)).expect(201).id();
        let gone = daemon.generate(&key_pair("EC", None)).expect(201).id();
        let _ = daemon.call(Method::DELETE, &format!("{SIGNING}/{gone}")).try_send();
        assert!(!daemon.await_end().success(), "{point}");
        drop(daemon);

        let daemon = Launch::dev(&dir).start();
        let after = agreement_within(PATIENCE, &Token::of_dev(&dir), &dir.join("strongroom.db"));
        assert_eq!(after.keys().len(), 1, "{point}");
        assert_eq!(listed(&daemon), BTreeSet::from([kept]), "{point}");
    }
}

#[test]
fn reconcile_on_command_reports_first_and_mends_when_told() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token);
    let mut daemon = Launch::serve(&configuration).at("generate.issue#2=abort").start();
    daemon.await_ready();
    daemon.generate(&key_pair("EC", None)).expect(201);
    let _ = daemon.call(Method::POST, GENERATE).json(&key_pair("EC", None)).try_send();
    daemon.await_end();
    drop(daemon);

    let before = agreement(&token, &configuration.database());
    assert!(before.quarrel().is_some(), "the crash left a reservation and its key");
    let file = configuration.write();
    let reconcile = |repair: bool| {
        let launch = Launch::command(["reconcile".as_ref(), "--config".as_ref(), file.as_os_str()]);
        if repair { launch.arg("--repair").run() } else { launch.run() }
    };
    let looked = reconcile(false);
    let found = String::from_utf8_lossy(&looked.stdout).into_owned();
    assert!(!found.trim().is_empty(), "it prints what it finds");
    let untouched = agreement(&token, &configuration.database());
    assert_eq!((untouched.objects, untouched.rows), (before.objects, before.rows), "looking changes nothing: {found}");

    let mended = reconcile(true);
    assert!(mended.status.success(), "{}", String::from_utf8_lossy(&mended.stderr));
    let after = agreement(&token, &configuration.database());
    assert_eq!(after.quarrel(), None);
    assert_eq!(after.keys().len(), 1);
}

#[test]
fn reconcile_never_touches_what_is_not_ours() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    daemon.generate(&key_pair("EC", None)).expect(201);
    daemon.kill();
    let token = Token::of_dev(&dir);
    token.add_foreign_key("somebody-else", "f00d");
    let other_store = "sr:00000000-0000-4000-8000-000000000000:01890000-0000-7000-8000-000000000000";
    token.add_foreign_key(other_store, "beef");
    let before = token.objects();
    let daemon = Launch::dev(&dir).start();
    // Time enough for the reconciliation at start.
    std::thread::sleep(Duration::from_secs(3));
    daemon.get(SIGNING).expect(200);
    assert_eq!(token.objects(), before);
}

#[test]
fn killing_any_host_during_fifty_requests_loses_no_acknowledged_key() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let answered = AtomicUsize::new(0);
    let acknowledged: Vec<String> = std::thread::scope(|scope| {
        let client = || {
            let ask = |_| {
                let id = acknowledged_key(&daemon);
                answered.fetch_add(1, Ordering::Relaxed);
                id
            };
            (0..10).filter_map(ask).collect::<Vec<_>>()
        };
        let killer = scope.spawn(|| kill_hosts_in_turn(&daemon, &answered));
        let clients: Vec<_> = (0..5).map(|_| scope.spawn(client)).collect();
        let made = clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
        assert!(killer.join().unwrap() >= 3, "hosts were killed during the requests");
        made
    });
    assert!(!acknowledged.is_empty(), "some requests succeed although hosts die");
    let listed = listed(&daemon);
    assert!(acknowledged.iter().all(|id| listed.contains(id)), "{acknowledged:?} in {listed:?}");
    let after = agreement_within(PATIENCE, &Token::of_dev(&dir), &dir.join("strongroom.db"));
    assert_eq!(after.keys().len(), listed.len());
    daemon.generate(&key_pair("RSA", None)).expect(201);
    assert!(daemon.stop(Signal::TERM).success());
    half_made_objects_are_reported_and_removed(&dir);
}

/// What a killed host left half made is found by `reconcile`, and gone after its repair.
fn half_made_objects_are_reported_and_removed(data: &Path) {
    let (token, database) = (Token::of_dev(data), data.join("strongroom.db"));
    let before = agreement(&token, &database);
    let left = before.half_made();
    let reconcile = |repair: &[&str]| {
        let command = Launch::command(["reconcile".as_ref(), "--data".as_ref(), data.as_os_str()]);
        let output = repair.iter().fold(command, Launch::arg).run();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let (agrees, said) = reconcile(&[]);
    assert_eq!(said.contains("half-made"), !left.is_empty(), "{left:?}: {said}");
    assert_eq!(agrees, left.is_empty(), "{said}");
    let (agrees, said) = reconcile(&["--repair"]);
    assert!(agrees, "{said}");
    let after = agreement(&token, &database);
    assert_eq!(after.quarrel(), None);
    assert!(after.half_made().is_empty(), "{after:?}");
}

/// Kills a host after each eighth answer of fifty, one after the other; gives how many.
fn kill_hosts_in_turn(daemon: &Daemon, answered: &AtomicUsize) -> usize {
    let mut killed = 0;
    while answered.load(Ordering::Relaxed) < 50 {
        let hosts = daemon.hosts();
        let due = answered.load(Ordering::Relaxed) >= 8 * killed;
        if let (true, Some(host)) = (due, hosts.get(killed % hosts.len().max(1))) {
            Daemon::kill_host(*host);
            killed += 1;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    killed
}

/// The id of a key pair that was made; `None` for a refusal, which has to be a 503 with
/// its `Retry-After`.
fn acknowledged_key(daemon: &Daemon) -> Option<String> {
    let answer = daemon.generate(&key_pair("EC", None));
    if answer.status.as_u16() == 201 {
        return Some(answer.id());
    }
    assert_eq!(answer.status.as_u16(), 503, "{}", answer.text());
    assert!(answer.header("retry-after").parse::<u64>().is_ok(), "{:?}", answer.headers);
    None
}

#[test]
fn requests_that_run_when_it_is_asked_to_stop_are_answered() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).at("generate.generate=hold:1500").start();
    let database = dir.join("strongroom.db");
    let request = daemon.call(Method::POST, GENERATE).json(&key_pair("EC", None));
    let running = std::thread::spawn(move || request.send());
    eventually("the reservation", Duration::from_secs(10), || rows(&database).first().map(|_| ()));
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
    running.join().unwrap().expect(201);
    assert_eq!(agreement(&Token::of_dev(&dir), &database).keys().len(), 1);
}

fn listed(daemon: &Daemon) -> BTreeSet<String> {
    let list = daemon.get(SIGNING).expect(200).json();
    list["items"].as_array().unwrap().iter().map(|view| view["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn generations_that_wait_when_it_is_asked_to_stop_are_refused_and_leave_nothing() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).at("host.generate.before=hold:1500").start();
    let database = dir.join("strongroom.db");
    let requests: Vec<_> = (0..5).map(|_| daemon.call(Method::POST, GENERATE).json(&key_pair("EC", None))).collect();
    let running: Vec<_> = requests.into_iter().map(|request| std::thread::spawn(move || request.send())).collect();
    eventually("five reservations", Duration::from_secs(10), || (rows(&database).len() == 5).then_some(()));
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
    let answers: Vec<_> = running.into_iter().map(|request| request.join().unwrap().status.as_u16()).collect();
    let made = answers.iter().filter(|status| **status == 201).count();
    assert_eq!(made, 1, "the one under way is finished: {answers:?}");
    assert!(answers.iter().all(|status| [201, 503].contains(status)), "{answers:?}");
    assert_eq!(agreement(&Token::of_dev(&dir), &database).keys().len(), made);
}
