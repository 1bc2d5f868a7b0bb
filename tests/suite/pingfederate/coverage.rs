//! Golden files against what is served and what the table of the contract's rows says.

use reqwest::Method;

use crate::harness::{GoldenFiles, Launch, Scratch};

const PREFIX: &str = "/pf-admin-api/v1";

#[test]
fn every_operation_has_a_golden_pair_that_succeeds() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let document = daemon.call(Method::GET, &format!("{PREFIX}/swagger.json")).anonymous().send().expect(200).json();
    let files = GoldenFiles::of("pingfederate");
    let mut missing = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "put", "post", "delete"] {
            let statuses = files.statuses(method, &format!("{PREFIX}{path}"));
            if item.get(method).is_some() && !statuses.iter().any(|status| *status < 300) {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_golden_file_is_named_in_the_table_and_the_table_names_no_other() {
    GoldenFiles::of("pingfederate").assert_named_in("pingfederate.md");
}
