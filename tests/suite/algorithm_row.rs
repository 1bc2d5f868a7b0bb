//! A row more in the table of algorithms, P-384 with SHA-512: it appears wherever algorithms do, and nothing but the
//! table knows it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Certificate, Configuration, Daemon, Launch, PublicKey, SIGNING, Scratch, Token, key_pair};
use crate::hybrid::SEALED_BY_TOKEN;

const VARIABLE: &str = "STRONGROOM_TEST_ALGORITHM";
const ROW: &str = "p-384-sha512";
/// What `keyAlgorithm` calls it.
const NAME: &str = "EC-SHA512";
const SIGNATURE: &str = "SHA512withECDSA";
const MESSAGE: &[u8] = b"signed by an algorithm that was only a row";

fn started(dir: &Scratch, row: Option<&str>) -> Daemon {
    let token = Token::fresh(dir);
    let launch = Launch::serve(&Configuration::new(dir, &token).with(SEALED_BY_TOKEN));
    let mut daemon = match row {
        Some(row) => launch.env(VARIABLE, row).start(),
        None => launch.start(),
    };
    daemon.await_ready();
    daemon
}

/// The item of `keyAlgorithms`, and whether the document has the name.
fn offered(daemon: &Daemon) -> (Option<Value>, bool) {
    let list = daemon.get("/pf-admin-api/v1/keyPairs/keyAlgorithms").expect(200).json();
    let item = list["items"].as_array().unwrap().iter().find(|item| item["name"] == NAME).cloned();
    let document = daemon.get("/openapi.json").expect(200).json();
    let names = &document["components"]["schemas"]["NewKey"]["properties"]["algorithm"]["enum"];
    assert!(names.as_array().unwrap().contains(&json!("p-384")), "{names}");
    (item, names.as_array().unwrap().contains(&json!(ROW)))
}

#[test]
fn a_row_of_the_table_is_an_algorithm_of_either_provider() {
    let dir = Scratch::new();
    let daemon = started(&dir, Some(ROW));
    let expected = json!({
        "name": NAME,
        "keySizes": [384],
        "defaultKeySize": 384,
        "signatureAlgorithms": ["SHA256withECDSA", "SHA384withECDSA", SIGNATURE],
        "defaultSignatureAlgorithm": SIGNATURE,
    });
    assert_eq!(offered(&daemon), (Some(expected), true));
    for provider in ["HSM", "LOCAL"] {
        let mut request = key_pair(NAME, None);
        request["cryptoProvider"] = provider.into();
        let view = daemon.generate(&request).expect(201).json();
        assert_eq!(
            (&view["keyAlgorithm"], &view["keySize"], &view["signatureAlgorithm"], &view["cryptoProvider"]),
            (&json!(NAME), &json!(384), &json!(SIGNATURE), &json!(provider)),
        );
        let id = view["id"].as_str().unwrap();
        let certificate = Certificate(daemon.get(&format!("{SIGNING}/{id}/certificate")).expect(200).text());
        certificate.verify().unwrap();
        let text = certificate.text();
        assert!(text.contains("ecdsa-with-SHA512") && text.contains("P-384"), "{text}");
        signs(&daemon, &format!("signing:{id}"));
    }
}

/// The key set and a signature of a ring's Active key.
fn signs(daemon: &Daemon, ring: &str) {
    let kid = daemon.get(&format!("/v1/key-rings/{ring}")).expect(200).json()["keys"][0]["kid"].clone();
    let kid = kid.as_str().unwrap();
    let set = daemon.get(&format!("/v1/key-rings/{ring}/jwks.json")).expect(200).json();
    let jwk = &set["keys"][0];
    assert_eq!((&jwk["kid"], &jwk["kty"], &jwk["crv"]), (&json!(kid), &json!("EC"), &json!("P-384")));
    assert_eq!(jwk.get("alg"), None, "JOSE has no name for P-384 with SHA-512 (RFC 7518 section 3.4)");
    let view = daemon.get(&format!("/v1/keys/{kid}")).expect(200).json();
    assert_eq!((&view["algorithm"], &view["permitted"]), (&json!(ROW), &json!([SIGNATURE])));
    let request = json!({"algorithm": SIGNATURE, "message": STANDARD.encode(MESSAGE)});
    let answer = daemon.call(Method::POST, &format!("/v1/keys/{kid}/sign")).json(&request).send().expect(200).json();
    assert_eq!(answer["algorithm"], SIGNATURE);
    let signature = STANDARD.decode(answer["signature"].as_str().unwrap()).unwrap();
    let public = PublicKey(daemon.get(&format!("/v1/keys/{kid}/public.pem")).expect(200).text());
    assert!(public.openssl_verifies(SIGNATURE, MESSAGE, &signature));
    assert!(!public.openssl_verifies(SIGNATURE, b"something else", &signature));
}

#[test]
fn the_row_is_there_only_where_a_test_asks_for_it() {
    for row in [None, Some("p-384"), Some("")] {
        let dir = Scratch::new();
        assert_eq!(offered(&started(&dir, row)), (None, false), "{row:?}");
    }
}
