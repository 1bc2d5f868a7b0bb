//! Who may do what, and what odd clients send, word by word.

use super::files::pair;
use crate::harness::{Configuration, Launch, Scratch, Token, golden, golden_with};
use crate::hybrid::SEALED_BY_TOKEN;

#[test]
fn auditor_reads_everything_and_changes_nothing_word_by_word() {
    let dir = Scratch::new();
    let configuration = Configuration::new(&dir, &Token::fresh(&dir)).with(SEALED_BY_TOKEN);
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
