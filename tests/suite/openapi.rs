//! `/openapi.json`, judged by a validator that shares no code with us.

use std::fs;

use serde_json::Value;

use crate::harness::{Daemon, Launch, Scratch, python, run};

#[test]
fn the_document_is_valid_openapi_3_1() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let document = document(&daemon);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let file = dir.join("openapi.json");
    fs::write(&file, document.to_string()).unwrap();
    let output = run(python().args(["-m", "openapi_spec_validator", "--schema", "3.1"]).arg(&file), b"");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(
        !said.contains("No module named"),
        "{said}\n`make test` installs it; by hand: pip install openapi-spec-validator"
    );
    assert!(output.status.success(), "{said}");
}

#[test]
fn the_validator_refuses_a_document_that_is_wrong() {
    let dir = Scratch::new();
    let file = dir.join("openapi.json");
    fs::write(&file, r#"{"openapi": "3.1.0", "info": {"title": "no version"}, "paths": {}}"#).unwrap();
    let output = run(python().args(["-m", "openapi_spec_validator", "--schema", "3.1"]).arg(&file), b"");
    assert!(!output.status.success());
}

#[test]
fn every_operation_has_its_own_id_and_the_dialect_is_listed_once() {
    let dir = Scratch::new();
    let document = document(&Launch::dev(&dir).start());
    let paths = document["paths"].as_object().unwrap();
    for path in [
        "/pf-admin-api/v1/keyPairs/signing",
        "/pf-admin-api/v1/keyPairs/signing/generate",
        "/pf-admin-api/v1/keyPairs/signing/{id}",
        "/pf-admin-api/v1/keyPairs/signing/{id}/certificate",
        "/pf-admin-api/v1/keyPairs/keyAlgorithms",
        "/v1/key-rings/{ring}",
        "/v1/keys/{kid}/sign",
        "/v1/key-rings/{ring}/sign-batch",
    ] {
        assert!(paths.contains_key(path), "{path} in {:?}", paths.keys());
    }
    assert!(!paths.keys().any(|path| path.starts_with("/keyPairs")), "the short prefix stays outside");
    let methods = ["get", "post", "put", "delete", "patch"];
    let operations = paths.values().flat_map(|item| methods.iter().filter_map(|method| item.get(method)));
    let mut ids: Vec<&str> = operations.map(|op| op["operationId"].as_str().expect("an operationId")).collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an operationId is used twice");
}

fn document(daemon: &Daemon) -> Value {
    let answer = daemon.get("/openapi.json").expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}
