//! Changes run detached from the handler that asked for them, whatever handler it is.

use std::fs;

use super::{module_of, read, sources};

/// Methods of the store that change something, as services call them.
const CHANGES: [&str; 10] = [
    "reserve(",
    "change(",
    "transition(",
    "keep_document(",
    "delete_document(",
    "replace_certificates(",
    "record(",
    "activate_member(",
    "delete_member(",
    "end_sweep(",
];

/// Functions that change something in the task of their caller, each called in a detached task alone.
const INNER: [&str; 11] = [
    "activate_here",
    "change_once",
    "commit_here",
    "declare_here",
    "delete_here",
    "discard_stocked",
    "hold_sweep",
    "reserve",
    "transition_to",
    "under_lease",
    "write_tombstone",
];

#[test]
fn no_handler_makes_tasks() {
    let makes = |file: &std::path::PathBuf| {
        let room = module_of(file);
        let text = fs::read_to_string(file).unwrap();
        matches!(room.first().map(String::as_str), Some("dialects" | "http"))
            && (text.contains("tokio::spawn") || text.contains("Detached"))
    };
    assert_eq!(sources("src").into_iter().filter(makes).collect::<Vec<_>>(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn services_change_the_store_in_detached_tasks() {
    let mut bare = Vec::new();
    for file in sources("src/services") {
        let path = file.display().to_string();
        // Background tasks and commands call what keeps keys, handlers do not; signing writes single events.
        if path.contains("/tests") || path.contains("/custody/") || path.contains("/signing/") {
            continue;
        }
        for (name, body) in functions(&fs::read_to_string(&file).unwrap()) {
            let changes = CHANGES.iter().any(|change| body.contains(&format!("store.{change}")));
            if changes && !body.contains("detached") && !INNER.contains(&name.as_str()) {
                bare.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(bare.is_empty(), "these change the store in the task of a handler:\n{}", bare.join("\n"));
}

#[test]
fn functions_are_told_apart() {
    let found = functions("fn one() {\n    store.change(x)\n}\n    async fn two(&self) -> X {\n        y\n    }\n");
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["one", "two"]);
    assert!(found[0].1.contains("store.change(") && !found[1].1.contains("store.change("));
    let generate = functions(&read("src/services/lifecycle/creation.rs"));
    assert!(generate.iter().any(|(name, body)| name == "apply_update" && body.contains("detached")));
}

/// The functions of a source file, each with its text up to the next one.
fn functions(source: &str) -> Vec<(String, String)> {
    let source = source.replace("self\n            .store\n            .", "self.store.");
    let starts: Vec<usize> = source.match_indices("fn ").map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([source.len()]);
    let named = |(start, end): (&usize, usize)| {
        let text = &source[*start..end];
        let name = text[3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        (name, text.to_owned())
    };
    starts.iter().zip(ends).map(named).collect()
}
