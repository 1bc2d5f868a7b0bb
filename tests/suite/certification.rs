//! Certification requests are signatures: admitted like those, and made once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;

use crate::harness::{
    AUDITOR, Answer, Configuration, Daemon, Faults, Launch, SIGNING, Scratch, Token, eventually, key_pair, openssl,
};

const FAMILIES: [&str; 3] = ["signing", "sslServer", "sslClient"];

struct Bench {
    daemon: Daemon,
    faults: Faults,
    dir: Scratch,
}

impl Bench {
    fn new(sections: &str) -> Self {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let faults = Faults::new(&dir);
        let configuration = Configuration::new(&dir, &token).with_faults(&faults).with(sections);
        let mut daemon = Launch::serve(&configuration).start();
        daemon.await_ready();
        Self { daemon, faults, dir }
    }

    /// Makes the key pair `id` of a family; where its certification request is.
    fn pair(&self, family: &str, id: &str) -> String {
        let mut request = key_pair("EC", Some(256));
        request["id"] = id.into();
        let path = format!("/pf-admin-api/v1/keyPairs/{family}");
        self.daemon.call(Method::POST, &format!("{path}/generate")).json(&request).send().expect(201);
        format!("{path}/{id}/csr")
    }

    /// The path of the native API to the request of a signing key pair.
    fn native(&self, id: &str) -> String {
        let ring = self.daemon.get(&format!("/v1/key-rings/signing:{id}")).expect(200).json();
        format!("/v1/keys/{}/csr.pem", ring["keys"][0]["kid"].as_str().unwrap())
    }

    fn head(&self, path: &str) -> Answer {
        self.daemon.call(Method::HEAD, path).send()
    }

    /// How many signatures the token was asked for so far.
    fn signatures(&self) -> usize {
        self.faults.calls("C_SignInit")
    }

    /// Gets a request that is made now, by one signature, and verifies.
    #[track_caller]
    fn fresh(&self, path: &str) -> Vec<u8> {
        let before = self.signatures();
        let request = self.daemon.get(path).expect(200).body;
        assert_eq!(self.signatures(), before + 1, "{path}");
        std::fs::write(self.dir.join("request.pem"), &request).unwrap();
        openssl(&self.dir, "req -in request.pem -verify -noout");
        request
    }

    /// Has a CA answer the last request that [`Self::fresh`] got.
    fn renew(&self, path: &str) {
        openssl(&self.dir, "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -out leaf.pem");
        let response = json!({"fileData": STANDARD.encode(std::fs::read(self.dir.join("leaf.pem")).unwrap())});
        self.daemon.call(Method::POST, path).json(&response).send().expect(200);
    }
}

#[test]
fn head_has_nothing_signed_and_says_what_get_says() {
    let bench = Bench::new("");
    let mut paths: Vec<_> = FAMILIES.iter().map(|family| bench.pair(family, "mine")).collect();
    paths.push(bench.native("mine"));
    for path in &paths {
        let before = bench.signatures();
        for _ in 0..3 {
            let head = bench.head(path).expect(200);
            // The native path is another to the same key: its request is kept already.
            let known = path.starts_with("/v1");
            assert_eq!((head.body.len(), head.header("content-length").is_empty()), (0, !known), "{path}");
        }
        assert_eq!(bench.signatures(), before, "{path}");
        let got = bench.daemon.get(path).expect(200);
        let head = bench.head(path).expect(200);
        for name in ["content-type", "cache-control", "content-length"] {
            assert_eq!(head.header(name), got.header(name), "{path}: {name}");
        }
        assert_eq!((head.body.len(), got.header("content-length").parse()), (0, Ok(got.body.len())));
    }
    for missing in [format!("{SIGNING}/nobody/csr"), "/v1/keys/nobody/csr.pem".to_owned()] {
        bench.head(&missing).expect(404);
    }
    let head = |path: &str, secret| bench.daemon.call(Method::HEAD, path).bearer(secret).send();
    for path in &paths {
        head(path, AUDITOR).expect(200);
        head(path, "secret-of-nobody-at-all-0123456789abcdef").expect(401);
    }
}

#[test]
fn unchanged_request_is_made_once_and_a_changed_one_anew() {
    let bench = Bench::new("");
    openssl(&bench.dir, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 9");
    for family in FAMILIES {
        let path = bench.pair(family, "mine");
        let first = bench.fresh(&path);
        let before = bench.signatures();
        for _ in 0..3 {
            assert_eq!(bench.daemon.get(&path).expect(200).body, first, "{family}");
        }
        assert_eq!(bench.signatures(), before, "{family}");

        // Another certificate for the same key and the same names.
        bench.renew(&path);
        let renewed = bench.fresh(&path);
        assert_ne!(renewed, first, "{family}");
        assert_eq!(bench.daemon.get(&path).expect(200).body, renewed, "{family}");
    }
    let path = format!("{SIGNING}/mine/csr");
    let native = bench.native("mine");
    let (before, of_the_first) = (bench.signatures(), bench.daemon.get(&path).expect(200).body);
    assert_eq!(bench.daemon.get(&native).expect(200).body, of_the_first, "one key, one request");
    assert_eq!(bench.signatures(), before);

    // Another key under the same id: after a deletion, then after a rotation.
    bench.daemon.delete(&format!("{SIGNING}/mine")).expect(204);
    bench.daemon.get(&path).expect(404);
    bench.pair("signing", "mine");
    let second = bench.fresh(&path);
    bench.daemon.call(Method::POST, "/v1/key-rings/signing:mine/rotate").json(&json!({})).send().expect(200);
    let third = bench.fresh(&path);
    assert!(second != of_the_first && third != second);
    assert_ne!(bench.native("mine"), native);
}

#[test]
fn flood_of_requests_is_held_to_its_share_and_delays_no_other_signature() {
    // The smallest queue: one turn at the token.
    let bench = Bench::new(
        "[limits]\nsignatures-per-principal = 24\nsign-deadline = \"60s\"\n\n[hosts]\nsign-queue = 1\nsign-timeout = \"60s\"",
    );
    let path = bench.pair("signing", "mine");
    bench.pair("signing", "other");
    let certificate = bench.daemon.get(&format!("{SIGNING}/mine")).expect(200).json();
    bench.faults.set("C_Sign hang");
    let (served, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let before = bench.signatures();
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                let answer = bench.daemon.call(Method::GET, &path).bearer(AUDITOR).send();
                if answer.status.as_u16() == 200 {
                    served.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                let answer = answer.expect(503);
                assert!(!answer.header("retry-after").is_empty());
                assert_eq!(answer.json()["resultId"], "crypto_provider_busy", "{}", answer.text());
                refused.fetch_add(1, Ordering::SeqCst);
            });
        }
        eventually("eight refusals", Duration::from_secs(30), || (refused.load(Ordering::SeqCst) == 8).then_some(()));
        assert_eq!((bench.signatures(), served.load(Ordering::SeqCst)), (before + 1, 0), "one is with the token");
        // A refused credential may ask again for what needs no signature, and others sign.
        bench.daemon.call(Method::HEAD, &path).bearer(AUDITOR).send().expect(200);
        let other = scope.spawn(|| {
            let body = json!({"algorithm": "ES256", "message": STANDARD.encode("m")});
            bench.daemon.call(Method::POST, "/v1/key-rings/signing:other/sign").json(&body).send().expect(200);
            bench.signatures()
        });
        bench.faults.set("C_Sign delay=200");
        let asked = other.join().unwrap();
        assert!(asked < before + 12, "the signature came after {} others of 24", asked - before - 1);
    });
    assert_eq!((served.into_inner(), refused.into_inner()), (24, 8));
    assert_eq!(bench.daemon.get(&format!("{SIGNING}/mine")).expect(200).json(), certificate, "nothing has changed");
    let metrics = bench.daemon.get("/metrics").expect(200).text();
    let counted = "strongroom_turns_refused_total{work=\"sign\",principal=\"auditor\",reason=\"share\"} 8";
    assert!(metrics.contains(counted), "{metrics}");
    bench.daemon.call(Method::GET, &path).bearer(AUDITOR).send().expect(200);
}

#[test]
fn request_past_its_deadline_is_refused_and_nothing_is_kept_of_it() {
    let bench = Bench::new("[limits]\nsign-deadline = \"1s\"\n\n[hosts]\nsign-timeout = \"20s\"");
    let path = bench.pair("signing", "mine");
    let native = bench.native("mine");
    bench.faults.set("C_Sign hang");
    let late = bench.daemon.get(&path).expect(503);
    assert!(!late.header("retry-after").is_empty());
    assert_eq!(late.json()["resultId"], "deadline_exceeded");
    let late = bench.daemon.call(Method::GET, &native).header("Request-Timeout", "0.2").send().expect(503);
    assert_eq!(late.json()["type"], "urn:strongroom:error:deadline");
    bench.daemon.call(Method::GET, &native).header("Request-Timeout", "2").send().expect(400);
    bench.faults.clear();
    let request = eventually("a request", Duration::from_secs(10), || {
        let answer = bench.daemon.get(&path);
        (answer.status.as_u16() == 200).then_some(answer.body)
    });
    assert_eq!(bench.daemon.get(&native).expect(200).body, request);
}
