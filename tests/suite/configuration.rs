//! Configuration files: every example in `deploy/` is one.

use std::fs;
use std::path::{Path, PathBuf};

use strongroom::config::Config;

use crate::harness::{Configuration, Launch, Scratch, Token};

#[test]
fn every_example_in_deploy_parses() {
    let examples = examples();
    assert!(examples.len() >= 5, "{examples:?}");
    for example in examples {
        let text = fs::read_to_string(&example).unwrap();
        Config::parse(&text).unwrap_or_else(|findings| panic!("{}:\n{findings}", example.display()));
    }
}

#[test]
fn no_example_keeps_a_pin_or_a_secret() {
    for example in examples() {
        let text = fs::read_to_string(&example).unwrap();
        let values = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        for line in values {
            assert!(!line.trim_start().starts_with("pin ="), "{}: {line}", example.display());
        }
    }
}

#[test]
fn all_findings_are_reported_at_once_and_nothing_is_started() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let file = Configuration::new(&dir, &token).with("[limits]\nspeed = 9\n[surprise]\nx = 1").write();
    let text = fs::read_to_string(&file).unwrap().replace("version = 1", "version = 7");
    fs::write(&file, text).unwrap();
    for command in ["serve", "check", "reconcile"] {
        let output = Launch::command([command.as_ref(), "--config".as_ref(), file.as_os_str()]).run();
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        for word in ["speed", "surprise", "version"] {
            assert!(said.contains(word), "{command}: `{word}` in {said}");
        }
    }
    assert!(!dir.join("serve.db").exists(), "nothing was started");
}

#[test]
fn plain_http_beyond_loopback_needs_the_word_of_an_operator() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let file = Configuration::new(&dir, &token).write();
    let text = fs::read_to_string(&file).unwrap();
    let open = text.replace("address = \"127.0.0.1:0\"", "address = \"0.0.0.0:0\"");
    assert!(Config::parse(&open).is_err());
    let behind = open.replace("[listener]", "[listener]\nplaintext = \"behind-tls-proxy\"");
    assert!(Config::parse(&behind).is_ok());
}

fn examples() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy");
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> = files.filter(|file| file.extension().is_some_and(|e| e == "toml")).collect();
    found.sort();
    found
}
