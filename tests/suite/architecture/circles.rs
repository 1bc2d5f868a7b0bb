//! Circles: files that import each other, over however many files between them.
//!
//! A name that a file only re-exports leads to the file that defines it, and a re-export of a child
//! is no import: a `mod.rs` that is charter and list of names is in no circle. Tests do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::paths::paths_among;
use super::{is_test, sources};

/// More files than this import each other nowhere but in [`KNOWN`].
const LARGEST: usize = 3;

/// Larger circles that there are: a crate, a file of the circle, and how many files it has.
const KNOWN: [(&str, &str, usize); 5] = [
    ("src", "services::lifecycle::creation", 6),
    ("src", "dialects::pingfederate::view", 6),
    ("src", "dialects::auth0::connections", 4),
    ("crates/strongroom-formats/src", "x509::summary", 9),
    ("crates/strongroom-token/src", "host", 18),
];

type Module = Vec<String>;

#[test]
fn files_import_each_other_in_no_circle_but_small_ones() {
    let mut wrong = Vec::new();
    for folder in packages() {
        for circle in circles(&imports(&folder)) {
            let names: Vec<String> = circle.iter().map(|module| module.join("::")).collect();
            let known = KNOWN.iter().filter(|(of, file, _)| *of == folder && names.iter().any(|name| name == file));
            let most = known.map(|(_, _, most)| *most).max().unwrap_or(LARGEST);
            if names.len() > most {
                wrong.push(format!("{folder}: {} files, {most} allowed: {}", names.len(), names.join(" ")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn circle_is_found_over_any_number_of_files() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph: BTreeMap<Module, BTreeSet<Module>> = BTreeMap::new();
        for (from, to) in edges {
            graph.entry(vec![(*to).to_owned()]).or_default();
            graph.entry(vec![(*from).to_owned()]).or_default().insert(vec![(*to).to_owned()]);
        }
        circles(&graph).iter().map(|circle| circle.concat().concat()).collect::<Vec<_>>()
    };
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("a", "c")]), Vec::<String>::new());
    assert_eq!(graph(&[("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("e", "f"), ("f", "e")]), ["abc", "ef"]);
}

/// `src`, and that of each crate.
fn packages() -> Vec<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let mut found = vec!["src".to_owned()];
    for entry in fs::read_dir(crates).unwrap() {
        found.push(format!("crates/{}/src", entry.unwrap().file_name().to_string_lossy()));
    }
    found.sort();
    found
}

/// What each file of a package imports, tests left out.
fn imports(folder: &str) -> BTreeMap<Module, BTreeSet<Module>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files: BTreeMap<Module, PathBuf> = sources(folder)
        .into_iter()
        .filter(|file| !is_test(file) && file.file_stem().is_some_and(|stem| stem != "tests"))
        .map(|file| (module_below(&root, &file), file))
        .collect();
    let mut aliases = BTreeMap::new();
    let mut found = Vec::new();
    for (module, file) in &files {
        let children: Vec<&str> = files
            .keys()
            .filter(|other| other.len() == module.len() + 1 && other.starts_with(module))
            .filter_map(|other| other.last().map(String::as_str))
            .collect();
        let text = fs::read_to_string(file).unwrap();
        let [reexports, own] = apart(&text).map(|part| paths_among(&part, module, &children));
        for path in uses(&text).iter().flat_map(|part| paths_among(part, module, &children)) {
            if let Some(name) = path.last().filter(|_| !files.contains_key(&path)) {
                aliases.insert([&module[..], std::slice::from_ref(name)].concat(), path);
            }
        }
        let of_others = reexports.into_iter().filter(|path| !path.starts_with(module));
        found.extend(own.into_iter().chain(of_others).map(|path| (module.clone(), path)));
    }
    let mut graph: BTreeMap<Module, BTreeSet<Module>> =
        files.keys().map(|module| (module.clone(), BTreeSet::new())).collect();
    for (from, path) in found {
        let to = file_of(&files, followed(&aliases, &files, path));
        if to != from && files.contains_key(&to) {
            graph.entry(from).or_default().insert(to);
        }
    }
    graph
}

/// The text of a file's re-exports, and the rest of it.
fn apart(text: &str) -> [String; 2] {
    let mut parts = [String::new(), String::new()];
    let mut in_reexport = false;
    for line in text.lines() {
        in_reexport |= line.starts_with("pub use ") || (line.starts_with("pub(") && line.contains(") use "));
        parts[usize::from(!in_reexport)].push_str(line);
        parts[usize::from(!in_reexport)].push('\n');
        in_reexport &= !line.ends_with(';');
    }
    parts
}

/// The `use` declarations of a file, re-exports included.
fn uses(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        let begins = line.starts_with("use ") || line.starts_with("pub use ");
        if begins || (line.starts_with("pub(") && line.contains(") use ")) {
            inside = true;
            found.push(String::new());
        }
        if let Some(last) = found.last_mut().filter(|_| inside) {
            last.push_str(line);
            last.push('\n');
        }
        inside &= !line.ends_with(';');
    }
    found
}

/// A path with the names that it goes through replaced by those that they stand for.
fn followed(aliases: &BTreeMap<Module, Module>, files: &BTreeMap<Module, PathBuf>, mut path: Module) -> Module {
    for _ in 0..8 {
        let known = |end: &usize| !files.contains_key(&path[..*end]) && aliases.contains_key(&path[..*end]);
        let Some(end) = (1..=path.len()).find(known) else { return path };
        path = [&aliases[&path[..end]][..], &path[end..]].concat();
    }
    path
}

/// The file in which a path ends.
fn file_of(files: &BTreeMap<Module, PathBuf>, mut path: Module) -> Module {
    while !path.is_empty() && !files.contains_key(&path) {
        path.pop();
    }
    path
}

/// The strongly connected components of more than one file.
fn circles(graph: &BTreeMap<Module, BTreeSet<Module>>) -> Vec<Vec<Module>> {
    let reachable: BTreeMap<&Module, BTreeSet<&Module>> =
        graph.keys().map(|from| (from, reachable(graph, from))).collect();
    let mut circles: Vec<Vec<Module>> = Vec::new();
    for (from, ends) in &reachable {
        let back = |end: &&&Module| reachable.get(**end).is_some_and(|ends| ends.contains(from));
        let circle: Vec<Module> = ends.iter().filter(back).map(|end| (**end).clone()).collect();
        if circle.len() > 1 && !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles
}

fn reachable<'a>(graph: &'a BTreeMap<Module, BTreeSet<Module>>, from: &'a Module) -> BTreeSet<&'a Module> {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        open.extend(graph.get(next).into_iter().flatten().filter(|end| seen.insert(*end)));
    }
    seen
}

/// `a/b/mod.rs` and `a/b.rs` are both `[a, b]`; `lib.rs` is `[]`.
fn module_below(root: &Path, file: &Path) -> Module {
    let inner = file.strip_prefix(root).unwrap().with_extension("");
    let mut parts: Module = inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}
