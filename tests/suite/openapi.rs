//! `/openapi.json`, judged by a validator that shares no code with us.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

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

#[test]
fn the_served_document_is_the_reviewed_one() {
    let dir = Scratch::new();
    let served = document(&Launch::dev(&dir).start());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, serde_json::to_string_pretty(&served).unwrap() + "\n").unwrap();
        return;
    }
    let reviewed: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let mut found = Vec::new();
    differences("", &reviewed, &served, &mut found);
    let more = found.len().saturating_sub(40);
    let shown: Vec<_> = found.iter().take(40).map(String::as_str).collect();
    let shown = shown.join("\n  ");
    assert!(
        found.is_empty(),
        "the document that is served differs from docs/openapi.json:\n  {shown}\n{}\
         if that is meant, {UPDATE} writes the file anew; its diff is for the review",
        if more > 0 { format!("  and {more} more\n") } else { String::new() },
    );
}

const UPDATE: &str = "`UPDATE_GOLDEN=1 cargo test --features test-hooks --test suite openapi::the_served`";

/// Every place where the served document is not the reviewed one, the outermost only.
fn differences(place: &str, reviewed: &Value, served: &Value, found: &mut Vec<String>) {
    let below = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place} > {name}") };
    match (reviewed, served) {
        (Value::Object(reviewed), Value::Object(served)) => {
            found.extend(
                reviewed.keys().filter(|name| !served.contains_key(*name)).map(|name| format!("- {}", below(name))),
            );
            for (name, now) in served {
                match reviewed.get(name) {
                    None => found.push(format!("+ {}", below(name))),
                    Some(before) => differences(&below(name), before, now, found),
                }
            }
        }
        (Value::Array(reviewed), Value::Array(served)) if reviewed.len() == served.len() => {
            for (index, (before, now)) in reviewed.iter().zip(served).enumerate() {
                differences(&below(&index.to_string()), before, now, found);
            }
        }
        _ if reviewed != served => found.push(format!("~ {place}: {reviewed} became {served}")),
        _ => {}
    }
}

#[test]
fn differences_of_documents_are_named_by_their_place() {
    let reviewed = json!({"paths": {"/a": {"get": 1}, "/b": {}}, "tags": ["x"]});
    let served = json!({"paths": {"/a": {"get": 2, "put": 3}, "/c": {}}, "tags": ["x", "y"]});
    let mut found = Vec::new();
    differences("", &reviewed, &served, &mut found);
    found.sort();
    let expected = [
        "+ paths > /a > put",
        "+ paths > /c",
        "- paths > /b",
        "~ paths > /a > get: 1 became 2",
        r#"~ tags: ["x"] became ["x","y"]"#,
    ];
    assert_eq!(found, expected);
}

fn document(daemon: &Daemon) -> Value {
    let answer = daemon.get("/openapi.json").expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    answer.json()
}
