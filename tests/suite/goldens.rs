//! Golden files of every dialect: what many of them show is written once.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{GoldenFiles, responses, view};

const DIALECTS: [&str; 4] = ["auth0", "native", "pingfederate", "zitadel"];

/// The files of all views, as golden files name them.
fn views() -> Vec<String> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let folders = fs::read_dir(golden.join("views")).unwrap().map(|entry| entry.unwrap().path());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    files.map(|file| file.strip_prefix(&golden).unwrap().display().to_string()).collect()
}

/// Calls `look` with each object in a value.
fn each_object<'a>(value: &'a Value, look: &mut impl FnMut(&'a serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            look(members);
            members.values().for_each(|value| each_object(value, look));
        }
        Value::Array(entries) => entries.iter().for_each(|value| each_object(value, look)),
        _ => {}
    }
}

/// Notes a view, and those that it is like itself.
fn refer(file: &str, used: &mut BTreeSet<String>) {
    used.insert(file.to_owned());
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)).unwrap();
    let view: Value = serde_json::from_str(&text).unwrap();
    if let Some(other) = view.get("like").and_then(Value::as_str) {
        refer(other, used);
    }
}

#[test]
fn views_are_written_out_in_no_golden_file_and_each_is_referred_to() {
    let views: Vec<(String, Value)> = views().into_iter().map(|file| (file.clone(), view(&file))).collect();
    let (mut used, mut repeated) = (BTreeSet::new(), Vec::new());
    for dialect in DIALECTS {
        let files = GoldenFiles::of(dialect);
        let prefix = format!("views/{dialect}/");
        let own = || views.iter().filter(|(file, _)| file.starts_with(&prefix));
        for (name, exchange) in files.exchanges() {
            responses(exchange).for_each(|response| {
                each_object(response, &mut |members| {
                    if let Some(file) = members.get("like").and_then(Value::as_str) {
                        refer(file, &mut used);
                        return;
                    }
                    let shows = |view: &Value| view.as_object().unwrap().keys().all(|name| members.contains_key(name));
                    repeated.extend(own().filter(|(_, view)| shows(view)).map(|(view, _)| format!("{name}: {view}")));
                });
            });
        }
    }
    assert!(repeated.is_empty(), "write {{\"like\": VIEW, ...}} in place of these: {repeated:#?}");
    let idle: Vec<_> = views.iter().map(|(file, _)| file).filter(|file| !used.contains(*file)).collect();
    assert!(idle.is_empty(), "no golden file refers to {idle:?}");
}
