//! The Auth0 dialect on a real token, judged by openssl, joserfc and `pkcs11-tool`.

mod connections;
mod crashes;
mod keys;
mod limits;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Configuration, Daemon, Launch, Scratch, golden};

/// Asks for the first keys of a connection.
fn create(daemon: &Daemon, connection: &str, algorithm: &str) -> Answer {
    post(daemon, &format!("/{connection}/keys"), algorithm)
}

fn rotate(daemon: &Daemon, connection: &str, algorithm: &str) -> Answer {
    post(daemon, &format!("/{connection}/keys/rotate"), algorithm)
}

fn post(daemon: &Daemon, path: &str, algorithm: &str) -> Answer {
    daemon.call(Method::POST, &format!("/api/v2/connections{path}")).json(&json!({"signing_alg": algorithm})).send()
}

/// The keys of a connection.
fn list(daemon: &Daemon, connection: &str) -> Vec<Value> {
    let answer = daemon.get(&format!("/api/v2/connections/{connection}/keys")).expect(200);
    answer.json().as_array().expect("a list of keys").clone()
}

fn kids(keys: &[Value]) -> Vec<&str> {
    keys.iter().map(|key| key["kid"].as_str().expect("a kid")).collect()
}

#[test]
fn connection_keys_are_made_listed_and_rotated_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "auth0/life-of-a-connection");
}

#[test]
fn credentials_and_scopes_are_asked_for_word_by_word() {
    let dir = Scratch::new();
    golden(&served(&dir, ""), "auth0/credentials");
}

#[test]
fn every_form_of_a_body_is_understood_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "auth0/body-forms");
}

#[test]
fn refusals_have_the_products_body_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "auth0/refusals");
}

/// A daemon with an auditor, ready.
fn served(dir: &Scratch, sections: &str) -> Daemon {
    let configuration = Configuration::usual(dir).with(sections);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    daemon
}
