//! The native API word by word; what its signatures are worth, other suites ask the libraries.

mod coverage;

use std::fs;

use reqwest::Method;
use serde_json::json;

use crate::harness::{Configuration, Daemon, Launch, Scratch, golden, golden_with, openssl};

fn serve(dir: &Scratch) -> Daemon {
    let mut daemon = Launch::serve(&Configuration::usual(dir).destroying_at_once()).start();
    daemon.await_ready();
    daemon
}

#[test]
fn keys_are_made_read_and_deleted_word_by_word() {
    let dir = Scratch::new();
    golden(&serve(&dir), "native/life-of-a-key");
}

#[test]
fn key_requests_are_refused_word_by_word() {
    let dir = Scratch::new();
    golden(&serve(&dir), "native/key-refusals");
}

#[test]
fn keys_and_rings_are_listed_in_pages_word_by_word() {
    let dir = Scratch::new();
    golden(&serve(&dir), "native/pages");
}

#[test]
fn keys_and_rings_sign_and_verify_word_by_word() {
    let dir = Scratch::new();
    golden(&serve(&dir), "native/signatures");
}

#[test]
fn signatures_are_refused_word_by_word() {
    let dir = Scratch::new();
    golden(&serve(&dir), "native/signature-refusals");
}

#[test]
fn keys_and_rings_decrypt_word_by_word() {
    let dir = Scratch::new();
    let daemon = serve(&dir);
    let request = json!({"ring": "signing:secrets", "algorithm": "rsa-2048", "use": "decrypt"});
    let key = daemon.call(Method::POST, "/v1/keys").json(&request).send().expect(201).json();
    let public = daemon.get(&format!("/v1/keys/{}/public.pem", key["kid"].as_str().unwrap())).expect(200);
    fs::write(dir.join("public.pem"), public.body).unwrap();
    fs::write(dir.join("plain"), "a secret").unwrap();
    let oaep = "-pkeyopt rsa_padding_mode:oaep";
    openssl(&dir, &format!("pkeyutl -encrypt -pubin -inkey public.pem {oaep} -in plain -out secret.bin"));
    golden_with(&dir, &daemon, "native/decryption");
}

#[test]
fn ring_settings_are_kept_word_by_word() {
    let dir = Scratch::new();
    golden(&serve(&dir), "native/ring-settings");
}

#[test]
fn rings_are_rotated_now_and_by_periods_word_by_word() {
    let dir = Scratch::new();
    golden(&serve(&dir), "native/rotation");
}

#[test]
fn key_sets_of_rings_are_published_word_by_word() {
    let dir = Scratch::new();
    golden(&serve(&dir), "native/key-set");
}

#[test]
fn keys_are_suspended_and_compromised_word_by_word() {
    let dir = Scratch::new();
    golden(&serve(&dir), "native/key-states");
}

#[test]
fn keys_are_destroyed_and_restored_word_by_word() {
    let dir = Scratch::new();
    golden(&serve(&dir), "native/destruction");
}

#[test]
fn credentials_and_scopes_are_asked_for_word_by_word() {
    let dir = Scratch::new();
    golden(&serve(&dir), "native/credentials");
}
