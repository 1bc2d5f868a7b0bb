//! Keys that somebody else made in the token, taken in with a certificate.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Bench, KEY_PAIRS, P256, certified_key, encoded, hierarchy, key_and_certificate, text};
use crate::harness::{Configuration, Launch, Scratch, Token, key_pair, openssl, values};

/// A foreign key pair in the token, and `{id}.pem`, a certificate for it by `middle` of the hierarchy.
pub(super) fn foreign_key(bench: &Bench, id: &str, kind: &str) {
    let (dir, token) = (&bench.dir, bench.token());
    let label = format!("theirs-{id}");
    token.tool(&["--keypairgen", "--key-type", kind, "--id", id, "--label", &label, "--usage-sign"]);
    std::fs::write(dir.join("public.der"), public_key(&token, id, kind)).unwrap();
    openssl(dir, "pkey -pubin -inform DER -in public.der -out public.pem");
    let by = "-CA middle.pem -CAkey middle.key -CAcreateserial";
    openssl(dir, &format!("x509 -new -force_pubkey public.pem -subj /CN=linked {by} -days 30 -out {id}.pem"));
}

/// `SubjectPublicKeyInfo` of a key of the token.
fn public_key(token: &Token, id: &str, kind: &str) -> Vec<u8> {
    // pkcs11-tool of OpenSC 0.23 writes no public keys of these curves, but shows their points.
    let (head, length): (&[u8], usize) = match kind {
        "EC:secp384r1" => {
            (b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00", 97)
        }
        "EC:secp521r1" => (
            b"\x30\x81\x9b\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23\x03\x81\x86\x00",
            133,
        ),
        _ => {
            let dir = Scratch::new();
            let file = dir.join("public.der");
            token.write_public_key(id, &file);
            return std::fs::read(file).unwrap();
        }
    };
    // The program lists every key, whatever id it is given.
    let shown = token.tool(&["--list-objects", "--type", "pubkey"]);
    let ours = shown.split("Public Key Object").find(|object| object.contains(&format!("ID:         {id}"))).unwrap();
    let hex = ours.lines().find_map(|line| line.trim().strip_prefix("EC_POINT:")).unwrap().trim();
    let hex = &hex[hex.len() - 2 * length..];
    let point = (0..length).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap());
    head.iter().copied().chain(point).collect()
}

pub(super) fn linked(key: &str, certificates: &str) -> Value {
    json!({"privateKeyId": key, "certificateData": certificates})
}

/// Links a signing key; the id is the last segment of where it is.
fn link(bench: &Bench, request: &Value) -> String {
    let answer = bench.post("signing/link", request).expect(201);
    assert!(answer.body.is_empty(), "{}", answer.text());
    let location = answer.header("location").to_owned();
    let id = location.strip_prefix(&format!("{KEY_PAIRS}/signing/")).unwrap_or_else(|| panic!("{location}"));
    assert_eq!(bench.daemon.get(&location).expect(200).id(), id);
    id.to_owned()
}

/// What the token holds that is not ours.
fn foreign_objects(bench: &Bench) -> usize {
    bench.token().objects().iter().filter(|object| object.label.starts_with("theirs")).count()
}

#[test]
fn key_of_the_token_is_linked_by_its_id_or_its_uri_and_stays_when_it_is_deleted() {
    let bench = Bench::new();
    hierarchy(&bench.dir);
    let ways = [
        ("a1", "EC:prime256v1", "a1".to_owned()),
        ("a2", "rsa:2048", "pkcs11:id=%a2;type=private".to_owned()),
        ("a3", "rsa:3072", "pkcs11:token=strongroom;object=theirs%2Da3".to_owned()),
        ("a4", "EC:secp384r1", "pkcs11:id=%A4;object=theirs%2Da4".to_owned()),
        ("a5", "EC:secp521r1", "A5".to_owned()),
    ];
    for (id, kind, name) in ways {
        foreign_key(&bench, id, kind);
        let leaf = text(&bench.dir, &format!("{id}.pem"));
        // In base64 for the first, with its issuers in disorder for the others.
        let data = match id {
            "a1" => encoded(&bench.dir, "a1.pem"),
            _ => leaf.clone() + &text(&bench.dir, "root.pem") + &text(&bench.dir, "middle.pem"),
        };
        let pair = link(&bench, &linked(&name, &data));
        let view = bench.get(&format!("signing/{pair}")).expect(200).json();
        assert_eq!((&view["subjectDN"], &view["cryptoProvider"]), (&json!("CN=linked"), &json!("HSM")));
        let size = view["keySize"].to_string();
        assert!(kind.contains(&size), "{kind} with {size} bits");
        signs(&bench, &pair, &leaf, kind);
        let served = bench.get(&format!("signing/{pair}/certificate")).expect(200).text();
        assert_eq!(certified_key(&bench.dir, &served), certified_key(&bench.dir, &leaf));
        assert_eq!(served.matches("BEGIN").count(), if id == "a1" { 1 } else { 3 });
        std::fs::write(bench.dir.join("request.pem"), bench.get(&format!("signing/{pair}/csr")).expect(200).body)
            .unwrap();
        openssl(&bench.dir, "req -in request.pem -verify -noout");
        assert_eq!(
            bench.post(&format!("signing/{pair}/pem"), &json!({"password": "x"})).expect(403).json()["resultId"],
            "not_exportable"
        );

        bench.refuses("sslServer/link", &linked(&name, &data), ("privateKeyId", "not_unique"), "already in use");
        bench.delete(&format!("signing/{pair}")).expect(204);
        bench.get(&format!("signing/{pair}")).expect(404);
        bench.await_finished();
        let again = link(&bench, &linked(&name, &data));
        bench.delete(&format!("signing/{again}")).expect(204);
    }
    assert_eq!(foreign_objects(&bench), 10, "both halves of five keys");
    let bench = bench.restarted();
    bench.daemon.get(&format!("{KEY_PAIRS}/signing")).expect(200);
    assert_eq!(foreign_objects(&bench), 10);
}

/// openssl takes a signature of a linked key for one of its certificate's.
fn signs(bench: &Bench, pair: &str, leaf: &str, kind: &str) {
    let (algorithm, digest) = match kind {
        "EC:prime256v1" => ("SHA256withECDSA", "sha256"),
        "EC:secp384r1" => ("SHA384withECDSA", "sha384"),
        "EC:secp521r1" => ("SHA512withECDSA", "sha512"),
        _ => ("SHA256withRSA", "sha256"),
    };
    let request = json!({"algorithm": algorithm, "message": STANDARD.encode("a message")});
    let path = format!("/v1/key-rings/signing%3A{pair}/sign");
    let answer = bench.daemon.call(Method::POST, &path).json(&request).send().expect(200).json();
    let signature = STANDARD.decode(answer["signature"].as_str().unwrap()).unwrap();
    std::fs::write(bench.dir.join("signature"), signature).unwrap();
    std::fs::write(bench.dir.join("message"), "a message").unwrap();
    std::fs::write(bench.dir.join("signer.pub"), certified_key(&bench.dir, leaf)).unwrap();
    openssl(&bench.dir, &format!("dgst -{digest} -verify signer.pub -signature signature message"));
}

#[test]
fn expired_certificate_is_linked_and_shown_as_expired() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    foreign_key(&bench, "a6", "EC:prime256v1");
    // Its validity ended a day ago.
    let by = "-CA middle.pem -CAkey middle.key -CAcreateserial";
    openssl(dir, &format!("x509 -new -force_pubkey public.pem -subj /CN=past {by} -days -1 -out past.pem"));
    let pair = link(&bench, &linked("a6", &text(dir, "past.pem")));
    let view = bench.get(&format!("signing/{pair}")).expect(200).json();
    assert_eq!((&view["status"], &view["subjectDN"]), (&json!("EXPIRED"), &json!("CN=past")));
}

#[test]
fn linked_key_is_there_after_a_restart_and_reconcile_finds_nothing_wrong() {
    let bench = Bench::new();
    hierarchy(&bench.dir);
    foreign_key(&bench, "b1", "EC:prime256v1");
    let pair = link(&bench, &linked("b1", &text(&bench.dir, "b1.pem")));
    let bench = bench.restarted();
    assert_eq!(bench.get(&format!("signing/{pair}")).expect(200).json()["status"], "VALID");
    let data = bench.dir.as_os_str();
    let said = Launch::command(["reconcile".as_ref(), "--data".as_ref(), data]).run();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    assert_eq!(foreign_objects(&bench), 2);
}

#[test]
fn links_to_what_cannot_be_used_are_refused_with_the_reason() {
    let bench = Bench::new();
    hierarchy(&bench.dir);
    let token = bench.token();
    foreign_key(&bench, "c1", "EC:prime256v1");
    foreign_key(&bench, "c2", "EC:prime256v1");
    token.add_foreign_secret("a-secret", "d0");
    token.tool(&["--keypairgen", "--key-type", "rsa:1024", "--id", "d1", "--label", "short"]);
    token.tool(&["--keypairgen", "--key-type", "EC:secp256k1", "--id", "d2", "--label", "foreign-curve"]);
    for _ in 0..2 {
        token.add_foreign_key("twin", "d3");
    }
    let mut request = key_pair("EC", None);
    request["id"] = "ours".into();
    bench.post("signing/generate", &request).expect(201);
    let ours = values(&bench.database(), "SELECT lower(hex(locator)) FROM key_pairs");
    let certificate = text(&bench.dir, "c1.pem");
    link(&bench, &linked("c1", &certificate));

    let id = ("privateKeyId", "invalid_value");
    let cases = [
        ("d0", id, "secret key"),
        ("pkcs11:object=a-secret", id, "secret key"),
        ("d1", id, "RSA with 2048"),
        ("d2", id, "P-256"),
        ("d3", id, "2 private keys match"),
        ("77", id, "no private key"),
        ("pkcs11:object=nobody", id, "no private key"),
        (ours[0].as_str(), id, "Strongroom's own"),
        ("c1", ("privateKeyId", "not_unique"), "already in use"),
        ("pkcs11:object=theirs%2Dc1", ("privateKeyId", "not_unique"), "already in use"),
        ("c2", ("certificateData", "invalid_value"), "must be one for the private key"),
        ("not hex", id, "CKA_ID in hex"),
        ("pkcs11:", id, "`id`"),
        ("pkcs11:type=public;id=%c1", id, "private"),
        ("pkcs11:id=%c1?pin-value=1234", id, "query"),
        ("", ("privateKeyId", "required"), "required"),
    ];
    for (name, violation, words) in cases {
        bench.refuses("signing/link", &linked(name, &certificate), violation, words);
    }
}

#[test]
fn certificates_of_a_link_must_be_for_its_key_and_chain_up() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    foreign_key(&bench, "e1", "EC:prime256v1");
    key_and_certificate(dir, "stranger", P256);
    let leaf = text(dir, "e1.pem");
    let data = ("certificateData", "invalid_value");
    for (certificates, words) in [
        (text(dir, "stranger.pem"), "must be one for the private key"),
        (leaf.clone() + &text(dir, "root.pem"), "the issuer CN=middle is missing"),
        (leaf.clone() + &text(dir, "stranger.pem"), "CN=stranger"),
        (leaf[..leaf.len() / 2].to_owned(), "certificateData cannot be used"),
        ("%%%".to_owned(), "certificateData cannot be used"),
    ] {
        bench.refuses("signing/link", &linked("e1", &certificates), data, words);
    }
    bench.refuses("signing/link", &linked("e1", ""), ("certificateData", "required"), "required");
    let both = bench.post("signing/link", &json!({})).expect(422);
    let required = |field: &str| (field.to_owned(), "required".to_owned());
    assert_eq!(both.violations(), [required("certificateData"), required("privateKeyId")]);
    bench.post("signing/link", &json!({"id": "mine"})).expect(400);
}

#[test]
fn same_link_under_one_idempotency_key_is_one_key_pair() {
    let bench = Bench::new();
    hierarchy(&bench.dir);
    foreign_key(&bench, "f1", "EC:prime256v1");
    let request = linked("f1", &text(&bench.dir, "f1.pem"));
    let send = |request: &Value| {
        let call = bench.daemon.call(Method::POST, &format!("{KEY_PAIRS}/signing/link"));
        call.header("Idempotency-Key", "once").json(request).send()
    };
    let first = send(&request).expect(201);
    assert_eq!(send(&request).expect(201).header("location"), first.header("location"));
    assert_eq!(bench.get("signing").expect(200).json()["items"].as_array().unwrap().len(), 1);
    send(&linked("F1", &text(&bench.dir, "f1.pem"))).expect(422);
    // The answer is known, whatever has become of the key.
    for half in ["privkey", "pubkey"] {
        bench.token().tool(&["--delete-object", "--type", half, "--id", "f1"]);
    }
    assert_eq!(send(&request).expect(201).header("location"), first.header("location"));
    bench.daemon.delete(first.header("location")).expect(204);
    assert_eq!(send(&request).expect(409).json()["resultId"], "conflict");
}

#[test]
fn without_an_hsm_linking_is_forbidden() {
    let dir = Scratch::new();
    let mut daemon = Launch::serve(&Configuration::local(&dir)).start();
    daemon.await_ready();
    hierarchy(&dir);
    for family in ["signing", "sslServer", "sslClient"] {
        let request = linked("a1", &text(&dir, "leaf.pem"));
        let refused =
            daemon.call(Method::POST, &format!("{KEY_PAIRS}/{family}/link")).json(&request).send().expect(403);
        assert_eq!(refused.header("content-type"), "application/json");
        assert!(!refused.json()["message"].as_str().unwrap().is_empty());
        assert_eq!(daemon.get(&format!("{KEY_PAIRS}/{family}")).expect(200).json(), json!({"items": []}));
    }
}
