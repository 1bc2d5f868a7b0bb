//! Imports, exports, links, requests and responses of CAs, and settings, word by word.

use std::fs;
use std::path::Path;

use super::files::pair;
use crate::harness::{Configuration, Daemon, Launch, SIGNING, Scratch, Token, golden, golden_with, keytool, openssl};

const SSL_SERVER: &str = "/pf-admin-api/v1/keyPairs/sslServer";
const SSL_CLIENT: &str = "/pf-admin-api/v1/keyPairs/sslClient";
const EC: &str = "-genkeypair -alias a -storepass secret -keypass secret -keyalg EC -groupname secp256r1 -validity 30";

/// Joins files into another.
fn join(dir: &Path, names: &[&str], whole: &str) {
    let parts: Vec<Vec<u8>> = names.iter().map(|name| fs::read(dir.join(name)).unwrap()).collect();
    fs::write(dir.join(whole), parts.concat()).unwrap();
}

/// PEM without its first and its last line.
fn bare(dir: &Path, pem: &str, name: &str) {
    let text = fs::read_to_string(dir.join(pem)).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains("CERTIFICATE")).collect();
    fs::write(dir.join(name), lines.join("\n")).unwrap();
}

/// The certification request of a key pair, as a file.
fn save_request(daemon: &Daemon, path: &str, file: &Path) {
    fs::write(file, daemon.get(&format!("{path}/csr")).expect(200).body).unwrap();
}

/// What a CA makes of a certification request.
fn issue(dir: &Path, request: &str, ca: [&str; 2], days: i32, name: &str) {
    let [certificate, key] = ca;
    openssl(
        dir,
        &format!(
            "x509 -req -in {request} -CA {certificate} -CAkey {key} -days {days} -set_serial 77 \
             -copy_extensions copy -out {name}"
        ),
    );
}

#[test]
fn key_pairs_are_imported_and_exported_word_by_word() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    pair(&dir);
    openssl(
        &dir,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ec.key -out ec.pem -subj /CN=curve",
    );
    openssl(&dir, "pkcs8 -topk8 -in ec.key -passout pass:secret -out ec.p8");
    join(&dir, &["ec.p8", "ec.pem"], "encrypted.pem");
    // A certificate without extensions is one of X.509 version 1.
    openssl(&dir, "req -new -key key.pem -subj /CN=one -out one.csr");
    openssl(&dir, "x509 -req -in one.csr -signkey key.pem -days 9 -out one.pem");
    join(&dir, &["key.pem", "one.pem"], "one.pair");
    for (name, start) in [("past", "-60d"), ("future", "+60d")] {
        keytool(&dir, &format!("{EC} -keystore {name}.p12 -dname CN={name} -startdate {start}"));
    }
    golden_with(&dir, &daemon, "pingfederate/import");
    golden(&daemon, "pingfederate/export");
}

#[test]
fn imports_are_refused_word_by_word() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    pair(&dir);
    for (name, key) in
        [("other", "rsa:2048"), ("weak", "rsa:1024"), ("foreign", "ec -pkeyopt ec_paramgen_curve:secp256k1")]
    {
        openssl(&dir, &format!("req -x509 -newkey {key} -nodes -keyout {name}.pkcs8 -out {name}.pem -subj /CN={name}"));
        join(&dir, &[&format!("{name}.pkcs8"), &format!("{name}.pem")], &format!("{name}.key"));
    }
    join(&dir, &["key.pem", "other.pem"], "mismatch.pem");
    let whole = fs::read(dir.join("pair.p12")).unwrap();
    fs::write(dir.join("half.p12"), &whole[..whole.len() / 2]).unwrap();
    keytool(&dir, &format!("{EC} -keystore store.jks -storetype JKS -dname CN=java"));
    golden_with(&dir, &daemon, "pingfederate/import-refusals");
}

#[test]
fn keys_of_the_token_are_linked_word_by_word() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    pair(&dir);
    let token = Token::of_dev(&dir);
    token.add_foreign_key("linked", "f00d");
    token.add_foreign_secret("secret", "5ec2e7");
    token.write_public_key("f00d", &dir.join("linked.der"));
    openssl(&dir, "pkey -pubin -inform DER -in linked.der -out linked.pub");
    fs::write(dir.join("extensions"), "basicConstraints=CA:FALSE\n").unwrap();
    openssl(
        &dir,
        "x509 -new -force_pubkey linked.pub -subj /CN=linked -CA certificate.pem -CAkey key.pem -days 9 \
         -extfile extensions -out linked.pem",
    );
    join(&dir, &["linked.pem", "certificate.pem"], "chain.pem");
    let before = token.objects();
    golden_with(&dir, &daemon, "pingfederate/link");
    golden_with(&dir, &daemon, "pingfederate/link-refusals");
    assert_eq!(token.objects(), before, "links come and go, the key stays");
}

#[test]
fn certification_requests_and_responses_are_exchanged_word_by_word() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    pair(&dir);
    golden(&daemon, "pingfederate/csr");
    save_request(&daemon, &format!("{SIGNING}/mine"), &dir.join("mine.csr"));
    save_request(&daemon, &format!("{SSL_SERVER}/mine"), &dir.join("server.csr"));
    save_request(&daemon, &format!("{SSL_CLIENT}/client"), &dir.join("client.csr"));
    let root = ["certificate.pem", "key.pem"];
    for (request, days, name) in [
        ("mine.csr", 9, "leaf.pem"),
        ("server.csr", 9, "server.pem"),
        ("client.csr", 9, "client.pem"),
        ("mine.csr", -1, "past.pem"),
    ] {
        issue(&dir, request, root, days, name);
    }
    openssl(&dir, "req -newkey rsa:2048 -nodes -keyout middle.key -out middle.csr -subj /CN=middle");
    issue(&dir, "middle.csr", root, 20, "middle.pem");
    issue(&dir, "mine.csr", ["middle.pem", "middle.key"], 9, "deep.pem");
    let bundle = "crl2pkcs7 -nocrl -certfile certificate.pem";
    openssl(&dir, &format!("{bundle} -certfile middle.pem -certfile deep.pem -out deep.p7b"));
    openssl(&dir, &format!("{bundle} -out rootless.p7b"));
    join(&dir, &["deep.pem", "certificate.pem"], "gap.pem");
    bare(&dir, "leaf.pem", "bare.txt");
    golden_with(&dir, &daemon, "pingfederate/csr-response-refusals");
    golden_with(&dir, &daemon, "pingfederate/csr-response");
}

#[test]
fn certificate_authorities_are_trusted_word_by_word() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    pair(&dir);
    bare(&dir, "certificate.pem", "bare.txt");
    join(&dir, &["certificate.pem", "certificate.pem"], "two.pem");
    join(&dir, &["key.pem", "certificate.pem"], "withkey.pem");
    golden_with(&dir, &daemon, "pingfederate/trusted-cas");
}

#[test]
fn typed_names_and_trusted_issuers_are_a_matter_of_configuration_word_by_word() {
    let dir = Scratch::new();
    let sections = "[pingfederate]\nrequire-trusted-issuer = true\nsan-format = \"typed\"\n";
    let mut daemon = Launch::serve(&Configuration::usual(&dir).with(sections)).start();
    daemon.await_ready();
    pair(&dir);
    golden(&daemon, "pingfederate/typed");
    save_request(&daemon, &format!("{SIGNING}/mine"), &dir.join("mine.csr"));
    issue(&dir, "mine.csr", ["certificate.pem", "key.pem"], 9, "leaf.pem");
    golden_with(&dir, &daemon, "pingfederate/trusted-issuer");
}

#[test]
fn rules_of_rotation_settings_are_kept_word_by_word() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    openssl(&dir, "req -x509 -newkey rsa:2048 -nodes -keyout old.key -out old.pem -subj /CN=old -days 30 -sha1");
    join(&dir, &["old.key", "old.pem"], "pair.pem");
    golden(&daemon, "pingfederate/rotation-rules");
    golden_with(&dir, &daemon, "pingfederate/rotation-outdated");
}

#[test]
fn rules_of_ssl_settings_are_kept_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/ssl-settings-rules");
}

#[test]
fn oidc_settings_publish_and_keep_their_key_pairs_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/oidc-settings");
}

#[test]
fn rules_of_oidc_settings_are_kept_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/oidc-settings-rules");
}

#[test]
fn additional_key_sets_are_made_changed_and_deleted_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/additional-key-sets");
}

#[test]
fn generation_is_refused_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/generate-refusals");
}

#[test]
fn key_pairs_are_made_at_once_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/concurrent");
}

#[test]
fn repeated_requests_are_answered_word_by_word() {
    let dir = Scratch::new();
    // The first of two lasts until the second is there.
    golden(&Launch::dev(&dir).at("generate.generate#1=hold:3000").start(), "pingfederate/idempotency");
}

#[test]
fn bodies_of_another_kind_or_size_are_refused_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/body-refusals");
}
