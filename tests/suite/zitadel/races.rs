//! Many who change the ring at once, through one daemon and through two.

use std::collections::BTreeSet;

use reqwest::Method;

use super::{PATIENCE, activate, active, create, listed, p256};
use crate::harness::{Configuration, Daemon, Launch, Scratch, Token, agreement_within, eventually};

/// What so many clients get that ask at once.
fn at_once<T: Send>(clients: usize, ask: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let ask = &ask;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients).map(|client| scope.spawn(move || ask(client))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    })
}

#[test]
fn exactly_one_of_the_first_web_keys_made_at_once_is_active() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let ids: BTreeSet<String> = at_once(12, |_| create(&daemon, &p256())).into_iter().collect();
    assert_eq!(ids.len(), 12, "every key has an id of its own");
    let keys = listed(&daemon);
    assert_eq!(keys.iter().map(|(id, _)| id.clone()).collect::<BTreeSet<_>>(), ids);
    assert!(ids.contains(&active(&daemon)));
    assert_eq!(keys.iter().filter(|(_, state)| state == "STATE_INITIAL").count(), 11);
    let Some(token) = Token::in_use(&dir) else { return };
    assert_eq!(agreement_within(PATIENCE, &token, &dir.join("strongroom.db")).keys().len(), 12);
}

#[test]
fn activations_at_once_all_succeed_and_leave_one_active_key() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let keys: Vec<String> = (0..6).map(|_| create(&daemon, &p256())).collect();
    for _ in 0..3 {
        at_once(6, |client| activate(&daemon, &keys[client]).expect(200));
        assert!(keys.contains(&active(&daemon)));
    }
    assert!(listed(&daemon).iter().all(|(_, state)| state != "STATE_INITIAL"), "each has been active once");
}

#[test]
fn deletions_at_once_all_succeed_with_one_date() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    create(&daemon, &p256());
    let gone = create(&daemon, &p256());
    let path = format!("/v2/web_keys/{gone}");
    let dates = at_once(8, |_| daemon.call(Method::DELETE, &path).send().expect(200).json());
    assert!(dates[0]["deletionDate"].is_string());
    assert!(dates.iter().all(|date| *date == dates[0]), "{dates:?}");
    if let Some(token) = Token::in_use(&dir) {
        agreement_within(PATIENCE, &token, &dir.join("strongroom.db"));
    }
    assert_eq!(daemon.delete(&path).expect(200).json(), dates[0], "the tombstone remembers it");
}

#[test]
fn key_that_is_activated_and_deleted_at_once_is_one_of_both() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let first = create(&daemon, &p256());
    for _ in 0..5 {
        let second = create(&daemon, &p256());
        let statuses = at_once(2, |client| {
            let answer =
                if client == 0 { activate(&daemon, &second) } else { daemon.delete(&format!("/v2/web_keys/{second}")) };
            answer.status.as_u16()
        });
        let there = listed(&daemon).iter().any(|(id, _)| *id == second);
        let expected = if there { [200, 400] } else { [404, 200] };
        assert_eq!(statuses, expected);
        assert_eq!(active(&daemon), if there { second } else { first.clone() });
        activate(&daemon, &first).expect(200);
    }
}

/// Two daemons on one store and one token.
fn pair(dir: &Scratch, sections: &str) -> (Token, Configuration, [Daemon; 2]) {
    let token = Token::fresh(dir);
    let first = Configuration::new(dir, &token).with(sections);
    let second = Configuration::new(dir, &token).with(sections).named("second");
    let mut daemons = [Launch::serve(&first).start(), Launch::serve(&second).start()];
    for daemon in &mut daemons {
        daemon.await_ready();
    }
    (token, first, daemons)
}

#[test]
fn activations_by_two_daemons_all_succeed_and_leave_one_active_key() {
    let dir = Scratch::new();
    let (_token, _configuration, daemons) = pair(&dir, "");
    let keys: Vec<String> = (0..4).map(|n| create(&daemons[n % 2], &p256())).collect();
    for round in 0..5 {
        at_once(8, |client| activate(&daemons[(client + round) % 2], &keys[client / 2]).expect(200));
        let now = active(&daemons[0]);
        assert!(keys.contains(&now));
        assert_eq!(active(&daemons[1]), now);
    }
    let gone = keys.iter().find(|key| **key != active(&daemons[0])).unwrap();
    let statuses = at_once(2, |client| {
        let daemon = &daemons[client];
        let answer = if client == 0 { activate(daemon, gone) } else { daemon.delete(&format!("/v2/web_keys/{gone}")) };
        answer.status.as_u16()
    });
    let there = listed(&daemons[0]).iter().any(|(id, _)| id == gone);
    assert_eq!(statuses, if there { [200, 400] } else { [404, 200] });
    active(&daemons[1]);
}

#[test]
fn daemons_that_start_together_make_one_set_of_first_keys() {
    let dir = Scratch::new();
    let (token, configuration, daemons) = pair(&dir, "[zitadel]\nbootstrap = true\n");
    for daemon in &daemons {
        eventually("two keys", PATIENCE, || (listed(daemon).len() == 2).then_some(()));
    }
    // Time for another attempt of the one that came second.
    std::thread::sleep(std::time::Duration::from_secs(5));
    let states: Vec<String> = listed(&daemons[1]).into_iter().map(|(_, state)| state).collect();
    assert_eq!(states, ["STATE_ACTIVE", "STATE_INITIAL"]);
    let after = agreement_within(PATIENCE, &token, &configuration.database());
    assert_eq!(after.keys().len(), 2);
}
