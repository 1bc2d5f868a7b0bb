//! Requests that must be refused, and leave nothing behind.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    AUDITOR, Answer, Configuration, Daemon, GENERATE, Launch, SIGNING, Scratch, Token, golden, key_pair, rows,
};

/// A daemon whose token and store must stay empty.
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

    /// Asks for a key pair with some properties changed; `null` leaves one out.
    fn generate_with(&self, changes: Value) -> Answer {
        let mut request = key_pair("EC", None);
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(request.as_object_mut().unwrap().remove(name)),
                value => request[name] = value.clone(),
            }
        }
        let answer = self.daemon.generate(&request);
        assert_eq!(answer.header("content-type"), "application/json", "{}", answer.text());
        answer
    }

    #[track_caller]
    fn violates(&self, changes: Value, expected: &[(&str, &str)]) {
        let answer = self.generate_with(changes).expect(422);
        assert_eq!(answer.json()["resultId"], "validation_error");
        let mut expected: Vec<_> = expected.iter().map(|(f, e)| ((*f).to_owned(), (*e).to_owned())).collect();
        expected.sort();
        assert_eq!(answer.violations(), expected);
    }

    #[track_caller]
    fn malformed(&self, body: &str) {
        let answer = self.daemon.call(Method::POST, GENERATE).body(body).send().expect(400);
        assert_eq!(answer.header("content-type"), "application/json", "{}", answer.text());
        assert_eq!(answer.json()["resultId"], "malformed_request");
        assert!(!answer.json()["message"].as_str().unwrap().is_empty());
    }
}

impl Drop for Untouched {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(Token::of_dev(&self.dir).objects(), [], "a refused request left an object in the token");
            assert_eq!(rows(&self.dir.join("strongroom.db")), [], "a refused request left a row in the store");
        }
    }
}

#[test]
fn refusals_are_as_the_golden_file_says() {
    golden(&Untouched::new().daemon, "pingfederate/refusals");
}

#[test]
fn missing_and_empty_fields_are_reported_all_at_once() {
    let untouched = Untouched::new();
    let required = ["commonName", "organization", "country", "validDays", "keyAlgorithm"];
    let all: Vec<_> = required.iter().map(|name| (*name, "required")).collect();
    let without: Value = required.iter().map(|name| ((*name).to_owned(), Value::Null)).collect();
    untouched.violates(without, &all);
    let empty = json!({"commonName": "", "organization": "", "country": ""});
    untouched.violates(empty, &[("commonName", "required"), ("organization", "required"), ("country", "required")]);
    let mixed = json!({"commonName": null, "country": "USA", "validDays": 0, "keySize": 255});
    let expected = [
        ("commonName", "required"),
        ("country", "invalid_value"),
        ("validDays", "invalid_value"),
        ("keySize", "invalid_value"),
    ];
    untouched.violates(mixed, &expected);
}

#[test]
fn body_of_another_form_is_malformed() {
    let untouched = Untouched::new();
    for body in ["", "{", "null", "[]", "\"text\"", "{\"commonName\": \"x\",}", "\u{0}"] {
        untouched.malformed(body);
    }
    let with = |name: &str, value: Value| {
        let mut request = key_pair("EC", None);
        request[name] = value;
        request.to_string()
    };
    untouched.malformed(&with("surprise", json!(1)));
    untouched.malformed(&with("validDays", json!("365")));
    untouched.malformed(&with("validDays", json!(1.5)));
    untouched.malformed(&with("keySize", json!(99_999_999_999_i64)));
    untouched.malformed(&with("commonName", json!(["Example"])));
    untouched.malformed(&with("subjectAlternativeNames", json!("example.org")));
    untouched.malformed(&with("subjectAlternativeNames", json!([1])));
    untouched.malformed(&with("cryptoProvider", json!("TPM")));
    let twice = key_pair("EC", None).to_string().replacen('{', "{\"commonName\":\"Twice\",", 1);
    untouched.malformed(&twice);
}

#[test]
fn malformed_body_is_refused_with_its_place() {
    let untouched = Untouched::new();
    let mut request = key_pair("EC", None);
    request["validDays"] = "365".into();
    let answer = untouched.daemon.generate(&request).expect(400);
    assert!(answer.text().contains("validDays"), "{}", answer.text());
}

#[test]
fn invalid_value_is_refused_at_its_field() {
    let untouched = Untouched::new();
    let long = |length: usize| "x".repeat(length);
    for (changes, field, error) in [
        (json!({"validDays": 0}), "validDays", "invalid_value"),
        (json!({"validDays": -1}), "validDays", "invalid_value"),
        (json!({"validDays": 40_000}), "validDays", "invalid_value"),
        (json!({"country": "USA"}), "country", "invalid_value"),
        (json!({"country": "U1"}), "country", "invalid_value"),
        (json!({"commonName": long(65)}), "commonName", "too_long"),
        (json!({"organization": long(65)}), "organization", "too_long"),
        (json!({"organizationUnit": long(65)}), "organizationUnit", "too_long"),
        (json!({"city": long(129)}), "city", "too_long"),
        (json!({"state": long(129)}), "state", "too_long"),
        (json!({"subjectAlternativeNames": ["not a name"]}), "subjectAlternativeNames[0]", "invalid_value"),
        (json!({"subjectAlternativeNames": ["ok.example", "-bad-"]}), "subjectAlternativeNames[1]", "invalid_value"),
        (json!({"subjectAlternativeNames": ["IP: 'nowhere'"]}), "subjectAlternativeNames[0]", "invalid_value"),
    ] {
        untouched.violates(changes, &[(field, error)]);
    }
    let many: Vec<String> = (0..101).map(|n| format!("n{n}.example")).collect();
    let answer = untouched.generate_with(json!({"subjectAlternativeNames": many})).expect(422);
    assert_eq!(answer.violations()[0].0, "subjectAlternativeNames");
}

#[test]
fn algorithms_that_do_not_exist_or_fit_are_refused() {
    let untouched = Untouched::new();
    for (changes, field) in [
        (json!({"keyAlgorithm": "DSA"}), "keyAlgorithm"),
        (json!({"keyAlgorithm": "rsa"}), "keyAlgorithm"),
        (json!({"keySize": 512}), "keySize"),
        (json!({"keyAlgorithm": "RSA", "keySize": 1024}), "keySize"),
        (json!({"keyAlgorithm": "RSA", "keySize": 256}), "keySize"),
        (json!({"signatureAlgorithm": "SHA256withRSA"}), "signatureAlgorithm"),
        (json!({"signatureAlgorithm": "SHA1withECDSA"}), "signatureAlgorithm"),
        (json!({"keyAlgorithm": "RSA", "signatureAlgorithm": "SHA256withECDSA"}), "signatureAlgorithm"),
        (json!({"keyAlgorithm": "Ed25519", "signatureAlgorithm": "SHA256withECDSA"}), "signatureAlgorithm"),
    ] {
        untouched.violates(changes, &[(field, "invalid_value")]);
    }
}

#[test]
fn ids_outside_of_the_charset_or_reserved_are_refused() {
    let untouched = Untouched::new();
    let long = "x".repeat(65);
    for id in
        ["", "has space", "ümlaut", "a/b", ".hidden", "-dash", "generate", "import", "link", "settings", long.as_str()]
    {
        let answer = untouched.generate_with(json!({"id": id})).expect(422);
        assert_eq!(answer.violations()[0].0, "id", "{id}");
    }
}

#[test]
fn an_id_that_is_taken_is_refused_and_its_key_left_alone() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let mut request = key_pair("EC", None);
    request["id"] = "taken".into();
    let first = daemon.generate(&request).expect(201).json();
    let answer = daemon.generate(&request).expect(422);
    assert_eq!(answer.violations(), [("id".to_owned(), "not_unique".to_owned())]);
    assert_eq!(daemon.get(&format!("{SIGNING}/taken")).expect(200).json(), first);
    assert_eq!(Token::of_dev(&dir).objects().len(), 2);
    assert_eq!(rows(&dir.join("strongroom.db")).len(), 1);
}

#[test]
fn a_body_over_the_limit_is_too_large_announced_or_not() {
    let untouched = Untouched::new();
    let mut request = key_pair("EC", None);
    request["city"] = "x".repeat(300 * 1024).into();
    let announced = untouched.daemon.call(Method::POST, GENERATE).json(&request).send().expect(413);
    assert_eq!(announced.header("content-type"), "application/json");
    assert!(announced.json()["resultId"].is_string(), "{}", announced.text());
}

#[test]
fn wrong_credentials_are_not_recognised() {
    let untouched = Untouched::new();
    let request = key_pair("EC", None);
    let post = || untouched.daemon.call(Method::POST, GENERATE).json(&request);
    let refused = [
        post().anonymous().send(),
        post().bearer("").send(),
        post().bearer("not-the-secret-not-the-secret-not-the-secret").send(),
        post().basic("admin", "not-the-secret").header("X-XSRF-Header", "PingFederate").send(),
        post().anonymous().header("Authorization", "Negotiate abc").send(),
    ];
    for answer in refused {
        let body = answer.expect(401);
        assert_eq!(body.header("content-type"), "application/json");
        assert!(!body.header("www-authenticate").is_empty(), "RFC 9110 section 11.6.1");
        let expected =
            json!({"resultId": "invalid_credentials", "message": "The credentials you provided were not recognized."});
        assert_eq!(body.json(), expected);
    }
}

#[test]
fn a_credential_without_the_scope_may_read_but_not_manage() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let id = daemon.generate(&key_pair("EC", None)).expect(201).id();
    let as_auditor = |method: Method, path: &str| daemon.call(method, path).bearer(AUDITOR);
    as_auditor(Method::GET, SIGNING).send().expect(200);
    let refused = [
        as_auditor(Method::POST, GENERATE).json(&key_pair("EC", None)).send(),
        as_auditor(Method::DELETE, &format!("{SIGNING}/{id}")).send(),
    ];
    for answer in refused {
        assert_eq!(answer.expect(403).json()["resultId"], "insufficient_permission");
    }
    assert_eq!(token.objects().len(), 2);
    assert_eq!(rows(&configuration.database()).len(), 1);
}

#[test]
fn wrong_methods_and_unknown_paths_answer_in_the_dialects_own_body() {
    let untouched = Untouched::new();
    let ask = |method: Method, path: &str| untouched.daemon.call(method, path).send();
    for (method, path) in [
        (Method::PUT, GENERATE.to_owned()),
        (Method::PATCH, SIGNING.to_owned()),
        (Method::POST, SIGNING.to_owned()),
        (Method::PUT, format!("{SIGNING}/some")),
        (Method::POST, format!("{SIGNING}/some/certificate")),
    ] {
        let answer = ask(method, &path).expect(405);
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        assert!(!answer.header("allow").is_empty(), "{path}");
        assert!(answer.json()["resultId"].is_string(), "{}", answer.text());
    }
    let unknown = ask(Method::GET, "/pf-admin-api/v1/keyPairs/elsewhere").expect(404);
    assert_eq!(unknown.header("content-type"), "application/json");
    assert!(unknown.json()["resultId"].is_string(), "{}", unknown.text());
}

#[test]
fn unknown_ids_are_named_even_when_they_are_strange() {
    let untouched = Untouched::new();
    for (path, id) in [("junk", "junk"), ("...", "..."), ("a%20b", "a b"), ("%3Cscript%3E", "<script>")] {
        let answer = untouched.daemon.get(&format!("{SIGNING}/{path}/certificate")).expect(404);
        let expected = format!("The resource with ID '{id}' is not found. Please specify a recognized resource ID.");
        assert_eq!(answer.json()["message"], expected);
        assert_eq!(answer.json()["resultId"], "resource_not_found");
    }
}
