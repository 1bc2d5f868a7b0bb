//! Golden files against what is served and what the table of the API's rows says.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{GoldenFiles, Launch, Scratch};

/// The refusals that an operation has to be shown with, besides its success.
fn refusals(method: &str, path: &str, operation: &Value) -> BTreeSet<u64> {
    let mut refusals = BTreeSet::new();
    // Key sets are for everybody.
    if operation["security"] != json!([{}]) {
        refusals.insert(401);
    }
    if method != "get" {
        refusals.insert(403);
    }
    if path.contains('{') {
        refusals.extend([400, 404]);
    }
    if let Some(body) = operation.get("requestBody") {
        refusals.extend([400, 415]);
        // A body of one boolean has no value that cannot be.
        let schema = body["content"]["application/json"]["schema"].to_string();
        if !["KeyRingSettings", "Suspend"].iter().any(|name| schema.contains(&format!("/schemas/{name}\""))) {
            refusals.insert(422);
        }
    }
    refusals
}

#[test]
fn every_operation_has_golden_pairs_for_its_success_and_its_main_refusals() {
    let dir = Scratch::new();
    let document = Launch::dev(&dir).start().get("/openapi.json").expect(200).json();
    let files = GoldenFiles::of("native");
    let (mut seen, mut missing) = (0, Vec::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if !path.starts_with("/v1/") {
                continue;
            }
            seen += 1;
            let shown = files.statuses(method, path);
            if !shown.iter().any(|status| (200..300).contains(status)) {
                missing.push(format!("{method} {path}: success"));
            }
            let wanted = refusals(method, path, operation);
            missing.extend(wanted.difference(&shown).map(|status| format!("{method} {path}: {status}")));
        }
    }
    assert!(missing.is_empty(), "tests/golden/native lacks {missing:#?}");
    assert!(seen >= 35, "{seen} operations under /v1");
}

#[test]
fn every_golden_file_is_named_in_the_table_and_the_table_names_no_other() {
    GoldenFiles::of("native").assert_named_in("native.md");
}
