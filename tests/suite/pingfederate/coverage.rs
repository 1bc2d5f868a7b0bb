//! Golden files against what is served and what the table of the contract's rows says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Launch, Scratch};

const PREFIX: &str = "/pf-admin-api/v1";

/// The golden files of the dialect, by name.
fn golden_files() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pingfederate");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |file: std::path::PathBuf| {
        let exchanges = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        (file.file_stem().unwrap().to_string_lossy().into_owned(), exchanges)
    };
    files.map(read).collect()
}

/// Method and path of every request that succeeds somewhere.
fn successes() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for (_, exchanges) in golden_files() {
        for exchange in exchanges.as_array().unwrap() {
            let responses = exchange["responses"].as_array().into_iter().flatten().chain(exchange.get("response"));
            let succeeds = |response: &Value| response["status"].as_u64().is_some_and(|status| status < 300);
            if let (true, Some(path)) = (
                responses.into_iter().any(succeeds),
                exchange["request"]["path"].as_str().unwrap().strip_prefix(PREFIX),
            ) {
                let method = exchange["request"]["method"].as_str().unwrap().to_lowercase();
                found.insert((method, path.to_owned()));
            }
        }
    }
    found
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(path).all(|(t, p)| t.starts_with('{') || *t == p)
}

#[test]
fn every_operation_has_a_golden_pair_that_succeeds() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let document = daemon.call(Method::GET, &format!("{PREFIX}/swagger.json")).anonymous().send().expect(200).json();
    let successes = successes();
    let mut missing = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "put", "post", "delete"] {
            let shown = || successes.iter().any(|(m, p)| m == method && fits(path, p));
            if item.get(method).is_some() && !shown() {
                missing.push(format!("{method} {path}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_golden_file_is_named_in_the_table_and_the_table_names_no_other() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pingfederate.md")).unwrap();
    let shown_by = |line: &str| line.strip_suffix('|')?.rsplit_once('|').map(|(_, cell)| cell.to_owned());
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #"));
    let cells: Vec<String> = rows.filter_map(shown_by).collect();
    let words = cells.iter().flat_map(|cell| cell.split([',', ';'])).map(str::trim);
    let named: BTreeSet<String> =
        words.filter(|name| !name.is_empty() && !name.starts_with('`')).map(str::to_owned).collect();
    let files: BTreeSet<String> = golden_files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(named, files);
}
