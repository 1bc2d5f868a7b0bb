//! The house stands: floors, rooms that never meet, size and names of files.
//!
//! Reads every `crate::` path in `src`, nested groups and `super::` that leave a room
//! included. The floors are those of the table in `src/lib.rs`: what the crate's
//! documentation says and what holds cannot differ. Rooms below the dialects have no words of theirs
//! in literals. Does not judge what code does.

mod algorithms;
mod circles;
mod paths;
mod wire;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use paths::paths_of;

/// Rooms that never import each other, whichever floor they stand on.
const STRANGERS: [(&str, &str); 2] = [("provider", "store"), ("services::lifecycle", "services::signing")];

/// Folders whose folders are the rooms.
const FOLDERS_OF_ROOMS: [&str; 2] = ["dialects", "services"];

/// Rooms that no dialect knows.
const HIDDEN_FROM_DIALECTS: [&str; 4] = ["store", "provider", "issuance", "config"];

const FORBIDDEN_NAMES: [&str; 8] = ["utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"];
const LONGEST_FILE: usize = 400;

/// A use of one room by another.
#[derive(Debug)]
struct Edge {
    file: String,
    from: Vec<String>,
    to: Vec<String>,
}

/// A room's place: floors grow upwards, `place` grows to the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    floor: u32,
    place: usize,
}

#[test]
fn a_room_imports_only_rooms_below_or_to_its_right() {
    let floors = floors(&read("src/lib.rs"));
    let wrong: Vec<String> = edges().iter().filter_map(|edge| climbs(&floors, edge)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rooms_that_are_strangers_never_import_each_other() {
    let wrong: Vec<String> = edges().iter().filter_map(meets).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_floors_table_names_the_rooms_that_there_are() {
    let mut named: Vec<String> = floors(&read("src/lib.rs")).into_keys().collect();
    let mut there: Vec<String> = sources("src").iter().filter_map(|file| room(&module_of(file))).collect();
    named.sort();
    there.sort();
    there.dedup();
    assert_eq!(named, there);
}

#[test]
fn only_those_who_put_a_token_in_its_place_know_its_crate() {
    let stranger = |file: &PathBuf| {
        let room = module_of(file).first().cloned();
        let knows = ["provider", "config", "daemon", "cli"];
        fs::read_to_string(file).unwrap().contains("strongroom_token::")
            && !room.is_some_and(|room| knows.contains(&room.as_str()))
    };
    assert_eq!(sources("src").into_iter().filter(stranger).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

/// A daemon that is built without the feature must not get it by way of another member.
#[test]
fn test_hooks_are_in_no_build_that_does_not_ask_for_them() {
    let users = |of: &str, more: &[&str]| {
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(["tree", "--offline", "--edges", "features,normal,build", "--invert", of]).args(more);
        let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for of in ["strongroom-domain", "strongroom-token"] {
        assert!(!users(of, &["--workspace"]).contains("test-hooks"), "{of} has them unasked");
        let asked = users(of, &["--features", "test-hooks"]);
        assert!(asked.contains(&format!("{of} feature \"test-hooks\"")), "{of} lacks them");
    }
}

#[test]
fn no_file_is_longer_than_it_may_be() {
    let all = ["src", "crates", "tests"].into_iter().flat_map(sources);
    let long: Vec<String> = all
        .map(|file| (fs::read_to_string(&file).unwrap().lines().count(), file))
        .filter(|(lines, _)| *lines > LONGEST_FILE)
        .map(|(lines, file)| format!("{}: {lines} lines", file.display()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

#[test]
fn no_room_has_a_name_that_says_nothing() {
    let all = ["src", "crates", "tests"].into_iter().flat_map(sources);
    let vague = |file: &PathBuf| {
        let parts = file.with_extension("");
        parts.iter().any(|part| FORBIDDEN_NAMES.iter().any(|name| part == *name))
    };
    assert_eq!(all.filter(vague).collect::<Vec<_>>(), Vec::<PathBuf>::new());
}

#[test]
fn every_folder_opens_with_its_charter() {
    let mut poor = Vec::new();
    let rooms = ["src", "crates"].into_iter().flat_map(sources);
    let rooms = rooms.filter(|file| file.ends_with("mod.rs") && !is_test(file));
    for file in rooms {
        let text = fs::read_to_string(&file).unwrap();
        let charter = text.lines().take_while(|line| line.starts_with("//!")).count();
        if !(5..=15).contains(&charter) {
            poor.push(format!("{}: {charter} lines", file.display()));
        }
    }
    assert!(poor.is_empty(), "a mod.rs opens with a charter of 5 to 15 lines:\n{}", poor.join("\n"));
}

#[test]
fn floors_test_refuses_an_import_that_climbs_and_strangers_that_meet() {
    let floors = floors("//! | 2 holders | `provider` `store` |\n//! | 0 nouns | `key` |\n");
    let edge = |from: &str, to: &str| {
        let split = |path: &str| path.split("::").map(str::to_owned).collect();
        Edge { file: "x.rs".to_owned(), from: split(from), to: split(to) }
    };
    assert!(climbs(&floors, &edge("key", "store::Store")).is_some());
    assert!(climbs(&floors, &edge("store", "provider::Held")).is_some(), "to the left");
    assert!(climbs(&floors, &edge("key", "nowhere::Thing")).is_some());
    assert!(climbs(&floors, &edge("store", "key::KeyId")).is_none());
    assert!(climbs(&floors, &edge("store::sql", "store::Row")).is_none());
    assert!(meets(&edge("provider::pkcs11", "store::Store")).is_some());
    assert!(meets(&edge("store", "provider")).is_some());
    assert!(meets(&edge("dialects::native::keys", "dialects::pingfederate::view")).is_some());
    assert!(meets(&edge("dialects::pingfederate", "store::Store")).is_some());
    assert!(meets(&edge("dialects::pingfederate::view", "http::extract")).is_none());
    assert!(meets(&edge("router", "dialects::pingfederate")).is_none());
}

/// The room that a path leads into; none for a folder of rooms itself.
fn room(path: &[String]) -> Option<String> {
    let first = path.first()?;
    if FOLDERS_OF_ROOMS.contains(&first.as_str()) {
        Some(format!("{first}::{}", path.get(1)?))
    } else {
        Some(first.clone())
    }
}

/// Why an edge is not allowed by the floors.
fn climbs(floors: &BTreeMap<String, Place>, edge: &Edge) -> Option<String> {
    let (from, to) = (room(&edge.from)?, room(&edge.to)?);
    if from == to {
        return None;
    }
    let says = |why: &str| Some(format!("{}: {from} imports {}, {why}", edge.file, edge.to.join("::")));
    let (Some(lower), Some(upper)) = (floors.get(&to), floors.get(&from)) else {
        return says("and one of the two stands on no floor");
    };
    let allowed = lower.floor < upper.floor || (lower.floor == upper.floor && lower.place > upper.place);
    if allowed { None } else { says("which is above it or to its left") }
}

/// Why an edge brings strangers together.
fn meets(edge: &Edge) -> Option<String> {
    let (from, to) = (room(&edge.from)?, room(&edge.to)?);
    let strangers = STRANGERS.iter().any(|(a, b)| (from == *a && to == *b) || (from == *b && to == *a));
    let is_dialect = |room: &str| room.starts_with("dialects::");
    let hidden = is_dialect(&from) && HIDDEN_FROM_DIALECTS.contains(&to.as_str());
    let siblings = is_dialect(&from) && is_dialect(&to) && from != to;
    (strangers || hidden || siblings)
        .then(|| format!("{}: {} must not know {}", edge.file, edge.from.join("::"), edge.to.join("::")))
}

/// Rooms and their places, from lines such as `//! | 2 holders | `provider` `store` |`.
fn floors(documentation: &str) -> BTreeMap<String, Place> {
    let mut floors = BTreeMap::new();
    for line in documentation.lines().filter_map(|line| line.strip_prefix("//! | ")) {
        let Some((floor, rooms)) = line.split_once(" | ") else { continue };
        let Some(floor) = floor.split(' ').next().and_then(|number| number.parse().ok()) else { continue };
        for (place, room) in rooms.split('`').skip(1).step_by(2).enumerate() {
            floors.insert(room.to_owned(), Place { floor, place });
        }
    }
    assert!(!floors.is_empty(), "the table of floors");
    floors
}

/// Every use of a room in `src`; `main.rs` and `lib.rs` stand outside of the rooms.
fn edges() -> Vec<Edge> {
    let mut edges = Vec::new();
    for file in sources("src") {
        let from = module_of(&file);
        if from.is_empty() {
            continue;
        }
        for to in paths_of(&fs::read_to_string(&file).unwrap(), &from) {
            edges.push(Edge { file: file.display().to_string(), from: from.clone(), to });
        }
    }
    assert!(edges.len() > 50, "only {} paths were found", edges.len());
    edges
}

/// `src/a/b/mod.rs` and `src/a/b.rs` are both `[a, b]`; `src/lib.rs` is `[]`.
fn module_of(file: &Path) -> Vec<String> {
    let inner = file.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap().with_extension("");
    let mut parts: Vec<String> = inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// Whether a file holds a room's own tests.
fn is_test(file: &Path) -> bool {
    file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().iter().any(|part| part == "tests")
}

/// The Rust files under a folder of the package.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
