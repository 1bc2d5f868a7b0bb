//! Signatures over HTTP, judged by openssl and by JOSE libraries of two other families.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{AUDITOR, Answer, Configuration, Daemon, Faults, Launch, PublicKey, Scratch, Token, key_pair};

const MESSAGE: &[u8] = b"what is to be signed";

struct Key {
    ring: String,
    kid: String,
    public: PublicKey,
}

fn serve(sections: &str) -> (Scratch, Daemon) {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token).with(sections)).start();
    daemon.await_ready();
    (dir, daemon)
}

fn make(daemon: &Daemon, algorithm: &str, size: Option<u32>) -> Key {
    let ring = format!("signing:{}", daemon.generate(&key_pair(algorithm, size)).expect(201).id());
    let view = daemon.get(&format!("/v1/key-rings/{ring}")).expect(200).json();
    let kid = view["keys"][0]["kid"].as_str().unwrap().to_owned();
    let public = PublicKey(daemon.get(&format!("/v1/keys/{kid}/public.pem")).expect(200).text());
    Key { ring, kid, public }
}

fn post(daemon: &Daemon, path: &str, body: &Value) -> Answer {
    daemon.call(Method::POST, path).json(body).send()
}

fn signature(answer: &Value) -> Vec<u8> {
    STANDARD.decode(answer["signature"].as_str().expect("a signature")).unwrap()
}

#[test]
fn every_algorithm_verifies_in_openssl_by_message_and_by_digest() {
    let (_dir, daemon) = serve("");
    for (family, size) in [("RSA", 2048), ("EC", 256), ("EC", 384), ("EC", 521), ("Ed25519", 256)] {
        let key = make(&daemon, family, (family != "Ed25519").then_some(size));
        let view = daemon.get(&format!("/v1/keys/{}", key.kid)).expect(200).json();
        assert_eq!(view["ring"], json!(key.ring));
        for name in view["permitted"].as_array().unwrap() {
            let name = name.as_str().unwrap();
            let request = json!({"algorithm": name, "message": STANDARD.encode(MESSAGE)});
            let answer = post(&daemon, &format!("/v1/keys/{}/sign", key.kid), &request).expect(200).json();
            assert_eq!((answer["kid"].as_str(), answer["algorithm"].as_str()), (Some(key.kid.as_str()), Some(name)));
            let signed = signature(&answer);
            assert!(key.public.openssl_verifies(name, MESSAGE, &signed), "{family} {size} {name}");
            assert!(!key.public.openssl_verifies(name, b"something else", &signed), "{family} {size} {name}");
            if name == "Ed25519" {
                continue;
            }
            let digest = digest(name, MESSAGE);
            let request = json!({"algorithm": name, "digest": URL_SAFE_NO_PAD.encode(&digest)});
            let answer = post(&daemon, &format!("/v1/key-rings/{}/sign", key.ring), &request).expect(200).json();
            let signed = signature(&answer);
            assert!(key.public.openssl_verifies(name, MESSAGE, &signed), "{family} {size} {name} of a digest");
            let verify =
                json!({"algorithm": name, "digest": STANDARD.encode(&digest), "signature": STANDARD.encode(&signed)});
            assert_eq!(
                post(&daemon, &format!("/v1/keys/{}/verify", key.kid), &verify).expect(200).json()["valid"],
                true
            );
        }
    }
}

fn digest(jca_name: &str, message: &[u8]) -> Vec<u8> {
    use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
    let hash = match &jca_name[..6] {
        "SHA256" => &SHA256,
        "SHA384" => &SHA384,
        _ => &SHA512,
    };
    digest(hash, message).as_ref().to_vec()
}

#[test]
fn ecdsa_comes_raw_or_der_and_verifies_in_both_forms() {
    let (_dir, daemon) = serve("");
    for (name, size, width) in [("ES256", 256, 64), ("ES384", 384, 96), ("ES512", 521, 132)] {
        let key = make(&daemon, "EC", Some(size));
        let path = format!("/v1/keys/{}", key.kid);
        for (encoding, shape) in [(None, "raw"), (Some("raw"), "raw"), (Some("der"), "der")] {
            let mut request = json!({"algorithm": name, "message": STANDARD.encode(MESSAGE)});
            if let Some(encoding) = encoding {
                request["encoding"] = encoding.into();
            }
            let answer = post(&daemon, &format!("{path}/sign"), &request).expect(200).json();
            let signed = signature(&answer);
            let jca = format!("SHA{}withECDSA", &name[2..]);
            if shape == "raw" {
                assert_eq!(signed.len(), width);
            } else {
                assert!(key.public.openssl_verifies(&jca, MESSAGE, &signed), "{name}");
            }
            request["signature"] = answer["signature"].clone();
            assert_eq!(post(&daemon, &format!("{path}/verify"), &request).expect(200).json()["valid"], true);
            request["message"] = STANDARD.encode(b"something else").into();
            assert_eq!(post(&daemon, &format!("{path}/verify"), &request).expect(200).json()["valid"], false);
        }
    }
}

#[test]
fn every_jws_verifies_in_python_and_in_javascript() {
    let (_dir, daemon) = serve("");
    let cases = [
        ("RSA", Some(2048), &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"][..]),
        ("EC", Some(256), &["ES256"]),
        ("EC", Some(384), &["ES384"]),
        ("EC", Some(521), &["ES512"]),
        ("Ed25519", None, &["EdDSA"]),
    ];
    for (family, size, names) in cases {
        let key = make(&daemon, family, size);
        for name in names {
            let request = json!({
                "algorithm": name, "payload": {"sub": "orders"}, "headers": {"typ": "JWT", "x-private": 7},
                "issuedAt": true, "expiresIn": 300, "tokenId": true,
            });
            let answer = post(&daemon, &format!("/v1/key-rings/{}/jws", key.ring), &request).expect(200).json();
            let jws = answer["jws"].as_str().unwrap();
            let python = key.public.joserfc_reads(name, jws).unwrap_or_else(|| panic!("{name} in Python: {jws}"));
            let javascript = key.public.jose_reads(name, jws).unwrap_or_else(|| panic!("{name} in JavaScript: {jws}"));
            assert_eq!(python, javascript);
            assert_eq!(python["header"], json!({"alg": name, "kid": key.kid, "typ": "JWT", "x-private": 7}));
            let claims: Value = serde_json::from_str(python["payload"].as_str().unwrap()).unwrap();
            assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
            assert_eq!((claims["sub"].as_str(), claims["jti"].as_str().map(str::len)), (Some("orders"), Some(36)));
            let forged = jws.replacen("eyJ", "eyK", 2);
            assert!(
                key.public.joserfc_reads(name, &forged).is_none() && key.public.jose_reads(name, &forged).is_none()
            );
        }
    }
}

#[test]
fn detached_jws_lacks_its_payload_and_nothing_else() {
    let (_dir, daemon) = serve("");
    let key = make(&daemon, "EC", Some(256));
    let request = json!({"payloadBytes": URL_SAFE_NO_PAD.encode(MESSAGE), "detached": true});
    let answer = post(&daemon, &format!("/v1/keys/{}/jws", key.kid), &request).expect(200).json();
    let jws = answer["jws"].as_str().unwrap().replace("..", &format!(".{}.", URL_SAFE_NO_PAD.encode(MESSAGE)));
    let found = key.public.joserfc_reads("ES256", &jws).expect("a valid JWS");
    assert_eq!(found["payload"].as_str().unwrap().as_bytes(), MESSAGE);
}

#[test]
fn batch_keeps_its_order_and_an_item_that_fails_fails_alone() {
    let (_dir, daemon) = serve("[hosts]\nsigning-hosts = 2");
    let key = make(&daemon, "EC", Some(256));
    let mut items: Vec<Value> = (0..1000).map(|n| json!({"message": STANDARD.encode(format!("item {n}"))})).collect();
    items[7] = json!({"message": "not base64!"});
    items[8] = json!({"message": "AA==", "digest": "AA=="});
    items[9] = json!({"digest": "AA=="});
    items[10] = json!({"message": STANDARD.encode(vec![0; 64 * 1024 + 1])});
    let request = json!({"algorithm": "ES256", "encoding": "der", "items": items});
    let answer = post(&daemon, &format!("/v1/key-rings/{}/sign-batch", key.ring), &request).expect(200).json();
    let answers = answer["items"].as_array().unwrap();
    assert_eq!(answers.len(), 1000);
    for (n, answer) in answers.iter().enumerate() {
        if (7..=10).contains(&n) {
            assert_eq!(answer["error"]["type"], "urn:strongroom:error:invalid", "{n}: {answer}");
            assert!(answer["error"]["violations"][0]["path"].is_string(), "{n}: {answer}");
        } else if n % 100 < 12 {
            let message = format!("item {n}");
            assert!(key.public.openssl_verifies("SHA256withECDSA", message.as_bytes(), &signature(answer)), "{n}");
        } else {
            assert!(!signature(answer).is_empty());
        }
    }
}

/// Method of signing, body, status, and the path of the violation that the answer names.
type Bad = (&'static str, Value, u16, &'static str);

fn bad_requests() -> Vec<Bad> {
    let hello = "aGVsbG8=";
    let long = STANDARD.encode(vec![0; 64 * 1024 + 1]);
    vec![
        ("sign", json!({"algorithm": "ES256", "message": hello, "digest": hello}), 422, "message"),
        ("sign", json!({"algorithm": "ES256"}), 422, "message"),
        ("sign", json!({"algorithm": "ES256", "digest": hello}), 422, "digest"),
        ("sign", json!({"algorithm": "ES256", "message": "a b"}), 422, "message"),
        ("sign", json!({"algorithm": "ES256", "message": "-_+/"}), 422, "message"),
        ("sign", json!({"algorithm": "ES256", "message": long}), 422, "message"),
        ("sign", json!({"algorithm": "RS256", "message": hello}), 422, "algorithm"),
        ("sign", json!({"algorithm": "ES384", "message": hello}), 422, "algorithm"),
        ("sign", json!({"algorithm": "none", "message": hello}), 422, "algorithm"),
        ("sign", json!({"algorithm": "ES256", "message": hello, "encoding": "pem"}), 400, ""),
        ("sign", json!({"algorithm": "ES256", "message": hello, "kid": "x"}), 400, ""),
        ("sign", json!({"message": hello}), 400, ""),
        ("sign-batch", json!({"algorithm": "ES256", "items": []}), 422, "items"),
        ("sign-batch", json!({"algorithm": "ES256", "items": vec![json!({"message": hello}); 1001]}), 422, "items"),
        ("sign-batch", json!({"algorithm": "PS256", "items": [{"message": hello}]}), 422, "algorithm"),
        ("jws", json!({"payload": {}, "payloadBytes": hello}), 422, "payload"),
        ("jws", json!({}), 422, "payload"),
        ("jws", json!({"payload": 1, "issuedAt": true}), 422, "payload"),
        ("jws", json!({"payload": {"iat": 1}, "issuedAt": true}), 422, "payload.iat"),
        ("jws", json!({"payloadBytes": hello, "tokenId": true}), 422, "payloadBytes"),
        ("jws", json!({"payloadBytes": long}), 422, "payload"),
        ("jws", json!({"payload": {}, "algorithm": "SHA384withECDSA"}), 422, "algorithm"),
        ("jws", json!({"payload": {}, "headers": []}), 422, "headers"),
        ("jws", json!({"payload": {}, "headers": {"alg": "none"}}), 422, "headers.alg"),
        ("jws", json!({"payload": {}, "headers": {"typ": 1}}), 422, "headers.typ"),
    ]
}

#[test]
fn refused_signature_never_reaches_the_token() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token).with_faults(&faults)).start();
    daemon.await_ready();
    let key = make(&daemon, "EC", Some(256));
    let (path, hello) = (format!("/v1/keys/{}", key.kid), "aGVsbG8=");
    let calls = || faults.calls("C_SignInit");
    let before = calls();

    for (manner, body, status, at) in bad_requests() {
        let answer = post(&daemon, &format!("{path}/{manner}"), &body).expect(status);
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["violations"][0]["path"].as_str().unwrap_or_default(), at, "{manner} {problem}");
    }
    for name in ["kid", "crit", "b64", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256"] {
        let body = json!({"payload": {}, "headers": {name: "x"}});
        post(&daemon, &format!("{path}/jws"), &body).expect(422);
    }
    for (manner, body) in [
        ("sign", r#"{"algorithm": "ES256", "message": "AA==", "message": "AA=="}"#),
        ("jws", r#"{"payload": {"sub": {"a": 1, "a": 2}}}"#),
        ("jws", r#"{"payload": {}, "headers": {"x": 1, "x": 2}}"#),
        ("sign", r#"["ES256", "AA=="]"#),
    ] {
        daemon.call(Method::POST, &format!("{path}/{manner}")).body(body).send().expect(400);
    }
    let good = json!({"algorithm": "ES256", "message": hello});
    for unknown in ["/v1/keys/nobody", "/v1/keys/0199d1c8-0000-7000-8000-000000000000", "/v1/key-rings/signing:nobody"]
    {
        post(&daemon, &format!("{unknown}/sign"), &good).expect(404);
    }
    post(&daemon, "/v1/key-rings/nonsense/sign", &good).expect(400);
    daemon.call(Method::POST, &format!("{path}/sign")).bearer(AUDITOR).json(&good).send().expect(403);
    daemon
        .call(Method::POST, &format!("{path}/verify"))
        .bearer(AUDITOR)
        .json(&json!({"algorithm": "ES256", "message": hello, "signature": hello}))
        .send()
        .expect(403);
    daemon.call(Method::POST, &format!("{path}/sign")).anonymous().json(&good).send().expect(401);
    daemon.call(Method::POST, &format!("{path}/sign")).body(vec![b' '; 300 * 1024]).send().expect(413);
    daemon.call(Method::POST, &format!("{path}/sign-batch")).body(vec![b' '; 9 * 1024 * 1024]).send().expect(413);

    assert_eq!(calls(), before, "something reached the token");
    post(&daemon, &format!("{path}/sign"), &good).expect(200);
    assert_eq!(calls(), before + 1, "the count counts");
}

#[test]
fn key_that_was_deleted_signs_no_more_from_that_moment() {
    let (_dir, daemon) = serve("");
    let key = make(&daemon, "EC", Some(256));
    let good = json!({"algorithm": "ES256", "message": "AA=="});
    let paths = [format!("/v1/keys/{}/sign", key.kid), format!("/v1/key-rings/{}/sign", key.ring)];
    for path in &paths {
        post(&daemon, path, &good).expect(200);
    }
    let id = key.ring.strip_prefix("signing:").unwrap();
    daemon.delete(&format!("/pf-admin-api/v1/keyPairs/signing/{id}")).expect(204);
    // It is found by its kid until its window ends, and in no ring.
    for (path, status) in paths.iter().zip([409, 404]) {
        post(&daemon, path, &good).expect(status);
    }
}

#[test]
fn keys_are_listed_page_by_page_and_give_out_their_public_halves() {
    let (_dir, daemon) = serve("");
    let kids: Vec<String> = (0..5).map(|_| make(&daemon, "EC", Some(256)).kid).collect();
    let mut found = Vec::new();
    let mut path = "/v1/keys?limit=2".to_owned();
    loop {
        let page = daemon.get(&path).expect(200).json();
        let keys = page["keys"].as_array().unwrap();
        assert!(keys.len() <= 2);
        found.extend(keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/keys?limit=2&cursor={next}");
    }
    assert_eq!(found, kids);
    for query in ["limit=0", "limit=501", "limit=x", "cursor=x", "page=1"] {
        daemon.get(&format!("/v1/keys?{query}")).expect(400);
    }
    let pem = daemon.get(&format!("/v1/keys/{}/certificate.pem", kids[0])).expect(200);
    assert_eq!(pem.header("content-type"), "application/x-pem-file");
    assert_eq!(pem.text(), daemon.get(&format!("/v1/keys/{}/chain.pem", kids[0])).expect(200).text());
    crate::harness::Certificate(pem.text()).verify().unwrap();
}
