//! Golden files against what is served and what the table of the contract's rows says.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use reqwest::Method;
use serde_json::Value;

use crate::harness::{Launch, Scratch};

/// The golden files of the dialect, by name.
fn golden_files() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/zitadel");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let read = |file: std::path::PathBuf| {
        let exchanges = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        (file.file_stem().unwrap().to_string_lossy().into_owned(), exchanges)
    };
    files.map(read).collect()
}

/// Method and path of every request that succeeds somewhere.
fn successes() -> BTreeSet<(String, String)> {
    let files = golden_files();
    let exchanges = files.iter().flat_map(|(_, exchanges)| exchanges.as_array().unwrap());
    let good = exchanges.filter(|exchange| exchange["response"]["status"].as_u64().unwrap() < 300);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    good.map(|exchange| (text(&exchange["request"]["method"]).to_lowercase(), text(&exchange["request"]["path"])))
        .collect()
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(path).all(|(t, p)| t.starts_with('{') || *t == p)
}

#[test]
fn every_operation_has_a_golden_pair_that_succeeds() {
    let dir = Scratch::new();
    let document = Launch::dev(&dir).start().call(Method::GET, "/openapi.json").send().expect(200).json();
    let successes = successes();
    let mut seen = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "delete"] {
            if item[method]["tags"] != serde_json::json!(["Zitadel"]) {
                continue;
            }
            seen += 1;
            assert!(successes.iter().any(|(m, p)| m == method && fits(path, p)), "{method} {path} has no golden pair");
        }
    }
    assert_eq!(seen, 21, "three times four of REST, twice four of Connect, discovery");
}

#[test]
fn every_golden_file_is_named_in_the_table_and_the_table_names_no_other() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/zitadel.md")).unwrap();
    let shown_by = |line: &str| line.strip_suffix('|')?.rsplit_once('|').map(|(_, cell)| cell.to_owned());
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| #"));
    let cells: Vec<String> = rows.filter_map(shown_by).collect();
    let words = cells.iter().flat_map(|cell| cell.split([',', ';'])).map(str::trim);
    let named: BTreeSet<String> =
        words.filter(|name| !name.is_empty() && !name.starts_with('`')).map(str::to_owned).collect();
    let files: BTreeSet<String> = golden_files().into_iter().map(|(name, _)| name).collect();
    assert_eq!(named, files);
}
