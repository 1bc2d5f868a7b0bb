//! Requests that a browser sends on behalf of another site's page, with the Basic credentials that it adds by itself.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, Call, Daemon, Launch, Operation, SIGNING, Scratch, Token, operations, rows};

const FORM: &str = "application/x-www-form-urlencoded";
const STRANGE: &str = "https://attacker.example";

/// Headers of requests that pages of other sites can cause: a form, a script without CORS, an image.
const FORGED: [&[(&str, &str)]; 9] = [
    &[("Origin", STRANGE), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "navigate"), ("Content-Type", FORM)],
    &[("Origin", "null"), ("Sec-Fetch-Site", "cross-site"), ("Content-Type", "text/plain")],
    &[("Origin", "http://127.0.0.1:1"), ("Sec-Fetch-Site", "same-site"), ("Content-Type", "text/plain")],
    &[("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "image")],
    // Browsers leave Sec-Fetch-Site out where the address is no secure context.
    &[("Origin", STRANGE), ("Content-Type", FORM)],
    &[("Origin", "null"), ("Content-Type", "text/plain")],
    &[("Content-Type", FORM), ("Referer", "https://attacker.example/page")],
    &[("X-XSRF-Header", ""), ("Origin", STRANGE)],
    &[],
];

/// Something to read of every dialect that knows Basic credentials, and what answers while there is no key.
const READS: [(&str, u16); 4] =
    [("/v1/keys", 200), ("/metrics", 200), (SIGNING, 200), ("/api/v2/connections/con_a/keys", 404)];

/// A daemon whose token and store stay empty.
struct Untouched {
    dir: Scratch,
    daemon: Daemon,
}

impl Untouched {
    fn new() -> Self {
        let dir = Scratch::new();
        let daemon = Launch::dev(&dir).start();
        Self { dir, daemon }
    }

    /// A request that carries the admin's Basic credentials.
    fn basic(&self, method: &Method, path: &str, headers: &[(&str, &str)]) -> Call {
        let call = self.daemon.call(method.clone(), path).basic("admin", self.daemon.secret());
        headers.iter().fold(call, |call, (name, value)| call.header(name, value))
    }

    fn send(&self, Operation { method, path, .. }: &Operation, headers: &[(&str, &str)]) -> Answer {
        let call = self.basic(method, path, headers);
        if *method == Method::GET { call.send() } else { call.bytes("{}").send() }
    }
}

impl Drop for Untouched {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(Token::of_dev(&self.dir).objects(), [], "a forged request left an object in the token");
            assert_eq!(rows(&self.dir.join("strongroom.db")), [], "a forged request left a row in the store");
        }
    }
}

#[test]
fn no_operation_of_any_dialect_takes_a_forged_request() {
    let untouched = Untouched::new();
    let operations = operations(&untouched.daemon);
    for tag in ["PingFederate", "Auth0", "Zitadel", "Native", "Health"] {
        assert!(operations.iter().any(|operation| operation.tag == tag), "{tag}");
    }
    for operation in &operations {
        // Zitadel's APIs know bearer tokens only, and Connect looks at the type of a body first.
        let (of_zitadel, of_connect) = (operation.tag == "Zitadel", operation.path.starts_with("/zitadel."));
        let expected = if of_connect {
            415
        } else if of_zitadel {
            401
        } else {
            403
        };
        let json: &[(&str, &str)] = &[("Content-Type", "application/json"), ("Sec-Fetch-Site", "same-site")];
        untouched.send(operation, json).expect(if of_zitadel { 401 } else { 403 });
        for headers in FORGED {
            let answer = untouched.send(operation, headers);
            assert_eq!(answer.status, expected, "{operation:?} {headers:?}: {}", answer.text());
        }
    }
}

#[test]
fn bodyless_forms_of_other_sites_rotate_and_make_nothing() {
    let untouched = Untouched::new();
    for path in ["/v1/key-rings/web-keys/rotate", "/v1/rotation/sweep", "/api/v2/connections/con_a/keys"] {
        for headers in FORGED {
            untouched.basic(&Method::POST, path, headers).send().expect(403);
        }
    }
}

#[test]
fn refusals_of_forged_requests_name_the_header_in_each_dialects_body() {
    let untouched = Untouched::new();
    let refusal = |path: &str| untouched.basic(&Method::GET, path, FORGED[0]).send().expect(403).json();
    let message = "requests with Basic credentials need the header X-XSRF-Header, with any value";
    let of_native = refusal("/v1/keys");
    assert_eq!(of_native["type"], "urn:strongroom:error:forbidden");
    assert_eq!(of_native["detail"], message);
    assert_eq!(refusal("/metrics")["detail"], message);
    assert_eq!(refusal(SIGNING), json!({"resultId": "xsrf_header_required", "message": message}));
    let of_auth0 = refusal("/api/v2/connections");
    assert_eq!(of_auth0["errorCode"], "xsrf_header_required");
    assert_eq!(of_auth0["message"], message);
}

#[test]
fn requests_of_own_pages_and_of_programs_that_send_the_header_pass() {
    let untouched = Untouched::new();
    let base = untouched.daemon.base().to_owned();
    let own: [&[(&str, &str)]; 5] = [
        &[("X-XSRF-Header", "PingFederate")],
        &[("X-XSRF-Header", "x"), ("Origin", STRANGE), ("Sec-Fetch-Site", "cross-site")],
        &[("Sec-Fetch-Site", "same-origin")],
        &[("Sec-Fetch-Site", "same-origin"), ("Origin", &base)],
        &[("Origin", &base)],
    ];
    for headers in own {
        for (path, status) in READS {
            untouched.basic(&Method::GET, path, headers).send().expect(status);
        }
        untouched.basic(&Method::POST, "/v1/rotation/sweep?dry-run=true", headers).send().expect(200);
        untouched.basic(&Method::POST, "/v1/key-rings/web-keys/rotate", headers).send().expect(404);
    }
}

#[test]
fn an_address_typed_by_the_user_reads_and_changes_nothing() {
    let untouched = Untouched::new();
    let typed: &[(&str, &str)] = &[("Sec-Fetch-Site", "none"), ("Sec-Fetch-Mode", "navigate")];
    for (path, status) in READS {
        untouched.basic(&Method::GET, path, typed).send().expect(status);
    }
    untouched.basic(&Method::POST, "/v1/rotation/sweep", typed).send().expect(403);
}

#[test]
fn bearer_tokens_are_added_by_no_browser() {
    let untouched = Untouched::new();
    for headers in FORGED {
        let call = untouched.daemon.call(Method::GET, "/v1/keys");
        headers.iter().fold(call, |call, (name, value)| call.header(name, value)).send().expect(200);
    }
}

#[test]
fn forged_requests_use_up_nobodys_rate() {
    let untouched = Untouched::new();
    let path = "/api/v2/connections";
    let left = |answer: Answer| answer.header("x-ratelimit-remaining").parse::<u32>().unwrap();
    let before = left(untouched.daemon.get(path));
    for _ in 0..20 {
        untouched.basic(&Method::GET, path, FORGED[0]).send().expect(403);
    }
    // A new minute begins anew.
    assert!(left(untouched.daemon.get(path)) + 1 >= before);
}

#[test]
fn bytes_without_a_content_type_are_no_json() {
    let untouched = Untouched::new();
    let connect = "/zitadel.webkey.v2.WebKeyService/CreateWebKey";
    for path in [
        "/v1/keys",
        "/v1/keys/a/sign",
        "/v1/key-rings/web-keys/rotate",
        "/pf-admin-api/v1/keyPairs/signing/generate",
        "/api/v2/connections",
        "/api/v2/connections/con_a/keys",
        "/api/v2/connections/con_a/keys/rotate",
        connect,
    ] {
        let send = |call: Call| call.bytes("{}").send().expect(415);
        send(untouched.daemon.call(Method::POST, path));
        send(untouched.daemon.call(Method::POST, path).header("content-type", "text/plain"));
        let twice = untouched.daemon.call(Method::POST, path);
        send(twice.header("content-type", "application/json").header("content-type", "text/plain"));
    }
}
