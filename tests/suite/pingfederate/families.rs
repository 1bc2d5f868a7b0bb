//! What the three families have in common, and what only one of them has.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Certificate, Launch, Scratch, golden, key_pair};

const KEY_PAIRS: &str = "/pf-admin-api/v1/keyPairs";

#[test]
fn each_family_has_its_own_ids_and_its_own_extensions() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let mut request = key_pair("RSA", Some(2048));
    request["id"] = "same".into();
    for (family, usage, purpose) in [
        ("signing", "Digital Signature", None),
        ("sslServer", "Digital Signature, Key Encipherment", Some("TLS Web Server Authentication")),
        ("sslClient", "Digital Signature", Some("TLS Web Client Authentication")),
    ] {
        let path = format!("{KEY_PAIRS}/{family}");
        daemon.call(Method::POST, &format!("{path}/generate")).json(&request).send().expect(201);
        daemon.call(Method::POST, &format!("{path}/generate")).json(&request).send().expect(422);
        assert_eq!(daemon.get(&path).expect(200).json()["items"].as_array().unwrap().len(), 1);
        let certificate = Certificate(daemon.get(&format!("{path}/same/certificate")).expect(200).text());
        certificate.verify().unwrap();
        let text = certificate.text();
        assert!(text.lines().any(|line| line.trim() == usage), "{family}: {text}");
        assert_eq!(text.contains("Extended Key Usage"), purpose.is_some(), "{family}");
        assert!(purpose.is_none_or(|purpose| text.contains(purpose)), "{family}: {text}");
    }
    daemon.delete(&format!("{KEY_PAIRS}/sslClient/same")).expect(204);
    daemon.get(&format!("{KEY_PAIRS}/sslClient/same")).expect(404);
    daemon.get(&format!("{KEY_PAIRS}/sslServer/same")).expect(200);
}

#[test]
fn families_have_separate_ids_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/families");
}

#[test]
fn rotation_settings_are_filled_in_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/rotation-settings");
}

#[test]
fn ssl_settings_keep_their_key_pairs_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/ssl-settings");
}

#[test]
fn only_signing_keys_have_rotation_settings_and_only_servers_have_ssl_settings() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    for path in ["sslServer/a/rotationSettings", "sslClient/a/rotationSettings"] {
        let answer = daemon.get(&format!("{KEY_PAIRS}/{path}")).expect(404);
        assert_eq!(answer.json()["resultId"], "resource_not_found");
    }
    let settings = json!({"runtimeServerCertRef": {"id": "a"}, "adminConsoleCertRef": {"id": "a"}});
    daemon.call(Method::PUT, &format!("{KEY_PAIRS}/signing/settings")).json(&settings).send().expect(405);
}

#[test]
fn version_and_document_are_those_of_the_product() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    assert_eq!(daemon.get("/pf-admin-api/v1/version").expect(200).json(), json!({"version": "12.3.0.0"}));
    let document = daemon.call(Method::GET, "/pf-admin-api/v1/swagger.json").anonymous().send().expect(200).json();
    assert_eq!(document["servers"], json!([{"url": "/pf-admin-api/v1"}]));
    for family in ["signing", "sslServer", "sslClient"] {
        for path in ["", "/generate", "/import", "/link", "/{id}", "/{id}/certificate", "/{id}/csr", "/{id}/pkcs12"] {
            assert!(document["paths"].get(format!("/keyPairs/{family}{path}")).is_some(), "{family}{path}");
        }
    }
}
