//! HSM and LOCAL side by side, and each of them alone.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{
    Certificate, Configuration, Daemon, Launch, SIGNING, Scratch, Token, eventually, key_pair, openssl, tamper, values,
};

pub const SEALED_BY_TOKEN: &str = "[local]\nmaster-key = \"token\"\n";

fn local(algorithm: &str, size: Option<u32>) -> Value {
    let mut request = key_pair(algorithm, size);
    request["cryptoProvider"] = "LOCAL".into();
    request
}

fn certificate(daemon: &Daemon, id: &str) -> Certificate {
    Certificate(daemon.get(&format!("{SIGNING}/{id}/certificate")).expect(200).text())
}

/// Runs `daemon local rotate-master` and says whether it succeeded, with what it printed.
fn rotate(configuration: &Configuration) -> (bool, String) {
    let file = configuration.write();
    let arguments = ["local".as_ref(), "rotate-master".as_ref(), "--config".as_ref(), file.as_os_str()];
    let output = Launch::command(arguments).run();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

/// Every file of the store together.
fn store_bytes(configuration: &Configuration) -> Vec<u8> {
    let database = configuration.database().display().to_string();
    ["", "-wal", "-shm"].iter().flat_map(|end| fs::read(format!("{database}{end}")).unwrap_or_default()).collect()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn sealed(configuration: &Configuration) -> Vec<Vec<u8>> {
    let hex =
        values(&configuration.database(), "SELECT hex(sealed) FROM key_pairs WHERE sealed IS NOT NULL ORDER BY id");
    let byte = |text: &str, at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    hex.iter().map(|text| (0..text.len()).step_by(2).map(|at| byte(text, at)).collect()).collect()
}

#[test]
fn hybrid_keeps_each_key_where_it_was_asked_for() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token).with(SEALED_BY_TOKEN);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let in_token = |objects: usize| {
        assert_eq!(token.objects().iter().filter(|found| found.label.contains("sr:")).count(), objects);
    };
    in_token(0);
    for (algorithm, size) in [("RSA", Some(2048)), ("EC", Some(256)), ("EC", Some(521)), ("Ed25519", None)] {
        let view = daemon.generate(&local(algorithm, size)).expect(201).json();
        assert_eq!(view["cryptoProvider"], "LOCAL");
        certificate(&daemon, view["id"].as_str().unwrap()).verify().unwrap();
    }
    in_token(0);
    let hsm = daemon.generate(&key_pair("EC", None)).expect(201).json();
    assert_eq!(hsm["cryptoProvider"], "HSM");
    in_token(2);
    let mut unsaid = key_pair("EC", None);
    unsaid.as_object_mut().unwrap().remove("cryptoProvider");
    assert_eq!(daemon.generate(&unsaid).expect(201).json()["cryptoProvider"], "HSM");

    let providers =
        values(&configuration.database(), "SELECT provider || (sealed IS NOT NULL) FROM key_pairs ORDER BY 1");
    assert_eq!(providers, ["HSM0", "HSM0", "LOCAL1", "LOCAL1", "LOCAL1", "LOCAL1"]);
    let list = daemon.get(SIGNING).expect(200).json();
    let shown: Vec<_> = list["items"].as_array().unwrap().iter().map(|view| view["cryptoProvider"].clone()).collect();
    assert_eq!(shown, ["LOCAL", "LOCAL", "LOCAL", "LOCAL", "HSM", "HSM"]);
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));

    let mut again = Launch::serve(&configuration).start();
    again.await_ready();
    assert_eq!(again.generate(&local("EC", None)).expect(201).json()["cryptoProvider"], "LOCAL");
    assert_eq!(
        values(&configuration.database(), "SELECT CAST(version AS TEXT) FROM master_keys"),
        ["1"],
        "one master key"
    );
}

#[test]
fn without_hybrid_mode_there_is_the_token_alone() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token).with("[pingfederate]\nhybrid = false\n");
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let refused = daemon.generate(&local("EC", None)).expect(422);
    assert_eq!(refused.violations(), [("cryptoProvider".to_owned(), "invalid_value".to_owned())]);
    let view = daemon.generate(&key_pair("EC", None)).expect(201).json();
    assert!(view.get("cryptoProvider").is_none(), "{view}");
    assert_eq!(values(&configuration.database(), "SELECT provider FROM key_pairs"), ["HSM"]);
}

#[test]
fn without_hybrid_mode_no_key_of_the_token_is_linked_beside_local_keys() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let sections = "[local]\nmaster-key = \"token\"\n[pingfederate]\nhybrid = false\ndefault-provider = \"LOCAL\"\n";
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token).with(sections)).start();
    daemon.await_ready();
    let link = json!({"privateKeyId": "01", "certificateData": "any"});
    let refused = daemon.call(Method::POST, "/keyPairs/signing/link").json(&link).send().expect(403).json();
    assert_eq!(refused["resultId"], "not_supported_by_provider");
}

#[test]
fn without_local_keys_hybrid_mode_refuses_them() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token)).start();
    daemon.await_ready();
    let refused = daemon.generate(&local("EC", None)).expect(422);
    assert_eq!(refused.violations(), [("cryptoProvider".to_owned(), "not_supported_by_provider".to_owned())]);
    assert_eq!(daemon.generate(&key_pair("EC", None)).expect(201).json()["cryptoProvider"], "HSM");
}

#[test]
fn local_only_needs_no_token_and_keeps_its_keys_by_a_key_file() {
    let dir = Scratch::new();
    let configuration = Configuration::local(&dir);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    assert!(daemon.hosts().is_empty(), "there is no token to host");
    let mut unsaid = key_pair("EC", None);
    unsaid.as_object_mut().unwrap().remove("cryptoProvider");
    let view = daemon.generate(&unsaid).expect(201).json();
    assert_eq!(view["cryptoProvider"], "LOCAL");
    certificate(&daemon, view["id"].as_str().unwrap()).verify().unwrap();
    let refused = daemon.generate(&key_pair("EC", None)).expect(422);
    assert_eq!(refused.violations(), [("cryptoProvider".to_owned(), "not_supported_by_provider".to_owned())]);
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));

    let file = configuration.write();
    let check = Launch::command(["check".as_ref(), "--config".as_ref(), file.as_os_str()]).run();
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success() && said.contains("losing that key loses every LOCAL key"), "{said}");
    fs::remove_file(dir.join("master.key")).unwrap();
    let check = Launch::command(["check".as_ref(), "--config".as_ref(), file.as_os_str()]).run();
    assert!(!check.status.success(), "a check without the key file");
    let mut locked = Launch::serve(&configuration).start();
    let said = locked.await_status("/readyz", 503).text();
    assert!(said.contains("master.key cannot be read"), "{said}");
    locked.generate(&unsaid).expect(503);
}

#[test]
fn deleted_local_key_leaves_no_sealed_bytes() {
    let dir = Scratch::new();
    let configuration = Configuration::local(&dir);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let gone = daemon.generate(&local("RSA", None)).expect(201).id();
    let [blob] = sealed(&configuration).try_into().unwrap();
    let kept = daemon.generate(&local("EC", None)).expect(201).id();
    assert!(contains(&store_bytes(&configuration), &blob[..64]));
    daemon.delete(&format!("{SIGNING}/{gone}")).expect(204);
    eventually("the end of the sealed key", std::time::Duration::from_secs(20), || {
        (!contains(&store_bytes(&configuration), &blob[100..164])).then_some(())
    });
    let bytes = store_bytes(&configuration);
    assert!(blob.chunks_exact(64).all(|part| !contains(&bytes, part)), "a part of the sealed key is left");
    daemon.get(&format!("{SIGNING}/{kept}")).expect(200);
    assert_eq!(sealed(&configuration).len(), 1);
}

#[test]
fn store_holds_no_private_key_in_clear() {
    let dir = Scratch::new();
    let configuration = Configuration::local(&dir);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    for (algorithm, size) in [("RSA", Some(2048)), ("EC", Some(256)), ("EC", Some(384)), ("Ed25519", None)] {
        daemon.generate(&local(algorithm, size)).expect(201);
    }
    let bytes = store_bytes(&configuration);
    // What each PKCS#8 begins with, from its version on: rsaEncryption, the curves, Ed25519.
    let openings: [&[u8]; 4] = [
        b"\x02\x01\x00\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01",
        b"\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01",
        b"\x02\x01\x00\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01",
        b"\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70",
    ];
    for opening in openings {
        assert!(!contains(&bytes, opening), "a private key stands in the store");
    }
    let master = fs::read_to_string(dir.join("master.key")).unwrap();
    for secret in ["PRIVATE KEY", master.trim()] {
        assert!(!contains(&bytes, secret.as_bytes()));
        assert!(!daemon.log().contains(secret));
    }
    for blob in sealed(&configuration) {
        assert_eq!(blob[..9], [1, 0, 0, 0, 0, 0, 0, 0, 1], "format 1, master key 1");
    }
}

#[test]
fn altered_and_swapped_keys_are_refused_and_audited() {
    let dir = Scratch::new();
    let configuration = Configuration::local(&dir);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    for _ in 0..4 {
        daemon.generate(&local("EC", None)).expect(201);
    }
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
    let database = configuration.database();
    tamper(
        &database,
        "UPDATE key_pairs SET sealed = CAST(substr(sealed, 1, 40) || CASE hex(substr(sealed, 41, 1)) WHEN '00'
             THEN x'01' ELSE x'00' END || substr(sealed, 42) AS BLOB)
         WHERE id = (SELECT MIN(id) FROM key_pairs)",
    );
    tamper(
        &database,
        "CREATE TEMP TABLE two AS SELECT id, locator, sealed, spki FROM key_pairs ORDER BY id LIMIT 2 OFFSET 1;
         UPDATE key_pairs SET locator = CAST('0' || locator AS BLOB) WHERE id IN (SELECT id FROM two);
         UPDATE key_pairs SET locator = two.locator, sealed = two.sealed, spki = two.spki FROM two
         WHERE key_pairs.id IN (SELECT id FROM two) AND two.id <> key_pairs.id",
    );
    let (succeeded, said) = rotate(&configuration);
    assert!(!succeeded, "{said}");
    assert_eq!(said.matches("its seal is broken").count(), 3, "{said}");
    let audited = values(&database, "SELECT key_id FROM audit_events WHERE action = 'key.seal-broken' ORDER BY key_id");
    assert_eq!(audited, values(&database, "SELECT id FROM key_pairs ORDER BY id LIMIT 3"));
    let resealed = values(&database, "SELECT key_id FROM audit_events WHERE action = 'key.resealed'");
    assert_eq!(resealed.len(), 1);

    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let sign = |ring: &str| {
        let request = json!({"algorithm": "ES256", "message": "bWVzc2FnZQ=="});
        daemon.call(Method::POST, &format!("/v1/key-rings/{ring}/sign")).json(&request).send()
    };
    let rings = values(&database, "SELECT ring FROM key_pairs ORDER BY id");
    for ring in [&rings[0], &rings[1], &rings[1]] {
        let damaged = sign(ring).expect(500);
        assert!(damaged.header("retry-after").is_empty(), "it does not mend itself");
        assert_eq!(damaged.json()["type"], "urn:strongroom:error:damaged");
    }
    sign(&rings[3]).expect(200);
    let path = format!("{SIGNING}/{}/pem", rings[0].strip_prefix("signing:").unwrap());
    let export = daemon.call(Method::POST, &path).json(&json!({"password": "x"})).send().expect(500);
    assert_eq!(export.json()["resultId"], "key_damaged");
    let by_admin = "SELECT DISTINCT key_id FROM audit_events WHERE action = 'key.seal-broken' AND principal = 'admin' ORDER BY key_id";
    assert_eq!(values(&database, by_admin), audited[..2]);
}

#[test]
fn master_key_is_rotated_beside_a_running_daemon() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token).with(SEALED_BY_TOKEN);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    daemon.generate(&local("EC", None)).expect(201);
    daemon.generate(&local("RSA", None)).expect(201);
    let (succeeded, said) = rotate(&configuration);
    assert!(succeeded && said.contains("2 keys were sealed anew"), "{said}");
    assert!(sealed(&configuration).iter().all(|blob| blob[8] == 2), "under master key 2");
    let id = daemon.generate(&local("EC", None)).expect(201).id();
    certificate(&daemon, &id).verify().unwrap();
    assert!(sealed(&configuration).iter().all(|blob| blob[8] == 2), "the daemon follows");
    let actions = values(&configuration.database(), "SELECT action FROM audit_events WHERE action LIKE 'master%'");
    assert_eq!(actions, ["master-key.added", "master-key.added", "master-key.retired"]);
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
}

#[test]
fn sealed_key_from_before_a_rotation_is_refused_and_audited_when_it_is_put_back() {
    let dir = Scratch::new();
    let configuration = Configuration::local(&dir);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let id = daemon.generate(&local("EC", None)).expect(201).id();
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
    tamper(&configuration.database(), "CREATE TABLE kept AS SELECT sealed FROM key_pairs");
    let (succeeded, said) = rotate(&configuration);
    assert!(succeeded && said.contains("refused from now on"), "{said}");
    tamper(&configuration.database(), "UPDATE key_pairs SET sealed = (SELECT sealed FROM kept)");

    let file = configuration.write();
    let check = Launch::command(["check".as_ref(), "--config".as_ref(), file.as_os_str()]).run();
    let said = String::from_utf8_lossy(&check.stdout).into_owned() + &String::from_utf8_lossy(&check.stderr);
    assert!(!check.status.success() && said.contains("it is an older copy, put back"), "{said}");
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let path = format!("{SIGNING}/{id}/pem");
    let refused = daemon.call(Method::POST, &path).json(&json!({"password": "x"})).send().expect(500);
    assert_eq!(refused.json()["resultId"], "key_damaged");
    let audited = "SELECT detail FROM audit_events WHERE action = 'key.seal-broken'";
    let [detail] = values(&configuration.database(), audited).try_into().unwrap();
    assert!(detail.contains("master key 1, which sealed it, is retired"), "{detail}");
}

/// Parts of a private key that no certificate shows: the scalar of P-256 (RFC 5915 within RFC 5958),
/// and of RSA what follows modulus and exponents (RFC 8017 appendix A.1.2).
fn private_parts(algorithm: &str, pkcs8: &[u8]) -> Vec<Vec<u8>> {
    let private = if algorithm == "ec" { &pkcs8[36..68] } else { &pkcs8[pkcs8.len() - 640..] };
    private.chunks_exact(16).map(<[u8]>::to_vec).collect()
}

#[test]
fn imported_key_stands_in_no_file_of_the_store_in_any_form() {
    let dir = Scratch::new();
    let configuration = Configuration::local(&dir);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    for (algorithm, options) in [("ec", "-newkey ec -pkeyopt ec_paramgen_curve:P-256"), ("rsa", "-newkey rsa:2048")] {
        openssl(&dir, &format!("req -x509 {options} -nodes -keyout key.pem -out cert.pem -subj /CN=x -days 9"));
        openssl(&dir, "pkcs12 -export -inkey key.pem -in cert.pem -passout pass:a-password -out key.p12");
        let pkcs8 = openssl(&dir, "pkcs8 -topk8 -nocrypt -in key.pem -outform DER");
        let file = STANDARD.encode(fs::read(dir.join("key.p12")).unwrap());
        let request = json!({"fileData": file, "password": "a-password", "cryptoProvider": "LOCAL"});
        let view = daemon.call(Method::POST, &format!("{SIGNING}/import")).json(&request).send().expect(201).json();
        assert_eq!(view["cryptoProvider"], "LOCAL");

        let bytes = store_bytes(&configuration);
        for part in private_parts(algorithm, &pkcs8) {
            let hex = part.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
            assert!(!contains(&bytes, &part), "{algorithm} in clear");
            assert!(!contains(&bytes.to_ascii_lowercase(), hex.as_bytes()), "{algorithm} in hex");
            for start in 0..3 {
                let text = STANDARD.encode(&part[start..start + 12]);
                assert!(!contains(&bytes, text.as_bytes()), "{algorithm} in base64");
                assert!(!daemon.log().contains(&text) && !daemon.log().contains(&hex));
            }
        }
    }
}
