//! The PingFederate dialect on a real token, judged by openssl and `pkcs11-tool`.

mod access;
mod coverage;
mod families;
mod files;
mod providers;
mod words;

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Call, Certificate, Daemon, GENERATE, Launch, SIGNING, Scratch, Token, agreement, agreement_within, golden,
    key_pair,
};

/// Every key algorithm, and the signature algorithms that fit it, the default first.
const ALGORITHMS: [(&str, Option<u32>, &[&str]); 7] = [
    ("RSA", Some(2048), RSA),
    ("RSA", Some(3072), RSA),
    ("RSA", Some(4096), RSA),
    ("EC", Some(256), &["SHA256withECDSA", "SHA384withECDSA", "SHA512withECDSA"]),
    ("EC", Some(384), &["SHA384withECDSA", "SHA256withECDSA", "SHA512withECDSA"]),
    ("EC", Some(521), &["SHA512withECDSA", "SHA256withECDSA", "SHA384withECDSA"]),
    ("Ed25519", None, &["Ed25519"]),
];
const RSA: &[&str] = &[
    "SHA256withRSA",
    "SHA384withRSA",
    "SHA512withRSA",
    "SHA256withRSAandMGF1",
    "SHA384withRSAandMGF1",
    "SHA512withRSAandMGF1",
];

#[test]
fn every_rsa_2048_signature_makes_a_certificate_that_openssl_accepts() {
    every_signature_is_accepted("RSA", Some(2048));
}

#[test]
fn every_rsa_3072_signature_makes_a_certificate_that_openssl_accepts() {
    every_signature_is_accepted("RSA", Some(3072));
}

#[test]
fn every_rsa_4096_signature_makes_a_certificate_that_openssl_accepts() {
    every_signature_is_accepted("RSA", Some(4096));
}

#[test]
fn every_ec_signature_makes_a_certificate_that_openssl_accepts() {
    every_signature_is_accepted("EC", Some(256));
    every_signature_is_accepted("EC", Some(384));
    every_signature_is_accepted("EC", Some(521));
}

#[test]
fn ed25519_makes_a_certificate_that_openssl_accepts() {
    every_signature_is_accepted("Ed25519", None);
}

/// One key pair for each signature algorithm of a key algorithm, each held against
/// openssl, the token and the store.
fn every_signature_is_accepted(algorithm: &str, size: Option<u32>) {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let token = Token::of_dev(&dir);
    let (_, _, signatures) = ALGORITHMS.into_iter().find(|(a, s, _)| (*a, *s) == (algorithm, size)).unwrap();
    for signature in signatures {
        let before = agreement(&token, &dir.join("strongroom.db")).keys();
        let mut request = key_pair(algorithm, size);
        request["signatureAlgorithm"] = (*signature).into();
        let view = daemon.generate(&request).expect(201).json();
        assert_eq!(view["keyAlgorithm"], algorithm);
        assert_eq!(view["signatureAlgorithm"], *signature);
        assert_eq!(view["keySize"], size.unwrap_or(256));
        let certificate = certificate_of(&daemon, &view);
        certificate.verify().unwrap_or_else(|why| panic!("{signature}: {why}"));
        assert_view_agrees(&view, &certificate);
        let after = agreement(&token, &dir.join("strongroom.db"));
        assert_eq!(after.quarrel(), None, "{signature}");
        let new: Vec<String> = after.keys().difference(&before).cloned().collect();
        let [id] = new.as_slice() else { panic!("one new key, found {new:?}") };
        assert_locked_in(&token, id);
    }
}

/// What `pkcs11-tool` and a probe have to say of a private key of ours.
fn assert_locked_in(token: &Token, id: &str) {
    let key = token.private_key(id);
    assert_eq!(key.usage, ["sign"], "no usage but sign");
    assert_eq!(key.access, ["sensitive", "always sensitive", "never extractable", "local"]);
    assert_eq!(token.secrecy(id), "value: Sensitive\nwrap: KeyUnextractable\n");
}

/// The view and openssl say the same of a certificate.
fn assert_view_agrees(view: &Value, certificate: &Certificate) {
    for (name, printed) in certificate.facts() {
        assert_eq!(view[name], printed, "{name}");
    }
    assert_eq!(view["version"], 3);
    assert_eq!(view["status"], "VALID");
}

fn certificate_of(daemon: &Daemon, view: &Value) -> Certificate {
    let answer = daemon.get(&format!("{SIGNING}/{}/certificate", view["id"].as_str().unwrap())).expect(200);
    assert_eq!(answer.header("content-type"), "application/x-x509-ca-cert");
    Certificate(answer.text())
}

#[test]
fn openssl_refuses_a_certificate_whose_signature_was_changed() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let view = daemon.generate(&key_pair("EC", None)).expect(201).json();
    let Certificate(pem) = certificate_of(&daemon, &view);
    let (head, tail) = pem.trim_end().rsplit_once("\n-----END").unwrap();
    let mut body = head.to_owned();
    // The last four characters of base64 are the last bytes of the signature.
    let end = body.trim_end_matches('=').len() - 4;
    let other = if &body[end..=end] == "A" { "B" } else { "A" };
    body.replace_range(end..=end, other);
    assert!(Certificate(format!("{body}\n-----END{tail}\n")).verify().is_err());
}

#[test]
fn the_certificate_carries_the_extensions_of_a_signing_key() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let mut request = key_pair("EC", None);
    request["subjectAlternativeNames"] =
        json!(["example.org", "192.168.0.1", "DNS: 'typed.example.org'", "ops@example.org", "urn:example:one"]);
    let view = daemon.generate(&request).expect(201).json();
    let text = certificate_of(&daemon, &view).text();
    let shows = |extension: &str, value: &str| {
        let after = text.split_once(extension).unwrap_or_else(|| panic!("{extension} in {text}")).1;
        let line = after.lines().nth(1).unwrap_or_default();
        assert!(line.contains(value), "{extension}: {line}");
    };
    shows("X509v3 Basic Constraints: critical", "CA:FALSE");
    shows("X509v3 Key Usage: critical", "Digital Signature");
    let identifier = text.split_once("X509v3 Subject Key Identifier:").unwrap().1.lines().nth(1).unwrap().trim();
    shows("X509v3 Authority Key Identifier:", identifier);
    let names =
        "DNS:example.org, IP Address:192.168.0.1, DNS:typed.example.org, email:ops@example.org, URI:urn:example:one";
    shows("X509v3 Subject Alternative Name:", names);
    assert!(!text.contains("Extended Key Usage"), "a signing key has none: {text}");
    let found: BTreeSet<&str> =
        view["subjectAlternativeNames"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let wanted = ["example.org", "192.168.0.1", "typed.example.org", "ops@example.org", "urn:example:one"];
    assert_eq!(found, BTreeSet::from(wanted), "bare values, whatever form they came in");
}

#[test]
fn a_full_name_is_shown_in_the_order_of_the_contract_and_escaped() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let mut request = key_pair("EC", None);
    for (name, value) in [
        ("commonName", "Grüße, \"Welt\""),
        ("organization", "Ping, Identity + Sons"),
        ("organizationUnit", "Engineering"),
        ("city", "Austin"),
        ("state", "Texas"),
    ] {
        request[name] = value.into();
    }
    let view = daemon.generate(&request).expect(201).json();
    let expected = "CN=Grüße\\, \\\"Welt\\\", OU=Engineering, O=Ping\\, Identity \\+ Sons, L=Austin, ST=Texas, C=US";
    assert_eq!(view["subjectDN"], expected);
    let certificate = certificate_of(&daemon, &view);
    assert_view_agrees(&view, &certificate);
    certificate.verify().unwrap();
}

#[test]
fn key_algorithms_shows_what_the_token_can_do() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    golden(&daemon, "pingfederate/key-algorithms");
}

#[test]
fn a_key_pair_is_generated_listed_read_and_deleted_word_by_word() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    golden(&daemon, "pingfederate/life-of-a-key-pair");
    let Some(token) = Token::in_use(&dir) else { return };
    agreement_within(Duration::from_secs(20), &token, &dir.join("strongroom.db"));
    assert_eq!(token.objects(), [], "the pair is gone from the token");
}

#[test]
fn defaults_are_filled_in_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/defaults");
}

#[test]
fn deletion_leaves_other_keys_alone_ours_and_foreign() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let token = Token::of_dev(&dir);
    token.add_foreign_key("somebody-else", "f00d");
    let kept = daemon.generate(&key_pair("EC", None)).expect(201).id();
    let gone = daemon.generate(&key_pair("RSA", None)).expect(201).id();
    daemon.delete(&format!("{SIGNING}/{gone}")).expect(204);
    daemon.get(&format!("{SIGNING}/{gone}")).expect(404);
    daemon.delete(&format!("{SIGNING}/{gone}")).expect(404);
    daemon.get(&format!("{SIGNING}/{kept}")).expect(200);
    let after = agreement_within(Duration::from_secs(20), &token, &dir.join("strongroom.db"));
    assert_eq!(after.keys().len(), 1);
    assert_eq!(after.objects.iter().filter(|object| object.label == "somebody-else").count(), 2);
}

#[test]
fn an_id_can_be_used_again_after_deletion() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let mut request = key_pair("EC", None);
    request["id"] = "phoenix".into();
    let first = daemon.generate(&request).expect(201).json();
    daemon.delete(&format!("{SIGNING}/phoenix")).expect(204);
    let second = daemon.generate(&request).expect(201).json();
    assert_ne!(first["serialNumber"], second["serialNumber"]);
}

#[test]
fn both_prefixes_serve_the_same_key_pairs() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let made = daemon.call(Method::POST, "/keyPairs/signing/generate").json(&key_pair("EC", None)).send().expect(201);
    let long = daemon.get(&format!("{SIGNING}/{}", made.id())).expect(200);
    let short = daemon.get(&format!("/keyPairs/signing/{}", made.id())).expect(200);
    assert_eq!(long.json(), made.json());
    assert_eq!(short.json(), made.json());
    assert_eq!(daemon.get("/keyPairs/keyAlgorithms").expect(200).json().as_object().unwrap().len(), 1);
}

#[test]
fn the_odd_requests_of_real_clients_are_accepted() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let odd = |call: Call| -> Answer {
        call.header("Accept", "application/json").header("X-BypassExternalValidation", "true").body("{}").send()
    };
    let id = daemon.generate(&key_pair("EC", None)).expect(201).id();
    odd(daemon.call(Method::GET, &format!("{SIGNING}/{id}/certificate"))).expect(200);
    odd(daemon.call(Method::GET, SIGNING)).expect(200);
    odd(daemon.call(Method::DELETE, &format!("{SIGNING}/{id}"))).expect(204);
    daemon.call(Method::POST, GENERATE).header("Accept", "text/html").json(&key_pair("EC", None)).send().expect(201);
}

#[test]
fn every_answer_names_its_request() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    assert!(!daemon.get(SIGNING).header("x-request-id").is_empty());
    let named = daemon.call(Method::GET, SIGNING).header("X-Request-Id", "one-of-mine").send();
    assert_eq!(named.header("x-request-id"), "one-of-mine");
}
