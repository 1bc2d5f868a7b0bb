//! The Zitadel dialect on a real token: answers word by word, signatures judged by openssl and JOSE libraries.

mod coverage;
mod crashes;
mod races;

use std::fs;
use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Configuration, Daemon, Launch, PublicKey, Scratch, Token, agreement_within, eventually, golden, run,
};

const PATIENCE: Duration = Duration::from_secs(40);

/// Everything that a web key can be, and its name in JOSE; ES512 means P-521.
fn kinds() -> [(&'static str, Value); 7] {
    let rsa = |hasher: &str| json!({"rsa": {"bits": "RSA_BITS_2048", "hasher": format!("RSA_HASHER_{hasher}")}});
    let ecdsa = |curve: &str| json!({"ecdsa": {"curve": format!("ECDSA_CURVE_{curve}")}});
    [
        ("RS256", rsa("SHA256")),
        ("RS384", rsa("SHA384")),
        ("RS512", rsa("SHA512")),
        ("ES256", ecdsa("P256")),
        ("ES384", ecdsa("P384")),
        ("ES512", ecdsa("P512")),
        ("EdDSA", json!({"ed25519": {}})),
    ]
}

fn p256() -> Value {
    json!({"ecdsa": {"curve": "ECDSA_CURVE_P256"}})
}

fn create(daemon: &Daemon, key: &Value) -> String {
    daemon.call(Method::POST, "/v2/web_keys").json(key).send().expect(200).id()
}

fn activate(daemon: &Daemon, id: &str) -> Answer {
    daemon.call(Method::POST, &format!("/v2/web_keys/{id}/activate")).send()
}

/// Id and state of each web key.
fn listed(daemon: &Daemon) -> Vec<(String, String)> {
    let list = daemon.get("/v2/web_keys").expect(200).json();
    let text = |key: &Value, name: &str| key[name].as_str().unwrap().to_owned();
    list["webKeys"].as_array().into_iter().flatten().map(|key| (text(key, "id"), text(key, "state"))).collect()
}

fn active(daemon: &Daemon) -> String {
    let keys = listed(daemon);
    let active: Vec<_> = keys.iter().filter(|(_, state)| state == "STATE_ACTIVE").collect();
    let [(id, _)] = active.as_slice() else { panic!("one active key in {keys:?}") };
    id.clone()
}

fn dev(name: &str) {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), name);
}

/// Holds a golden file against a daemon with more in its configuration.
fn serve(sections: &str, name: &str) {
    let dir = Scratch::new();
    let configuration = Configuration::usual(&dir).with(sections);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    golden(&daemon, name);
}

#[test]
fn web_keys_live_under_v2_word_by_word() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    golden(&daemon, "zitadel/life-in-v2");
    let Some(token) = Token::in_use(&dir) else { return };
    let after = agreement_within(PATIENCE, &token, &dir.join("strongroom.db"));
    assert_eq!(after.keys().len(), 1, "the deleted key is gone from the token");
}

#[test]
fn web_keys_live_under_v2beta_word_by_word() {
    dev("zitadel/life-in-v2beta");
}

#[test]
fn web_keys_live_under_v3alpha_word_by_word() {
    serve("[zitadel]\ninstance-id = \"instance-1\"\n", "zitadel/life-in-v3alpha");
}

#[test]
fn web_keys_live_in_connect_word_by_word() {
    dev("zitadel/connect-v2");
    dev("zitadel/connect-v2beta");
}

#[test]
fn every_size_hash_and_curve_is_made_word_by_word() {
    dev("zitadel/algorithms");
}

#[test]
fn every_encoding_of_a_request_is_read_word_by_word() {
    dev("zitadel/encodings");
}

#[test]
fn bad_requests_are_refused_and_change_nothing_word_by_word() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    golden(&daemon, "zitadel/refusals");
    golden(&daemon, "zitadel/connect-refusals");
    let Some(token) = Token::in_use(&dir) else { return };
    assert_eq!(token.objects(), []);
}

#[test]
fn only_bearer_tokens_with_the_right_scopes_are_let_in_word_by_word() {
    serve("", "zitadel/credentials");
}

#[test]
fn repeated_request_makes_no_second_key_word_by_word() {
    dev("zitadel/idempotency");
}

#[test]
fn token_that_is_not_there_is_a_503_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::serve(&Configuration::new(&dir, &Token::absent(&dir))).start(), "zitadel/unavailable");
}

#[test]
fn key_that_the_token_cannot_make_is_refused_word_by_word() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let mut conf = fs::OpenOptions::new().append(true).open(&token.conf).unwrap();
    // SoftHSM does not hear the first of the list.
    conf.write_all(b"slots.mechanisms = -,CKM_EDDSA,CKM_EC_EDWARDS_KEY_PAIR_GEN\n").unwrap();
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token)).start();
    daemon.await_ready();
    golden(&daemon, "zitadel/unsupported");
}

#[test]
fn discovery_names_the_configured_issuer_word_by_word() {
    serve("[zitadel]\nissuer = \"https://keys.example.com\"\n", "zitadel/discovery");
}

#[test]
fn discovery_on_loopback_needs_no_configuration() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let found = daemon.call(Method::GET, "/.well-known/openid-configuration").anonymous().send().expect(200).json();
    assert_eq!(found["issuer"], daemon.base());
    assert_eq!(found["jwks_uri"], format!("{}/oauth/v2/keys", daemon.base()));
}

#[test]
fn web_key_signs_with_its_one_algorithm_and_the_libraries_accept_it() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let jws = |path: String, body: &Value| daemon.call(Method::POST, &path).json(body).send();
    for (name, kind) in kinds() {
        let id = create(&daemon, &kind);
        activate(&daemon, &id).expect(200);
        let shown = daemon.get(&format!("/v1/keys/{id}")).expect(200).json();
        assert_eq!(shown["permitted"].as_array().unwrap().len(), 1, "{name}: {shown}");
        let public = PublicKey(daemon.get(&format!("/v1/keys/{id}/public.pem")).expect(200).text());
        let claims = json!({"payload": {"sub": name}});
        let answer = jws("/v1/key-rings/web-keys/jws".to_owned(), &claims).expect(200).json();
        let token = answer["jws"].as_str().unwrap();
        // joserfc calls the algorithm by the name of RFC 9864.
        let python = public.joserfc_reads(name, token).unwrap_or_else(|| panic!("{name} in Python: {token}"));
        let javascript = public.jose_reads(name, token).unwrap_or_else(|| panic!("{name} in JavaScript: {token}"));
        for found in [python, javascript] {
            assert_eq!(found["header"]["kid"], id, "{name}");
            assert_eq!(found["header"]["alg"], name);
        }
        let other = if name == "RS256" { "RS512" } else { "RS256" };
        jws(format!("/v1/keys/{id}/jws"), &json!({"payload": {}, "algorithm": other})).expect(422);
    }
}

#[test]
fn key_set_has_the_public_half_of_every_key_that_is_not_deleted() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let set = || daemon.call(Method::GET, "/oauth/v2/keys").anonymous().send().expect(200);
    assert_eq!(set().json(), json!({"keys": []}));
    let made = kinds().map(|(name, kind)| (name, create(&daemon, &kind)));
    activate(&daemon, &made[1].1).expect(200);
    let answer = set();
    assert_eq!(answer.header("cache-control"), "max-age=300, must-revalidate");
    let keys = answer.json();
    for (name, id) in &made {
        let pem = daemon.get(&format!("/v1/keys/{id}/public.pem")).expect(200).text();
        assert_public_half(find(&keys, id).unwrap_or_else(|| panic!("{name} in {keys}")), name, &pem);
    }
    daemon.delete(&format!("/v2/web_keys/{}", made[0].1)).expect(200);
    let left = set().json();
    assert_eq!(find(&left, &made[0].1), None, "gone with its deletion");
    assert_eq!(left["keys"].as_array().unwrap().len(), made.len() - 1);
}

fn find<'a>(set: &'a Value, kid: &str) -> Option<&'a Value> {
    set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid)
}

/// The members of a JWK are those of the key that openssl reads from PEM.
fn assert_public_half(key: &Value, algorithm: &str, pem: &str) {
    let (kind, crv, public) = match algorithm {
        "EdDSA" => ("OKP", Some("Ed25519"), &["x"][..]),
        "ES256" => ("EC", Some("P-256"), &["x", "y"][..]),
        "ES384" => ("EC", Some("P-384"), &["x", "y"][..]),
        "ES512" => ("EC", Some("P-521"), &["x", "y"][..]),
        _ => ("RSA", None, &["n"][..]),
    };
    let said = (&key["alg"], &key["kty"], &key["use"], key.get("crv").and_then(Value::as_str));
    assert_eq!(said, (&json!(algorithm), &json!(kind), &json!("sig"), crv));
    let private = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];
    assert!(private.iter().all(|member| key.get(member).is_none()), "{key}");
    let decoded = |member: &&str| URL_SAFE_NO_PAD.decode(key[*member].as_str().unwrap()).unwrap();
    let bytes: Vec<u8> = public.iter().flat_map(decoded).collect();
    let mut openssl = Command::new("openssl");
    let der = run(openssl.args(["pkey", "-pubin", "-outform", "DER"]), pem.as_bytes());
    assert!(der.status.success());
    assert!(der.stdout.windows(bytes.len()).any(|window| window == bytes), "{algorithm}: {key}");
}

#[test]
fn only_the_active_key_signs() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let (first, second) = (create(&daemon, &p256()), create(&daemon, &p256()));
    let signs = |id: &str| {
        let call = daemon.call(Method::POST, &format!("/v1/keys/{id}/jws"));
        call.json(&json!({"payload": {}})).send().status.is_success()
    };
    assert!(signs(&first) && !signs(&second), "the second one waits");
    activate(&daemon, &second).expect(200);
    assert!(!signs(&first) && signs(&second), "the second one has taken over");
    activate(&daemon, &first).expect(200);
    assert!(signs(&first) && !signs(&second), "the first one is back");
}

#[test]
fn new_instance_begins_with_two_keys_once_and_for_all() {
    let dir = Scratch::new();
    let configuration = Configuration::usual(&dir).with("[zitadel]\nbootstrap = true\n");
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let two = eventually("two keys", PATIENCE, || Some(listed(&daemon)).filter(|keys| !keys.is_empty()));
    golden(&daemon, "zitadel/bootstrapped");
    daemon.kill();
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    eventually("a look at the ring", PATIENCE, || {
        std::thread::sleep(Duration::from_millis(500));
        daemon.log().contains("token").then_some(())
    });
    assert_eq!(listed(&daemon), two, "a second start makes no more");
}
