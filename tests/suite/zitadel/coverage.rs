//! Golden files against what is served and what the table of the contract's rows says.

use reqwest::Method;

use crate::harness::{GoldenFiles, Launch, Scratch};

#[test]
fn every_operation_has_a_golden_pair_that_succeeds() {
    let dir = Scratch::new();
    let document = Launch::dev(&dir).start().call(Method::GET, "/openapi.json").send().expect(200).json();
    let files = GoldenFiles::of("zitadel");
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "delete"] {
            if item[method]["tags"] != serde_json::json!(["Zitadel"]) {
                continue;
            }
            seen += 1;
            let statuses = files.statuses(method, path);
            assert!(statuses.iter().any(|status| *status < 300), "{method} {path} has no golden pair");
        }
    }
    assert_eq!(seen, 21, "three times four of REST, twice four of Connect, discovery");
}

#[test]
fn every_golden_file_is_named_in_the_table_and_the_table_names_no_other() {
    GoldenFiles::of("zitadel").assert_named_in("zitadel.md");
}
