//! Algorithms are told apart by the columns of their table, and nowhere by name.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{is_test, read, sources};

/// The file that alone knows one algorithm from another.
const TABLE: &str = "crates/strongroom-domain/src/key/algorithm/table.rs";

/// Files that name an algorithm all the same, and why.
const EXCEPTIONS: [(&str, &str); 9] = [
    ("crates/strongroom-domain/src/oidc.rs", "the key types of OAuth settings, which products close"),
    ("crates/strongroom-token/examples/sign.rs", "an example makes one key"),
    ("src/cli/dev.rs", "the default stock of `dev`"),
    ("src/config/auth0.rs", "the default size of RSA keys"),
    ("src/dialects/pingfederate/oidc_names.rs", "the product's key types, which its settings close"),
    ("src/dialects/pingfederate/violation.rs", "the product's key types, which its settings close"),
    ("src/dialects/zitadel/bootstrap.rs", "the product's first keys"),
    ("src/dialects/zitadel/wire.rs", "the product's enumerations, which its protocol closes"),
    ("src/provider/double.rs", "a provider of tests"),
];

/// Names of curves outside of the table, by which algorithms could be told apart as well.
const CURVES: [&str; 4] = ["SECP_256_R_1", "SECP_384_R_1", "SECP_521_R_1", "ID_ED_25519"];

#[test]
fn no_file_but_the_table_knows_one_algorithm_from_another() {
    let names = names();
    let excepted: BTreeSet<&str> = EXCEPTIONS.iter().map(|(file, _)| *file).collect();
    let knowing: BTreeSet<String> = ["src", "crates"]
        .into_iter()
        .flat_map(sources)
        .filter(|file| is_product(file) && !named(&fs::read_to_string(file).unwrap(), &names).is_empty())
        .map(|file| relative(&file))
        .filter(|file| file != TABLE)
        .collect();
    let wrong: Vec<&String> = knowing.iter().filter(|file| !excepted.contains(file.as_str())).collect();
    assert!(wrong.is_empty(), "these files name an algorithm: take a column of the table instead: {wrong:?}");
    let idle: Vec<&&str> = excepted.iter().filter(|file| !knowing.contains(**file)).collect();
    assert!(idle.is_empty(), "these exceptions are over: {idle:?}");
}

#[test]
fn names_of_algorithms_are_found_in_code_and_not_in_its_tests() {
    let names = names();
    for name in ["P384", "RSA_2048", "ED25519", "ECDSA_SHA512", "SECP_384_R_1"] {
        assert!(names.contains(name), "{name} in {names:?}");
    }
    let in_code = |source: &str| !named(source, &names).is_empty();
    assert!(in_code("match key { other if other == KeyAlgorithm::P384 => 1, _ => 0 }"));
    assert!(in_code("if algorithm == SignatureAlgorithm::ECDSA_SHA512 {}"));
    assert!(!in_code("// KeyAlgorithm::P384\nlet hash = curve.hash;"));
    assert!(!in_code("fn a() {}\n#[cfg(test)]\nmod tests { const A: KeyAlgorithm = KeyAlgorithm::P384; }"));
    assert!(!in_code("ECDSA_P384_SHA512"), "another word");
}

/// What the table calls its rows, and the names of their curves.
fn names() -> BTreeSet<String> {
    let table = read(TABLE);
    let constants = table.lines().filter_map(|line| line.trim().strip_prefix("pub const ")?.split_once(": Self"));
    let names: BTreeSet<String> = constants.map(|(name, _)| name).chain(CURVES).map(str::to_owned).collect();
    assert!(names.len() > 16, "{names:?}");
    names
}

/// The names that stand in the code of a file, without its comments and its tests at the end.
fn named(source: &str, names: &BTreeSet<String>) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let words = lines.flat_map(|line| line.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_'));
    words.filter(|word| names.contains(*word)).map(str::to_owned).collect()
}

fn is_product(file: &Path) -> bool {
    !is_test(file) && file.file_name().is_some_and(|name| name != "tests.rs")
}

fn relative(file: &Path) -> String {
    file.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().display().to_string()
}
