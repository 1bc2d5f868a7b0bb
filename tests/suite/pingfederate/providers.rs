//! Which crypto providers there are, word by word.

use std::path::Path;

use super::files::pair;
use crate::harness::{Configuration, Faults, Launch, Scratch, Token, golden_with};

/// Holds a golden file against a daemon that has its providers, and a key pair to import.
fn ready(dir: &Path, configuration: &Configuration, name: &str) {
    let mut daemon = Launch::serve(configuration).start();
    daemon.await_ready();
    pair(dir);
    golden_with(dir, &daemon, name);
}

#[test]
fn without_hybrid_mode_no_provider_is_shown_word_by_word() {
    let dir = Scratch::new();
    let configuration = Configuration::new(&dir, &Token::fresh(&dir)).with("[pingfederate]\nhybrid = false\n");
    ready(&dir, &configuration, "pingfederate/hybrid-off");
}

#[test]
fn token_alone_makes_no_local_keys_word_by_word() {
    let dir = Scratch::new();
    ready(&dir, &Configuration::new(&dir, &Token::fresh(&dir)), "pingfederate/hsm-only");
}

#[test]
fn without_a_token_nothing_is_linked_word_by_word() {
    let dir = Scratch::new();
    ready(&dir, &Configuration::local(&dir), "pingfederate/local-only");
}

#[test]
fn token_that_imports_nothing_is_a_403_word_by_word() {
    let dir = Scratch::new();
    let faults = Faults::new(&dir);
    faults.set("C_UnwrapKey rv=54\nC_CreateObject rv=54");
    let configuration = Configuration::new(&dir, &Token::fresh(&dir)).with_faults(&faults);
    ready(&dir, &configuration, "pingfederate/import-forbidden");
}

#[test]
fn token_that_was_never_there_is_a_503_word_by_word() {
    let dir = Scratch::new();
    let daemon = Launch::serve(&Configuration::new(&dir, &Token::absent(&dir))).start();
    pair(&dir);
    golden_with(&dir, &daemon, "pingfederate/unavailable");
}
