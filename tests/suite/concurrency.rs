//! Many at once, clients that hang up, deadlines that pass.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{
    Configuration, Daemon, GENERATE, Launch, SIGNING, Scratch, Token, agreement, agreement_within, eventually,
    key_pair, rows,
};

const PATIENCE: Duration = Duration::from_secs(40);

#[test]
fn a_hundred_concurrent_generates_give_a_hundred_distinct_keys() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let views: Vec<serde_json::Value> = std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..100).map(|_| scope.spawn(|| daemon.generate(&key_pair("EC", Some(256))).expect(201).json())).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    for name in ["id", "serialNumber", "sha256Fingerprint"] {
        let distinct: BTreeSet<&str> = views.iter().map(|view| view[name].as_str().unwrap()).collect();
        assert_eq!(distinct.len(), 100, "{name}");
    }
    let after = agreement(&Token::of_dev(&dir), &dir.join("strongroom.db"));
    assert_eq!(after.quarrel(), None);
    assert_eq!(after.keys().len(), 100);
    assert_eq!(daemon.get(SIGNING).expect(200).json()["items"].as_array().unwrap().len(), 100);
}

#[test]
fn id_asked_for_ten_times_at_once_is_given_once() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let mut request = key_pair("EC", None);
    request["id"] = "only-one".into();
    let mut answers: Vec<u16> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..10).map(|_| scope.spawn(|| daemon.generate(&request).status.as_u16())).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    answers.sort_unstable();
    assert_eq!(answers, [&[201][..], &[422; 9]].concat());
    let after = agreement_within(PATIENCE, &Token::of_dev(&dir), &dir.join("strongroom.db"));
    assert_eq!(after.keys().len(), 1);
}

#[test]
fn a_client_that_hangs_up_at_any_step_cancels_nothing() {
    for step in ["reserve", "generate", "issue", "commit"] {
        let dir = Scratch::new();
        let database = dir.join("strongroom.db");
        let daemon = Launch::dev(&dir).at(&format!("generate.{step}=hold:700")).start();
        let hung_up = send_without_waiting(&daemon);
        eventually("the reservation", Duration::from_secs(10), || rows(&database).first().map(|_| ()));
        drop(hung_up);
        let kept = eventually("the key pair", PATIENCE, || {
            let items = daemon.get(SIGNING).expect(200).json()["items"].as_array().unwrap().len();
            (items == 1).then_some(items)
        });
        let after = agreement_within(PATIENCE, &Token::of_dev(&dir), &database);
        assert_eq!(after.keys().len(), kept, "{step}");
        assert_eq!(daemon.stop(Signal::TERM).code(), Some(0), "{step}");
    }
}

#[test]
fn a_deadline_that_passes_before_the_commit_answers_503_and_leaves_nothing() {
    for step in ["reserve", "generate", "prepare", "issue", "check"] {
        let (dir, token, configuration) = serving("[limits]\ngenerate-deadline = \"500ms\"");
        let mut daemon = Launch::serve(&configuration).at(&format!("generate.{step}=hold:1500")).start();
        daemon.await_ready();
        let answer = daemon.generate(&key_pair("EC", None)).expect(503);
        assert!(!answer.header("retry-after").is_empty(), "{step}: {:?}", answer.headers);
        assert_eq!(answer.header("content-type"), "application/json");
        let after = agreement_within(PATIENCE, &token, &configuration.database());
        assert_eq!(after.keys().len(), 0, "{step}");
        daemon.generate(&key_pair("EC", None)).expect(201);
        drop(dir);
    }
}

#[test]
fn a_deadline_that_passes_after_the_commit_answers_201() {
    let (_dir, token, configuration) = serving("[limits]\ngenerate-deadline = \"500ms\"");
    let mut daemon = Launch::serve(&configuration).at("generate.commit=hold:1500").start();
    daemon.await_ready();
    daemon.generate(&key_pair("EC", None)).expect(201);
    let after = agreement_within(PATIENCE, &token, &configuration.database());
    assert_eq!(after.keys().len(), 1);
}

#[test]
fn full_queues_answer_503_with_retry_after_and_leave_nothing() {
    let (_dir, token, configuration) = serving("[hosts]\ngenerate-queue = 2\nworkers = 1");
    let mut daemon = Launch::serve(&configuration).at("host.generate.before=hold:2000").start();
    daemon.await_ready();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..12).map(|_| scope.spawn(|| daemon.generate(&key_pair("EC", None)))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let made = answers.iter().filter(|answer| answer.status.as_u16() == 201).count();
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status.as_u16() == 503).collect();
    assert_eq!(made + busy.len(), 12, "{answers:?}");
    assert!(made >= 1 && !busy.is_empty(), "{made} were made");
    assert!(busy.iter().all(|answer| !answer.header("retry-after").is_empty()));
    let after = agreement_within(PATIENCE, &token, &configuration.database());
    assert_eq!(after.keys().len(), made);
}

fn serving(sections: &str) -> (Scratch, Token, Configuration) {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token).with(sections);
    (dir, token, configuration)
}

/// A complete request on a connection whose answer nobody reads.
fn send_without_waiting(daemon: &Daemon) -> TcpStream {
    let address = daemon.base().strip_prefix("http://").unwrap();
    let body = key_pair("EC", None).to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let (secret, length) = (daemon.secret(), body.len());
    write!(
        stream,
        "POST {GENERATE} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {secret}\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    stream
}
