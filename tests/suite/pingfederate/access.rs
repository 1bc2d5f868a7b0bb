//! Who may do what, and what odd clients send, word by word.

use super::files::pair;
use crate::harness::{Configuration, Launch, Scratch, golden, golden_with};

#[test]
fn auditor_reads_everything_and_changes_nothing_word_by_word() {
    let dir = Scratch::new();
    let configuration = Configuration::hybrid(&dir);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    pair(&dir);
    golden_with(&dir, &daemon, "pingfederate/auditor-reads");
    golden(&daemon, "pingfederate/auditor-changes-nothing");
    golden(&daemon, "pingfederate/credentials");
}

#[test]
fn odd_requests_are_accepted_word_by_word() {
    let dir = Scratch::new();
    golden(&Launch::dev(&dir).start(), "pingfederate/odd-clients");
}
