//! `Idempotency-Key` on generate: one request, one key.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Answer, Call, Daemon, GENERATE, Launch, Scratch, Token, eventually, key_pair, rows};

fn generate(daemon: &Daemon, key: &str, request: &Value) -> Answer {
    keyed(daemon, key, request).send()
}

fn keyed(daemon: &Daemon, key: &str, request: &Value) -> Call {
    daemon.call(Method::POST, GENERATE).header("Idempotency-Key", key).json(request)
}

#[test]
fn the_same_key_and_body_give_the_same_answer_and_no_second_key() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let first = generate(&daemon, "once", &key_pair("EC", None)).expect(201);
    let again = generate(&daemon, "once", &key_pair("EC", None)).expect(201);
    assert_eq!(again.json(), first.json());
    assert_eq!(Token::of_dev(&dir).objects().len(), 2);
    generate(&daemon, "twice", &key_pair("EC", None)).expect(201);
    assert_eq!(Token::of_dev(&dir).objects().len(), 4, "another key is another request");
}

#[test]
fn the_same_answer_is_given_after_a_restart() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let first = generate(&daemon, "once", &key_pair("EC", None)).expect(201).json();
    daemon.kill();
    let daemon = Launch::dev(&dir).start();
    assert_eq!(generate(&daemon, "once", &key_pair("EC", None)).expect(201).json(), first);
    assert_eq!(Token::of_dev(&dir).objects().len(), 2);
}

#[test]
fn the_same_key_with_another_body_is_refused() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    generate(&daemon, "once", &key_pair("EC", None)).expect(201);
    let refused = generate(&daemon, "once", &key_pair("EC", Some(384))).expect(422);
    assert_eq!(refused.header("content-type"), "application/json");
    assert_eq!(Token::of_dev(&dir).objects().len(), 2);
}

#[test]
fn the_same_request_is_a_conflict_while_the_first_still_runs() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).at("generate.generate=hold:3000").start();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| generate(&daemon, "once", &key_pair("EC", None)));
        let database = dir.join("strongroom.db");
        eventually("the first request's reservation", Duration::from_secs(10), || rows(&database).first().map(|_| ()));
        let second = generate(&daemon, "once", &key_pair("EC", None)).expect(409);
        assert_eq!(second.header("content-type"), "application/json");
        let made = first.join().unwrap().expect(201);
        assert_eq!(generate(&daemon, "once", &key_pair("EC", None)).expect(201).json(), made.json());
    });
}

#[test]
fn server_error_is_not_remembered_under_an_idempotency_key() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).at("generate.issue=fail").start();
    let failed = generate(&daemon, "once", &key_pair("EC", None));
    assert!(failed.status.is_server_error(), "{}", failed.text());
    generate(&daemon, "once", &key_pair("EC", None)).expect(201);
    assert_eq!(Token::of_dev(&dir).objects().len(), 2, "what the failure made is gone");
}

#[test]
fn malformed_idempotency_key_is_refused() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    for key in ["", &"x".repeat(256)] {
        let answer = generate(&daemon, key, &key_pair("EC", None));
        assert!(answer.status.is_client_error(), "{key}: {}", answer.text());
    }
    assert_eq!(Token::of_dev(&dir).objects(), []);
}
