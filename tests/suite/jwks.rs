//! Key sets as verifiers get them: fetched over HTTP by libraries of two other families, and held against the clock.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Configuration, Daemon, Launch, SIGNING, Scratch, Token, eventually, key_pair, python, run, tamper,
};

const DAY: u64 = 86_400;
const OIDC: &str = "/pf-admin-api/v1/keyPairs/oauthOpenIdConnect";

/// Members that are nobody's business (RFC 7518 section 6, RFC 8037 section 2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

struct Bench {
    dir: Scratch,
    daemon: Daemon,
}

impl Bench {
    fn new() -> Self {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let clock = dir.join("clock");
        std::fs::write(&clock, "0").unwrap();
        let launch = Launch::serve(&Configuration::new(&dir, &token)).env("STRONGROOM_TEST_CLOCK", &clock);
        let mut daemon = launch.start();
        daemon.await_ready();
        Self { dir, daemon }
    }

    /// Lets the daemon's clock run ahead of the machine's.
    fn ahead(&self, seconds: u64) {
        std::fs::write(self.dir.join("clock"), (seconds * 1_000_000).to_string()).unwrap();
    }

    fn make(&self, id: &str, algorithm: &str, size: Option<u32>, signature: Option<&str>) -> String {
        let mut request = key_pair(algorithm, size);
        request["id"] = id.into();
        if let Some(signature) = signature {
            request["signatureAlgorithm"] = signature.into();
        }
        self.daemon.generate(&request).expect(201);
        self.kid(&format!("signing:{id}"))
    }

    /// The kid of a ring's Active key.
    fn kid(&self, ring: &str) -> String {
        let view = self.daemon.get(&format!("/v1/key-rings/{ring}")).expect(200).json();
        view["keys"][0]["kid"].as_str().unwrap().to_owned()
    }

    fn jws(&self, ring: &str) -> String {
        let request = json!({"payload": {"sub": "orders"}, "headers": {"typ": "JWT"}, "expiresIn": 300});
        let answer = self.daemon.call(Method::POST, &format!("/v1/key-rings/{ring}/jws")).json(&request).send();
        answer.expect(200).json()["jws"].as_str().unwrap().to_owned()
    }

    fn fetch(&self, path: &str) -> Answer {
        self.daemon.call(Method::GET, path).anonymous().send()
    }

    fn database(&self) -> PathBuf {
        self.dir.join("serve.db")
    }

    /// Changes the store as another daemon would, and waits until this one has seen it.
    fn as_another(&self, sql: &'static str) {
        tamper(&self.database(), sql);
        tamper(&self.database(), "UPDATE store_meta SET epoch = epoch + 1");
        std::thread::sleep(Duration::from_millis(3_200));
    }
}

fn set_of(ring: &str) -> String {
    format!("/v1/key-rings/{ring}/jwks.json")
}

fn kids(set: &Answer) -> BTreeSet<String> {
    let keys = set.json()["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn max_age(answer: &Answer) -> u64 {
    let header = answer.header("cache-control");
    let part = header.split(", ").find_map(|part| part.strip_prefix("max-age="));
    part.unwrap_or_else(|| panic!("max-age in {header}")).parse().unwrap()
}

/// What `PyJWT` and joserfc, or jose, find in a JWS with the key set at a URL; `None` when it does not verify.
fn verified(program: &mut Command, url: &str, algorithm: &str, jws: &str) -> Option<Value> {
    let output = run(program.arg(url).arg(algorithm), jws.as_bytes());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let absent = ["No module named", "Cannot find module", "MODULE_NOT_FOUND"].iter().any(|sign| said.contains(sign));
    assert!(!absent, "{said}\n`make test` installs it; by hand: tests/oracles/setup DIR");
    output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
}

fn by_python(url: &str, algorithm: &str, jws: &str) -> Option<Value> {
    verified(python().arg(oracle("jwks.py")), url, algorithm, jws)
}

fn by_javascript(url: &str, algorithm: &str, jws: &str) -> Option<Value> {
    let python = std::env::var("STRONGROOM_ORACLES_PYTHON").expect("the oracles, as `make test` prepares them");
    let home = Path::new(&python).ancestors().nth(2).expect("their directory");
    verified(Command::new("node").env("STRONGROOM_ORACLES", home).arg(oracle("jwks.mjs")), url, algorithm, jws)
}

fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(name)
}

#[test]
fn python_and_javascript_verify_every_algorithm_with_the_set_that_they_fetch() {
    let bench = Bench::new();
    let other = bench.make("other", "EC", Some(256), None);
    for (algorithm, size, signature, name) in [
        ("RSA", Some(2048), Some("SHA256withRSA"), "RS256"),
        ("RSA", Some(2048), Some("SHA384withRSA"), "RS384"),
        ("RSA", Some(2048), Some("SHA512withRSA"), "RS512"),
        ("RSA", Some(2048), Some("SHA256withRSAandMGF1"), "PS256"),
        ("RSA", Some(2048), Some("SHA384withRSAandMGF1"), "PS384"),
        ("RSA", Some(3072), Some("SHA512withRSAandMGF1"), "PS512"),
        ("EC", Some(256), None, "ES256"),
        ("EC", Some(384), None, "ES384"),
        ("EC", Some(521), None, "ES512"),
        ("Ed25519", None, None, "EdDSA"),
    ] {
        let id = name.to_lowercase();
        let kid = bench.make(&id, algorithm, size, signature);
        let ring = format!("signing:{id}");
        let url = format!("{}{}", bench.daemon.base(), set_of(&ring));
        let set = bench.fetch(&set_of(&ring)).expect(200).json();
        assert_eq!((&set["keys"][0]["alg"], &set["keys"][0]["use"]), (&json!(name), &json!("sig")), "{set}");
        let jws = bench.jws(&ring);
        for found in [by_python(&url, name, &jws), by_javascript(&url, name, &jws)] {
            let found = found.unwrap_or_else(|| panic!("{name}: {jws} by {set}"));
            assert_eq!((&found["kid"], &found["claims"]["sub"]), (&json!(kid), &json!("orders")), "{name}");
        }
        let elsewhere = format!("{}{}", bench.daemon.base(), set_of("signing:other"));
        assert_ne!(kid, other);
        assert_eq!((by_python(&elsewhere, name, &jws), by_javascript(&elsewhere, name, &jws)), (None, None), "{name}");
    }
}

#[test]
fn certificates_are_those_of_the_key_and_no_member_is_private() {
    let bench = Bench::new();
    for (id, algorithm, size) in [("r", "RSA", Some(2048)), ("e", "EC", Some(384)), ("d", "Ed25519", None)] {
        let kid = bench.make(id, algorithm, size, None);
        let set = bench.fetch(&set_of(&format!("signing:{id}"))).expect(200).json();
        let key = set["keys"][0].as_object().unwrap();
        assert_eq!(key["kid"], json!(kid));
        assert!(PRIVATE.iter().all(|name| !key.contains_key(*name)), "{set}");
        let pem = bench.daemon.get(&format!("{SIGNING}/{id}/certificate")).expect(200).text();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(key["x5c"], json!([body]));
        let view = bench.daemon.get(&format!("{SIGNING}/{id}")).expect(200).json();
        let hex: String = {
            use base64::Engine as _;
            use base64::engine::general_purpose::URL_SAFE_NO_PAD;
            use std::fmt::Write as _;
            let digest = URL_SAFE_NO_PAD.decode(key["x5t#S256"].as_str().unwrap()).unwrap();
            digest.iter().fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02X}");
                text
            })
        };
        assert_eq!(view["sha256Fingerprint"], json!(hex));
    }
}

#[test]
fn key_set_needs_no_credentials_and_is_a_304_to_its_own_etag() {
    let bench = Bench::new();
    bench.make("a", "EC", Some(256), None);
    let path = set_of("signing:a");
    let first = bench.fetch(&path).expect(200);
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.header("cache-control"), "public, max-age=300, must-revalidate");
    assert_eq!(first.header("access-control-allow-origin"), "*");
    let etag = first.header("etag").to_owned();
    assert!(etag.starts_with('"') && etag.ends_with('"') && etag.len() > 20, "{etag}");
    let again = |tags: &str| bench.daemon.call(Method::GET, &path).anonymous().header("If-None-Match", tags).send();
    for tags in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
        let answer = again(&tags).expect(304);
        assert!(answer.body.is_empty());
        assert_eq!((answer.header("etag"), max_age(&answer)), (etag.as_str(), 300));
    }
    assert_eq!(again("\"x\"").expect(200).body, first.body);
    let head = bench.daemon.call(Method::HEAD, &path).anonymous().send().expect(200);
    assert!(head.body.is_empty());
    assert_eq!((head.header("etag"), head.header("content-length")), (etag.as_str(), &*first.body.len().to_string()));
    bench.daemon.call(Method::POST, &path).anonymous().send().expect(405);
}

#[test]
fn key_set_without_keys_is_empty_and_that_of_an_unknown_ring_a_404() {
    let bench = Bench::new();
    for (path, cache) in
        [("/oauth/v2/keys", "max-age=300, must-revalidate"), ("/pf/JWKS", "public, max-age=300, must-revalidate")]
    {
        let answer = bench.fetch(path).expect(200);
        assert_eq!((answer.json(), answer.header("cache-control")), (json!({"keys": []}), cache), "{path}");
    }
    assert_eq!(bench.fetch(&set_of("web-keys")).expect(200).json(), json!({"keys": []}));
    let connection = "/oauth/connection/none%7Ca%2Fb/.well-known/jwks.json";
    for (path, member, word) in [
        (&*set_of("signing:none"), "type", "urn:strongroom:error:not-found"),
        (connection, "errorCode", "inexistent_connection"),
    ] {
        let answer = bench.fetch(path).expect(404);
        assert_eq!((&answer.json()[member], answer.header("cache-control")), (&json!(word), "no-store"));
    }
    assert!(bench.fetch(&set_of("nonsense")).expect(400).json()["detail"].as_str().unwrap().contains("a ring id"));
}

#[test]
fn a_key_is_published_before_it_signs_and_for_its_overlap_after_it_did() {
    let bench = Bench::new();
    // The connection `acme|a/b`.
    let (connection, ring) = ("acme%7Ca%2Fb", "connection%3Aacme%7Ca%2Fb");
    let post = |step: &str| {
        let path = format!("/api/v2/connections/{connection}/keys{step}");
        bench.daemon.call(Method::POST, &path).json(&json!({"signing_alg": "ES256"})).send().expect(201)
    };
    post("");
    let path = format!("/oauth/connection/{connection}/.well-known/jwks.json");
    let url = format!("{}{path}", bench.daemon.base());
    let before = bench.fetch(&path).expect(200);
    let first = bench.kid(ring);
    assert!(kids(&before).contains(&first) && kids(&before).len() == 2, "the successor waits in public");
    let jws = bench.jws(ring);

    let asked = Instant::now();
    post("/rotate");
    let after = bench.fetch(&path).expect(200);
    let second = bench.kid(ring);
    assert!(second != first && kids(&before).contains(&second), "who signs now was published before");
    assert!(
        kids(&after).is_superset(&kids(&before)) && kids(&after).len() == 3,
        "the old key verifies for its overlap"
    );
    for token in [&jws, &bench.jws(ring)] {
        assert!(by_python(&url, "ES256", token).is_some() && by_javascript(&url, "ES256", token).is_some());
    }

    let passed = || asked.elapsed().as_secs();
    bench.ahead(DAY - passed() - 100);
    let close = max_age(&bench.fetch(&path).expect(200));
    assert!((60..=130).contains(&close), "the end of the overlap comes first: {close}");
    bench.ahead(DAY + 60);
    let gone = bench.fetch(&path).expect(200);
    assert_eq!(kids(&gone), kids(&after).into_iter().filter(|kid| *kid != first).collect(), "its overlap is over");
    assert_ne!(gone.header("etag"), after.header("etag"));
    assert_eq!((by_python(&url, "ES256", &jws), by_javascript(&url, "ES256", &jws)), (None, None));
    assert!(by_python(&url, "ES256", &bench.jws(ring)).is_some());
}

#[test]
fn cached_key_set_is_served_without_the_store() {
    let bench = Bench::new();
    bench.make("a", "EC", Some(256), None);
    bench.daemon.call(Method::PUT, OIDC).json(&json!({"staticJwksEnabled": false})).send().expect(200);
    // What reads key sets: the poll of the epoch and whatever else a daemon does by itself is not.
    let reads = || {
        let text = bench.daemon.get("/metrics").text();
        let count = |method: &str| {
            let name = format!("strongroom_store_transaction_duration_seconds_count{{method=\"{method}\"}}");
            text.lines().find_map(|line| line.strip_prefix(&name)?.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        ["ring", "ring_to_plan", "document", "documents", "named", "pair"].map(count)
    };
    for path in [set_of("signing:a"), "/pf/JWKS".to_owned(), "/oauth/v2/keys".to_owned()] {
        eventually("a warm key set", Duration::from_secs(10), || {
            bench.fetch(&path).expect(200);
            let before = reads();
            bench.fetch(&path).expect(200);
            (reads() == before).then_some(())
        });
        let before = reads();
        for _ in 0..100 {
            bench.fetch(&path).expect(200);
        }
        assert_eq!(reads(), before, "{path}");
    }
    let before = reads();
    bench.make("b", "EC", Some(256), None);
    bench.fetch(&set_of("signing:a")).expect(200);
    assert_ne!(reads(), before, "the count would have shown it");
}

#[test]
fn static_keys_are_published_under_their_own_kid_and_those_of_the_settings() {
    let bench = Bench::new();
    let (now, before) = (bench.make("now", "RSA", Some(2048), None), bench.make("before", "RSA", Some(2048), None));
    let settings = json!({
        "staticJwksEnabled": true,
        "rsaActiveCertRef": {"id": "now"},
        "rsaActiveKeyId": "tokens-2026",
        "rsaAlgorithmActiveKeyIds": [{"rsaAlgType": "PS256", "keyId": "tokens-2026-ps256"}],
        "rsaPreviousCertRef": {"id": "before"},
        "rsaPublishX5cParameter": true,
    });
    let token = bench.jws("signing:now");
    bench.daemon.call(Method::PUT, OIDC).json(&settings).send().expect(200);
    let set = bench.fetch("/pf/JWKS").expect(200);
    let found: Vec<_> = set.json()["keys"].as_array().unwrap().clone();
    let shown = |key: &Value| (key["kid"].as_str().unwrap().to_owned(), key["alg"].as_str().unwrap().to_owned());
    let of = |kid: &str, alg: &str| (kid.to_owned(), alg.to_owned());
    let expected =
        [of(&now, "RS256"), of("tokens-2026", "RS256"), of("tokens-2026-ps256", "PS256"), of(&before, "RS256")];
    assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|key| key["x5c"].is_array()), "{found:?}");
    let url = format!("{}/pf/JWKS", bench.daemon.base());
    for token in [token, bench.jws("signing:before")] {
        assert!(by_python(&url, "RS256", &token).is_some() && by_javascript(&url, "RS256", &token).is_some());
    }
    let refused = bench.daemon.delete(&format!("{SIGNING}/before")).expect(422).json();
    assert_eq!(refused["resultId"], "resource_in_use");
}

#[test]
fn keys_that_decrypt_are_published_for_encryption_while_they_are_active() {
    let bench = Bench::new();
    bench.make("rsa", "RSA", Some(2048), None);
    let (opens, waits) = (bench.make("opens", "RSA", Some(2048), None), bench.make("b", "RSA", Some(2048), None));
    let settings = json!({
        "staticJwksEnabled": true,
        "rsaActiveCertRef": {"id": "rsa"},
        "rsaDecryptionActiveCertRef": {"id": "opens"},
    });
    let put = || bench.daemon.call(Method::PUT, OIDC).json(&settings).send();
    assert_eq!(
        put().expect(422).violations(),
        [("rsaDecryptionActiveCertRef.id".to_owned(), "invalid_value".to_owned())]
    );
    bench.as_another(
        "UPDATE key_pairs SET key_use = 'decrypt', ring = 'signing:opens', \
         generation = CASE ring WHEN 'signing:opens' THEN 1 ELSE 2 END, \
         state = CASE ring WHEN 'signing:opens' THEN 'Active' ELSE 'PreActive' END \
         WHERE ring IN ('signing:opens', 'signing:b')",
    );
    put().expect(200);
    let set = bench.fetch("/pf/JWKS").expect(200);
    assert!(kids(&set).contains(&opens) && !kids(&set).contains(&waits), "nobody encrypts to a key that waits");
    let key = set.json()["keys"].as_array().unwrap().iter().find(|key| key["kid"] == json!(opens)).unwrap().clone();
    assert_eq!((&key["use"], &key["alg"]), (&json!("enc"), &json!("RSA-OAEP")), "SoftHSM decrypts with SHA-1 alone");
}

#[test]
fn web_keys_are_published_from_their_creation_until_they_are_deleted() {
    let bench = Bench::new();
    let path = "/oauth/v2/keys";
    let url = format!("{}{path}", bench.daemon.base());
    let post = |step: &str, body: &Value| {
        bench.daemon.call(Method::POST, &format!("/v2/web_keys{step}")).json(body).send().expect(200).json()
    };
    let create = |body: &Value| post("", body)["id"].as_str().unwrap().to_owned();
    let first = create(&json!({"ecdsa": {"curve": "ECDSA_CURVE_P384"}}));
    let second = create(&json!({"ed25519": {}}));
    let shown = bench.fetch(path).expect(200);
    assert_eq!(kids(&shown), BTreeSet::from([first.clone(), second.clone()]));
    let names = ["alg", "crv", "kid", "kty", "use", "x"];
    let eddsa =
        shown.json()["keys"].as_array().unwrap().iter().find(|key| key["kid"] == json!(second)).unwrap().clone();
    assert_eq!(eddsa.as_object().unwrap().keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(names));

    let old = bench.jws("web-keys");
    post(&format!("/{second}/activate"), &json!({}));
    bench.ahead(30 * DAY);
    assert_eq!(kids(&bench.fetch(path).expect(200)), kids(&shown), "however long ago it signed");
    for (algorithm, jws) in [("ES384", &old), ("EdDSA", &bench.jws("web-keys"))] {
        assert!(by_javascript(&url, algorithm, jws).is_some(), "{algorithm}");
    }
    bench.daemon.delete(&format!("/v2/web_keys/{first}")).expect(200);
    assert_eq!(kids(&bench.fetch(path).expect(200)), BTreeSet::from([second]));
    assert!(by_javascript(&url, "ES384", &old).is_none());
}
