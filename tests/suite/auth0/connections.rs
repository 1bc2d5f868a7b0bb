//! Connections that are declared.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{kids, list, served};
use crate::harness::{
    Answer, Call, Configuration, Daemon, Faults, Launch, Scratch, Token, agreement_within, golden, values,
};

const PATIENCE: Duration = Duration::from_secs(40);
const CONNECTIONS: &str = "/api/v2/connections";
const DECLARED: &str = "[auth0]\nconnections = \"declared\"";

#[test]
fn declared_connections_live_word_by_word() {
    let dir = Scratch::new();
    golden(&served(&dir, DECLARED), "auth0/declared-connections");
}

#[test]
fn invalid_declarations_are_refused_word_by_word() {
    let dir = Scratch::new();
    golden(&served(&dir, DECLARED), "auth0/declared-refusals");
}

#[test]
fn connections_are_listed_in_pages_word_by_word() {
    let dir = Scratch::new();
    golden(&served(&dir, DECLARED), "auth0/declared-list");
}

#[test]
fn implicit_connections_cannot_be_declared_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "auth0/implicit-connections");
}

#[test]
fn a_deleted_connections_keys_leave_the_token() {
    let dir = Scratch::new();
    let (token, configuration) = declared(&dir);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let kept = declare(&daemon, "kept").expect(201).id();
    let gone = declare(&daemon, "gone").expect(201).id();
    daemon.delete(&format!("{CONNECTIONS}/{gone}")).expect(202);
    let after = agreement_within(PATIENCE, &token, &configuration.database());
    assert_eq!(after.keys().len(), 2);
    assert_eq!(list(&daemon, &kept).len(), 2);
}

#[test]
fn a_crash_after_a_deletion_leaves_neither_connection_nor_keys() {
    let dir = Scratch::new();
    let (token, configuration) = declared(&dir);
    let mut daemon = Launch::serve(&configuration).at("connection.delete=abort").start();
    daemon.await_ready();
    let path = format!("{CONNECTIONS}/{}", declare(&daemon, "acme").expect(201).id());
    assert!(daemon.call(Method::DELETE, &path).try_send().is_err());
    daemon.await_end();
    drop(daemon);

    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let after = agreement_within(PATIENCE, &token, &configuration.database());
    assert_eq!(after.keys().len(), 0);
    daemon.get(&path).expect(404);
    daemon.delete(&path).expect(404);
    assert_eq!(declare(&daemon, "acme").expect(201).json()["name"], "acme");
}

#[test]
fn a_crash_during_a_declaration_leaves_neither_connection_nor_keys() {
    let dir = Scratch::new();
    let (token, configuration) = declared(&dir);
    let mut daemon = Launch::serve(&configuration).at("generate.check#2=abort").start();
    daemon.await_ready();
    assert!(declaration(&daemon, "acme").try_send().is_err());
    daemon.await_end();
    drop(daemon);

    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let after = agreement_within(PATIENCE, &token, &configuration.database());
    assert_eq!(after.keys().len(), 0);
    assert_eq!(daemon.get(CONNECTIONS).expect(200).json(), json!([]));
    let id = declare(&daemon, "acme").expect(201).id();
    assert_eq!(list(&daemon, &id).len(), 2);
}

#[test]
fn a_change_of_a_connection_by_two_daemons_is_never_lost() {
    let dir = Scratch::new();
    let (token, configuration) = declared(&dir);
    let first = ready(&configuration);
    let second = ready(&Configuration::new(&dir, &token).with(DECLARED).named("second"));
    let path = format!("{CONNECTIONS}/{}", declare(&first, "acme").expect(201).id());
    let change = |daemon: &Daemon, body: Value| daemon.call(Method::PATCH, &path).json(&body).send().expect(200);
    for round in 0..10 {
        let (name, issuer) = (format!("name {round}"), format!("https://{round}.example"));
        let options = json!({"issuer": issuer, "token_endpoint_auth_method": "client_secret_post"});
        std::thread::scope(|scope| {
            scope.spawn(|| change(&first, json!({"display_name": name})));
            scope.spawn(|| change(&second, json!({"options": options})));
        });
        let now = second.get(&path).expect(200).json();
        assert_eq!((&now["display_name"], &now["options"]), (&json!(name), &options), "{now}");
    }
}

#[test]
fn a_connection_declared_by_two_daemons_at_once_has_one_set_of_keys() {
    let dir = Scratch::new();
    let (token, configuration) = declared(&dir);
    let daemons = [ready(&configuration), ready(&Configuration::new(&dir, &token).with(DECLARED).named("second"))];
    for round in 0..3 {
        let name = format!("acme-{round}");
        let mut statuses: Vec<u16> = std::thread::scope(|scope| {
            let clients: Vec<_> = (0..4)
                .map(|n| {
                    let (daemon, name) = (&daemons[n % 2], &name);
                    scope.spawn(move || declare(daemon, name).status.as_u16())
                })
                .collect();
            clients.into_iter().map(|client| client.join().unwrap()).collect()
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409, 409, 409]);
    }
    let after = agreement_within(PATIENCE, &token, &configuration.database());
    assert_eq!(after.keys().len(), 6);
}

#[test]
fn a_token_that_fails_leaves_neither_connection_nor_change() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let configuration = Configuration::new(&dir, &token).with_faults(&faults).with(DECLARED);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let bare = json!({"name": "bare", "strategy": "oidc"});
    let bare = daemon.call(Method::POST, CONNECTIONS).json(&bare).send().expect(201).json();
    faults.set("C_GenerateKeyPair rv=0x30");
    declare(&daemon, "acme").expect(503);
    let path = format!("{CONNECTIONS}/{}", bare["id"].as_str().unwrap());
    daemon.call(Method::PATCH, &path).json(&json!({"options": signing()})).send().expect(503);
    faults.clear();
    assert_eq!(daemon.get(CONNECTIONS).expect(200).json(), json!([bare]));
    agreement_within(PATIENCE, &token, &configuration.database());
}

#[test]
fn the_keys_of_a_declared_connection_are_published_by_its_name() {
    let dir = Scratch::new();
    let daemon = served(&dir, DECLARED);
    let id = declare(&daemon, "acme").expect(201).id();
    let published = || {
        let set = daemon.call(Method::GET, "/oauth/connection/acme/.well-known/jwks.json").anonymous().send();
        let set = set.expect(200).json();
        let keys = set["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let shown = || kids(&list(&daemon, &id)).into_iter().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(published(), shown());
    let first = shown();
    super::rotate(&daemon, &id, "ES256").expect(201);
    assert_eq!(published(), shown());
    super::rotate(&daemon, &id, "ES256").expect(201);
    // The older previous key has left the list, and is published until its overlap ends.
    assert_eq!(shown().len(), 3);
    assert_eq!(published().len(), 4);
    assert!(published().is_superset(&first));
    daemon.delete(&format!("{CONNECTIONS}/{id}")).expect(202);
    daemon.call(Method::GET, "/oauth/connection/acme/.well-known/jwks.json").anonymous().send().expect(404);
}

#[test]
fn no_option_reaches_the_audit_trail() {
    let dir = Scratch::new();
    let configuration = Configuration::usual(&dir).with(DECLARED);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let body = json!({"name": "acme", "strategy": "oidc", "options": {"issuer": "https://idp-of-acme.example"}});
    daemon.call(Method::POST, CONNECTIONS).json(&body).send().expect(201);
    let details = values(&configuration.database(), "SELECT detail FROM audit_events");
    assert!(details.iter().any(|detail| detail.contains("oidc acme")), "{details:?}");
    assert!(!details.iter().any(|detail| detail.contains("idp-of-acme")), "{details:?}");
    assert!(!daemon.log().contains("idp-of-acme"), "{}", daemon.log());
}

fn declared(dir: &Scratch) -> (Token, Configuration) {
    let token = Token::fresh(dir);
    let configuration = Configuration::new(dir, &token).with(DECLARED).destroying_at_once();
    (token, configuration)
}

fn ready(configuration: &Configuration) -> Daemon {
    let mut daemon = Launch::serve(configuration).start();
    daemon.await_ready();
    daemon
}

/// Declares a connection that signs.
fn declare(daemon: &Daemon, name: &str) -> Answer {
    declaration(daemon, name).send()
}

fn declaration(daemon: &Daemon, name: &str) -> Call {
    let body = json!({"name": name, "strategy": "oidc", "options": signing()});
    daemon.call(Method::POST, CONNECTIONS).json(&body)
}

fn signing() -> Value {
    json!({"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256"})
}
