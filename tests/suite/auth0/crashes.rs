//! Crashes, failures and many requests at once.

use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;

use super::{create, kids, list, rotate};
use crate::harness::{Configuration, Faults, Launch, Scratch, Token, agreement, agreement_within, eventually, values};

const PATIENCE: Duration = Duration::from_secs(40);
const KEYS: &str = "/api/v2/connections/con_a/keys";

#[test]
fn a_crash_between_the_two_keys_of_a_connection_leaves_neither() {
    for point in ["generate.reserve#2", "generate.generate#2", "generate.check#2"] {
        let dir = Scratch::new();
        let mut daemon = Launch::dev(&dir).at(&format!("{point}=abort")).start();
        let asked = daemon.call(Method::POST, KEYS).try_send();
        assert!(asked.is_err(), "{point}: the daemon answered although it should have crashed");
        assert!(!daemon.await_end().success(), "{point}");
        drop(daemon);

        let daemon = Launch::dev(&dir).start();
        let after = agreement_within(PATIENCE, &Token::of_dev(&dir), &dir.join("strongroom.db"));
        assert_eq!(after.keys().len(), 0, "{point}");
        daemon.get(KEYS).expect(404);
        create(&daemon, "con_a", "ES256").expect(201);
    }
}

#[test]
fn a_crash_after_the_commit_leaves_both_keys() {
    let dir = Scratch::new();
    let mut daemon = Launch::dev(&dir).at("generate.commit=abort").start();
    assert!(daemon.call(Method::POST, KEYS).try_send().is_err());
    daemon.await_end();
    drop(daemon);
    let daemon = Launch::dev(&dir).start();
    assert_eq!(list(&daemon, "con_a").len(), 2);
    assert_eq!(agreement(&Token::of_dev(&dir), &dir.join("strongroom.db")).keys().len(), 2);
}

#[test]
fn a_rotation_that_fails_at_the_token_changes_nothing() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let configuration = Configuration::new(&dir, &token).with_faults(&faults);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    create(&daemon, "con_a", "ES256").expect(201);
    let before = list(&daemon, "con_a");

    faults.set("C_GenerateKeyPair rv=0x30");
    let answer = rotate(&daemon, "con_a", "ES256").expect(503);
    assert!(!answer.header("retry-after").is_empty(), "{:?}", answer.headers);
    assert_eq!(answer.json()["statusCode"], 503);
    faults.clear();
    assert_eq!(list(&daemon, "con_a"), before, "the old current still signs, the old next is still next");
    agreement_within(PATIENCE, &token, &configuration.database());
    let next = eventually("a rotation after the fault", PATIENCE, || {
        let answer = rotate(&daemon, "con_a", "ES256");
        (answer.status.as_u16() == 201).then(|| answer.json())
    });
    let after = list(&daemon, "con_a");
    let expected = [&before[1]["kid"], &before[0]["kid"], &next["kid"]].map(|kid| kid.as_str().unwrap());
    assert_eq!(kids(&after), expected);
    assert!(daemon.stop(Signal::TERM).success());
}

#[test]
fn a_crash_at_any_step_of_a_rotation_leaves_it_done_or_undone() {
    // Two passages were those of the creation.
    for (point, rotated) in [
        ("generate.reserve#3", false),
        ("generate.generate#3", false),
        ("generate.issue#3", false),
        ("generate.check#3", false),
        ("generate.commit#2", true),
    ] {
        let dir = Scratch::new();
        let mut daemon = Launch::dev(&dir).at(&format!("{point}=abort")).start();
        let made = create(&daemon, "con_a", "ES256").expect(201).json();
        assert!(daemon.call(Method::POST, &format!("{KEYS}/rotate")).try_send().is_err(), "{point}");
        daemon.await_end();
        drop(daemon);

        let daemon = Launch::dev(&dir).start();
        let after = agreement_within(PATIENCE, &Token::of_dev(&dir), &dir.join("strongroom.db"));
        let keys = list(&daemon, "con_a");
        assert_eq!((keys.len(), after.keys().len()), if rotated { (3, 3) } else { (2, 2) }, "{point}");
        assert_eq!(keys[0]["kid"], made[usize::from(rotated)]["kid"], "{point}");
        rotate(&daemon, "con_a", "ES256").expect(201);
    }
}

#[test]
fn of_two_creations_at_once_one_is_refused() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let mut answers = at_once(4, || create(&daemon, "con_a", "ES256").status.as_u16());
    answers.sort_unstable();
    assert_eq!(answers, [201, 409, 409, 409]);
    assert_eq!(list(&daemon, "con_a").len(), 2);
    let after = agreement_within(PATIENCE, &Token::of_dev(&dir), &dir.join("strongroom.db"));
    assert_eq!(after.keys().len(), 2);
}

#[test]
fn rotations_at_once_never_leave_two_next_keys() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    create(&daemon, "con_a", "ES256").expect(201);
    let answers = at_once(4, || rotate(&daemon, "con_a", "ES256").status.as_u16());
    let done = answers.iter().filter(|status| **status == 201).count();
    assert!(done >= 1 && answers.iter().all(|status| [201, 409].contains(status)), "{answers:?}");
    let count = "SELECT state || ' ' || COUNT(*) FROM key_pairs
                 WHERE state IN ('Active', 'PreActive', 'Reserved') GROUP BY state ORDER BY state";
    assert_eq!(values(&dir.join("strongroom.db"), count), ["Active 1", "PreActive 1"]);
    assert_eq!(list(&daemon, "con_a").len(), 3);
}

fn at_once<T: Send>(times: usize, ask: impl Fn() -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..times).map(|_| scope.spawn(&ask)).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}
