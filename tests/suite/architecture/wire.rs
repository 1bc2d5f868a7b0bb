//! Rooms below the dialects know no wire path and no product.
//!
//! Reads their string literals, those of tests and of `#[serde(rename_all)]` left out. Members of wire types are
//! written in camel case, so that a word in camel case is a path until a list below explains it. Sentences are
//! beyond this test; an input is refused by `Field` and `Reason`, which have none.

use std::fs;
use std::path::PathBuf;

use super::paths::literals_of;
use super::{is_test, module_of, sources};

/// Rooms that speak to clients or operators, who know the products by name.
const SPEAKERS: [&str; 8] = ["cli", "config", "daemon", "dialects", "http", "router", "serve", "telemetry"];

/// Products, and the roots of their paths.
const PRODUCTS: [&str; 6] = ["PingFederate", "pf-admin-api", "Auth0", "api/v2", "Zitadel", "keyPairs"];

/// Words in camel case that belong to standards, or to the domain itself.
const KNOWN: [(&str, &str); 10] = [
    ("basicConstraints", "RFC 5280 section 4.2.1.9"),
    ("camelCase", "how documents in the store are written"),
    ("keyUsage", "RFC 5280 section 4.2.1.3"),
    ("notAfter", "RFC 5280 section 4.1.2.5"),
    ("notBefore", "RFC 5280 section 4.1.2.5"),
    ("pathLenConstraint", "RFC 5280 section 4.2.1.9"),
    ("sslClient", "a kind of ring"),
    ("sslServer", "a kind of ring"),
    ("subjectAltName", "RFC 5280 section 4.2.1.6"),
    ("withRSAandMGF1", "a name of JCA"),
];

#[test]
fn rooms_below_the_dialects_have_no_wire_path_and_no_product_in_a_literal() {
    let wrong: Vec<String> = below_the_dialects()
        .into_iter()
        .flat_map(|file| {
            let source = fs::read_to_string(&file).unwrap();
            let found: Vec<String> = code(&source).iter().filter_map(|literal| fault(literal)).collect();
            found.into_iter().map(move |word| format!("{}: {word}", file.display()))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A violation with a path is made where requests are read and answers are written.
#[test]
fn rooms_below_the_dialects_refuse_inputs_without_a_path() {
    let makes_path = |file: &PathBuf| {
        let source = fs::read_to_string(file).unwrap();
        ["Violation::at(", " Violation {", "vec![Violation"].iter().any(|sign| source.contains(sign))
    };
    let error = |file: &PathBuf| file.ends_with("strongroom-domain/src/error.rs");
    let wrong: Vec<PathBuf> =
        below_the_dialects().into_iter().filter(|file| makes_path(file) && !error(file)).collect();
    assert_eq!(wrong, Vec::<PathBuf>::new());
}

#[test]
fn wire_paths_and_products_are_found_in_literals() {
    let faults = |source: &str| code(source).iter().filter_map(|literal| fault(literal)).collect::<Vec<_>>();
    assert_eq!(faults(r#"at("runtimeServerCertRef.id")"#), ["runtimeServerCertRef"]);
    assert_eq!(faults(r#"format!("{path}[{n}].rsaAlgType")"#), ["rsaAlgType"]);
    assert_eq!(faults(r#"let text = "as Auth0 wants it";"#), ["Auth0"]);
    assert_eq!(faults(r#"const PAIRS: &str = "/pf-admin-api/v1/x";"#), ["pf-admin-api"]);
    assert_eq!(
        faults(
            r#"// "fileData"
let usage = "(keyUsage)";"#
        ),
        Vec::<String>::new()
    );
    assert_eq!(faults("fn a() {}\n#[cfg(test)]\nmod tests { const A: &str = \"fileData\"; }"), Vec::<String>::new());
}

/// The literals of the code of a file, without those of its tests at the end.
fn code(source: &str) -> Vec<&str> {
    literals_of(source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default())
}

/// A word of a literal that belongs to an API.
fn fault(literal: &str) -> Option<String> {
    if let Some(product) = PRODUCTS.iter().find(|product| literal.contains(*product)) {
        return Some((*product).to_owned());
    }
    let mut words = literal.split(|sign: char| !sign.is_ascii_alphanumeric());
    let is_known = |word: &str| KNOWN.iter().any(|(known, _)| *known == word);
    words.find(|word| is_camel_case(word) && !is_known(word)).map(str::to_owned)
}

fn is_camel_case(word: &str) -> bool {
    let humps = word.as_bytes().windows(2).any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase());
    humps && word.starts_with(|first: char| first.is_ascii_lowercase())
}

fn below_the_dialects() -> Vec<PathBuf> {
    let is_test =
        |file: &PathBuf| is_test(file) || file.ends_with("tests.rs") || file.iter().any(|part| part == "fuzz");
    let speaks = |file: &PathBuf| {
        let room = module_of(file).first().cloned();
        room.is_none_or(|room| SPEAKERS.contains(&room.as_str()))
    };
    let rooms = sources("src").into_iter().filter(|file| !speaks(file));
    let crates = sources("crates").into_iter().filter(|file| file.iter().any(|part| part == "src"));
    let files: Vec<PathBuf> = rooms.chain(crates).filter(|file| !is_test(file)).collect();
    assert!(files.len() > 100, "{} files", files.len());
    files
}
