//! Permission before body: a caller without the right is refused before its body has arrived.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Configuration, Daemon, Launch, Operation, Scratch, Token, operations, rows};

/// The secret of a credential without any scope.
const POWERLESS: &str = "powerless-secret-of-a-test-0123456789abc";

/// Settings that name key rings.
const OIDC: &str = "/pf-admin-api/v1/keyPairs/oauthOpenIdConnect";

/// Less than the daemon waits for a body.
const PATIENCE: Duration = Duration::from_secs(15);

/// The headers that announce a body, none of which follows.
const ANNOUNCED: [&str; 3] = ["Content-Length: 100", "Content-Length: 8388608", "Transfer-Encoding: chunked"];

#[test]
fn who_may_do_nothing_is_refused_while_the_body_is_still_to_come() {
    let served = Served::new();
    let operations: Vec<Operation> =
        operations(&served.daemon).into_iter().filter(|operation| operation.method != "GET").collect();
    let with_body = operations.iter().filter(|operation| operation.has_body).count();
    assert!(with_body >= 40, "only {with_body} operations with a body are described");
    for operation in &operations {
        for framing in ANNOUNCED {
            assert_eq!(served.status(operation, Some(POWERLESS), framing), "403", "{operation:?} {framing}");
        }
        let framing = ANNOUNCED[1];
        assert_eq!(served.status(operation, Some("nobody-knows-this-secret"), framing), "401", "{operation:?}");
        assert_eq!(served.status(operation, None, framing), "401", "{operation:?}");
    }
    assert_eq!(rows(&served.database), []);
}

/// The version is all that a credential without scopes is told.
#[test]
fn who_may_do_nothing_reads_nothing() {
    let served = Served::new();
    let operations: Vec<Operation> =
        operations(&served.daemon).into_iter().filter(|operation| operation.method == "GET").collect();
    assert!(operations.len() >= 30, "only {} operations are described", operations.len());
    for operation in &operations {
        let expected = if operation.path.ends_with("/version") { "200" } else { "403" };
        assert_eq!(served.status(operation, Some(POWERLESS), "Accept: */*"), expected, "{operation:?}");
        assert_eq!(served.status(operation, None, "Accept: */*"), "401", "{operation:?}");
    }
}

/// The rule stands in `auth::policy` alone.
#[test]
fn rule_of_a_ring_keeps_its_signatures_from_every_caller() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).env("STRONGROOM_TEST_WITHHELD_RING", "signing:withheld").start();
    let make = |name: &str| {
        let new = json!({"ring": format!("signing:{name}"), "algorithm": "p-256"});
        daemon.call(Method::POST, "/v1/keys").json(&new).send().expect(201).json()["kid"].as_str().unwrap().to_owned()
    };
    let (withheld, other) = (make("withheld"), make("other"));
    let sign = |path: &str| {
        let request = json!({"algorithm": "ES256", "message": "aGVsbG8="});
        daemon.call(Method::POST, path).json(&request).send()
    };
    sign("/v1/key-rings/signing:other/sign").expect(200);
    sign(&format!("/v1/keys/{other}/sign")).expect(200);
    for path in ["/v1/key-rings/signing:withheld/sign".to_owned(), format!("/v1/keys/{withheld}/sign")] {
        let refused = sign(&path).expect(403).text();
        assert!(refused.contains("signing:withheld"), "{refused}");
    }
    daemon.get(&format!("/v1/keys/{withheld}")).expect(200);
}

/// Settings of the daemon refer to rings; a ring that a rule keeps from the caller cannot be one of them.
#[test]
fn rule_of_a_ring_keeps_it_from_the_settings_that_name_it() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).env("STRONGROOM_TEST_WITHHELD_RING", "signing:withheld").start();
    for name in ["withheld", "other"] {
        let new = json!({"ring": format!("signing:{name}"), "algorithm": "rsa-2048"});
        daemon.call(Method::POST, "/v1/keys").json(&new).send().expect(201);
    }
    let put = |path: &str, body: &Value| daemon.call(Method::PUT, path).json(body).send();
    let keys = |active: &str, previous: &str| json!({"rsaActiveCertRef": {"id": active}, "rsaPreviousCertRef": {"id": previous}});
    let settings = |keys: Value| {
        let mut settings = keys;
        settings["staticJwksEnabled"] = json!(true);
        settings
    };
    let refused = put(OIDC, &settings(keys("other", "withheld"))).expect(403).text();
    assert!(refused.contains("signing:withheld"), "{refused}");
    let set = |active: &str| json!({"name": "a", "issuers": [{"id": "a"}], "signingKeys": {"rsaActiveCertRef": {"id": active}}});
    let sets = format!("{OIDC}/additionalKeySets");
    daemon.call(Method::POST, &sets).json(&set("withheld")).send().expect(403);
    daemon.call(Method::POST, &sets).json(&set("other")).send().expect(201);
    put(OIDC, &settings(json!({"rsaActiveCertRef": {"id": "other"}}))).expect(200);
}

/// A daemon that knows a credential without any scope.
struct Served {
    daemon: Daemon,
    database: std::path::PathBuf,
    _dir: Scratch,
}

impl Served {
    fn new() -> Self {
        let dir = Scratch::new();
        let hash = digest(&SHA256, POWERLESS.as_bytes()).as_ref().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let credential = format!("[[credentials]]\nname = \"powerless\"\nhash = \"sha256:{hash}\"\nscopes = []");
        let configuration = Configuration::new(&dir, &Token::fresh(&dir)).with(&credential);
        let mut daemon = Launch::serve(&configuration).start();
        daemon.await_ready();
        Self { daemon, database: configuration.database(), _dir: dir }
    }

    /// The status that answers a head alone; empty when none comes in time.
    fn status(&self, operation: &Operation, secret: Option<&str>, framing: &str) -> String {
        let address = self.daemon.base().strip_prefix("http://").unwrap();
        let Operation { method, path, .. } = operation;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n");
        if let Some(secret) = secret {
            let _ = write!(head, "Authorization: Bearer {secret}\r\n");
        }
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "{head}{framing}\r\n\r\n").unwrap();
        let mut answer = [0; 12];
        let arrived = stream.read_exact(&mut answer).map(|()| String::from_utf8_lossy(&answer).into_owned());
        arrived.ok().and_then(|line| line.strip_prefix("HTTP/1.1 ").map(str::to_owned)).unwrap_or_default()
    }
}
