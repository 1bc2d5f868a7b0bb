#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::fs;
use std::path::Path;

/// Gives every seed of a target to the target's body.
fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(target);
    let seeds: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(!seeds.is_empty(), "{}", folder.display());
    for seed in seeds {
        eprintln!("{}", seed.display());
        body(&fs::read(seed).unwrap());
    }
}

#[test]
fn seeds_of_key_files_hold() {
    replay("key_files", super::key_files);
}

#[test]
fn seeds_of_pem_and_ber_hold() {
    replay("pem", super::pem);
    replay("ber", super::ber);
}

#[test]
fn seeds_of_certificates_hold() {
    replay("certificates", super::certificates);
    replay("csr_responses", super::csr_responses);
}

#[test]
fn seeds_of_names_hold() {
    replay("names", super::names);
}
