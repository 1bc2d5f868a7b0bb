//! Daemons that end while they change the ring.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Method;

use super::{PATIENCE, activate, active, create, listed, p256};
use crate::harness::{Configuration, Launch, Scratch, Token, agreement_within, eventually};

#[test]
fn creation_that_is_cut_short_leaves_nothing_and_the_active_key_alone() {
    for step in ["reserve", "generate", "commit"] {
        let dir = Scratch::new();
        let mut daemon = Launch::dev(&dir).at(&format!("generate.{step}#2=abort")).start();
        let first = create(&daemon, &p256());
        let cut = daemon.call(Method::POST, "/v2/web_keys").json(&p256()).try_send();
        assert!(cut.is_err(), "{step}: the daemon answered although it should have crashed");
        assert!(!daemon.await_end().success(), "{step}");
        drop(daemon);

        let daemon = Launch::dev(&dir).start();
        let after = agreement_within(PATIENCE, &Token::of_dev(&dir), &dir.join("strongroom.db"));
        // Past the commit the key is there although nobody was told.
        let expected = if step == "commit" { 2 } else { 1 };
        assert_eq!(after.keys().len(), expected, "{step}");
        assert_eq!(listed(&daemon).len(), expected, "{step}");
        assert_eq!(active(&daemon), first, "{step}");
    }
}

#[test]
fn activation_that_is_cut_short_happens_whole_or_not_at_all() {
    for (point, happens) in [("activate.begin", false), ("activate.commit", true)] {
        let dir = Scratch::new();
        let mut daemon = Launch::dev(&dir).at(&format!("{point}=abort")).start();
        let (first, second) = (create(&daemon, &p256()), create(&daemon, &p256()));
        let cut = daemon.call(Method::POST, &format!("/v2/web_keys/{second}/activate")).try_send();
        assert!(cut.is_err(), "{point}: the daemon answered although it should have crashed");
        assert!(!daemon.await_end().success(), "{point}");
        drop(daemon);

        let daemon = Launch::dev(&dir).start();
        assert_eq!(active(&daemon), if happens { second } else { first }, "{point}");
    }
}

#[test]
fn daemon_that_is_killed_among_activations_has_one_active_key() {
    let dir = Scratch::new();
    let mut daemon = Launch::dev(&dir).start();
    let keys = [create(&daemon, &p256()), create(&daemon, &p256()), create(&daemon, &p256())];
    for round in 0..4_u64 {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (daemon, over) = (&daemon, &over);
            for key in &keys {
                scope.spawn(move || {
                    let path = format!("/v2/web_keys/{key}/_activate");
                    while !over.load(Ordering::Relaxed) {
                        if let Ok(answer) = daemon.call(Method::POST, &path).try_send() {
                            answer.expect(200);
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(150 + 37 * round));
            daemon.kill_at_once();
            over.store(true, Ordering::Relaxed);
        });
        assert!(!daemon.await_end().success());
        drop(daemon);
        daemon = Launch::dev(&dir).start();
        let now = active(&daemon);
        assert!(keys.contains(&now));
        assert_eq!(listed(&daemon).len(), 3);
        activate(&daemon, &keys[0]).expect(200);
        assert_eq!(active(&daemon), keys[0]);
    }
}

#[test]
fn bootstrap_that_is_cut_short_is_begun_anew_and_never_repeated() {
    for point in ["generate.reserve#2", "generate.generate#1", "generate.generate#2", "generate.commit#1"] {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let configuration = Configuration::new(&dir, &token).with("[zitadel]\nbootstrap = true\n");
        let mut daemon = Launch::serve(&configuration).at(&format!("{point}=abort")).start();
        assert!(!daemon.await_end().success(), "{point}");
        drop(daemon);

        let mut daemon = Launch::serve(&configuration).start();
        daemon.await_ready();
        eventually("two keys", PATIENCE, || (listed(&daemon).len() == 2).then_some(()));
        let states: Vec<String> = listed(&daemon).into_iter().map(|(_, state)| state).collect();
        assert_eq!(states, ["STATE_ACTIVE", "STATE_INITIAL"], "{point}");
        let after = agreement_within(PATIENCE, &token, &configuration.database());
        assert_eq!(after.keys().len(), 2, "{point}");
    }
}
