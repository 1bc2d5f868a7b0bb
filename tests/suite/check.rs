//! `daemon check`: what it says of stores and LOCAL keys, and that it changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Configuration, Launch, SIGNING, Scratch, Token, key_pair, tamper, values};
use crate::hybrid::SEALED_BY_TOKEN;

/// Whether a check finds nothing, and what it prints.
fn check(configuration: &Configuration) -> (bool, String) {
    command(configuration, "check", None)
}

/// Whether `daemon local rotate-master` succeeds, and what it prints.
fn rotate(configuration: &Configuration) -> (bool, String) {
    command(configuration, "local", Some("rotate-master"))
}

fn command(configuration: &Configuration, first: &str, second: Option<&str>) -> (bool, String) {
    let file = configuration.write();
    let mut launch = Launch::command(Some(first).into_iter().chain(second));
    launch = launch.arg("--config").arg(file);
    let output = launch.run();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout) + &text(&output.stderr))
}

fn local(id: &str) -> Value {
    let mut request = key_pair("EC", None);
    request["cryptoProvider"] = "LOCAL".into();
    request["id"] = id.into();
    request
}

/// Makes key pairs and stops.
fn with_keys(configuration: &Configuration, requests: &[Value]) {
    let mut daemon = Launch::serve(configuration).start();
    daemon.await_ready();
    for request in requests {
        daemon.generate(request).expect(201);
    }
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
}

/// Every file under a directory with what it holds, the state of instances left out.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("state") {
            found.extend(contents(&path));
        } else if path.is_file() {
            found.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    found
}

#[test]
fn check_of_a_fresh_store_makes_nothing() {
    for sealed_by_token in [false, true] {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let configuration = if sealed_by_token {
            Configuration::new(&dir, &token).with(SEALED_BY_TOKEN)
        } else {
            Configuration::local(&dir)
        };
        configuration.write();
        let objects = token.tool(&["--list-objects"]);
        let before: Vec<PathBuf> = contents(&dir).into_keys().collect();
        let (succeeded, said) = check(&configuration);
        assert!(succeeded && said.contains("is not there yet; the first start makes it"), "{said}");
        assert!(said.contains("losing that key loses every LOCAL key"), "{said}");
        assert_eq!(contents(&dir).into_keys().collect::<Vec<_>>(), before);
        assert_eq!(token.tool(&["--list-objects"]), objects);
    }
}

#[test]
fn check_of_a_store_leaves_every_byte_as_it_was_and_makes_no_master_key() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    with_keys(&Configuration::new(&dir, &token), &[key_pair("EC", None)]);
    // LOCAL keys come into the configuration.
    let configuration = Configuration::new(&dir, &token).with(SEALED_BY_TOKEN);
    let database = || fs::read(configuration.database()).unwrap();
    let (before, objects) = (database(), token.tool(&["--list-objects"]));
    let (succeeded, said) = check(&configuration);
    assert!(succeeded && said.contains("master keys    none yet"), "{said}");
    assert!(database() == before, "the store was written");
    assert_eq!(token.tool(&["--list-objects"]), objects);

    with_keys(&configuration, &[local("a"), local("b")]);
    let before = database();
    let (succeeded, said) = check(&configuration);
    assert!(succeeded && said.contains("master keys    1; LOCAL keys that open: 2"), "{said}");
    assert!(database() == before, "the store was written");
}

#[test]
fn check_looks_at_a_store_beside_a_running_daemon() {
    let dir = Scratch::new();
    let configuration = Configuration::local(&dir);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    daemon.generate(&local("a")).expect(201);
    let (succeeded, said) = check(&configuration);
    assert!(succeeded && said.contains("LOCAL keys that open: 1"), "{said}");
    daemon.generate(&local("b")).expect(201);
}

#[test]
fn check_names_each_local_key_that_does_not_open() {
    let dir = Scratch::new();
    let configuration = Configuration::local(&dir);
    with_keys(&configuration, &[local("a"), local("b"), local("c")]);
    let database = configuration.database();
    tamper(
        &database,
        "UPDATE key_pairs SET sealed = CAST(substr(sealed, 1, 40) || CASE hex(substr(sealed, 41, 1)) WHEN '00'
             THEN x'01' ELSE x'00' END || substr(sealed, 42) AS BLOB)
         WHERE ring = 'signing:b'",
    );
    let named = |said: &str, ring: &'static str| {
        let id = values(&database, "SELECT ring || ' ' || id FROM key_pairs");
        let id = id.iter().find_map(|row| row.strip_prefix(ring)).unwrap().trim().to_owned();
        said.contains(&format!("the LOCAL key {id} of {ring} does not open"))
    };
    let (succeeded, said) = check(&configuration);
    assert!(!succeeded && said.contains("LOCAL keys that open: 2") && said.contains("findings: 1"), "{said}");
    assert!(named(&said, "signing:b") && !named(&said, "signing:a"), "{said}");

    // Another key file, not the one that seals.
    fs::remove_file(dir.join("master.key")).unwrap();
    let configuration = Configuration::local(&dir);
    let (succeeded, said) = check(&configuration);
    assert!(!succeeded && said.contains("lost unless it opens again: 3"), "{said}");
    assert!(["signing:a", "signing:b", "signing:c"].into_iter().all(|ring| named(&said, ring)), "{said}");
    let audited = values(&database, "SELECT action FROM audit_events WHERE action = 'key.seal-broken'");
    assert!(audited.is_empty(), "a check writes nothing");
}

#[test]
fn check_says_what_the_loss_of_the_tokens_sealing_key_means() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token).with(SEALED_BY_TOKEN);
    with_keys(&configuration, &[local("a"), local("b")]);
    let listed = token.tool(&["--list-objects"]);
    let label = listed.lines().find_map(|line| line.trim().strip_prefix("label:")).unwrap().trim().to_owned();
    assert!(label.starts_with("sr-seal:"), "{listed}");
    token.tool(&["--delete-object", "--type", "secrkey", "--label", &label]);
    let (succeeded, said) = check(&configuration);
    assert!(!succeeded && said.contains(&format!("does not have the key {label}")), "{said}");
    assert!(said.contains("restore the token's backup; LOCAL keys that are lost unless it opens again: 2"), "{said}");
    assert!(said.contains("of signing:a does not open") && said.contains("of signing:b does not open"), "{said}");
}

#[test]
fn keys_of_a_provider_that_is_not_configured_are_told_at_start_and_by_check() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let both = Configuration::new(&dir, &token).with(SEALED_BY_TOKEN);
    with_keys(&both, &[local("a"), local("b"), key_pair("EC", None)]);
    let cases = [
        (Configuration::new(&dir, &token), "provider LOCAL in the store: 2", "[local]"),
        (Configuration::local(&dir), "provider HSM in the store: 1", "[token]"),
    ];
    for (configuration, sentence, section) in cases {
        let daemon = Launch::serve(&configuration).start();
        daemon.get(SIGNING).expect(200);
        let log = daemon.log();
        let warnings: Vec<&str> = log.lines().filter(|line| line.contains("in the store:")).collect();
        let [warning] = warnings.as_slice() else { panic!("one warning, found {warnings:?}") };
        assert!(warning.contains(sentence) && warning.contains(section) && warning.contains("WARN"), "{warning}");
        assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
        let (succeeded, said) = check(&configuration);
        assert!(!succeeded && said.contains(sentence), "{said}");
    }
    let daemon = Launch::serve(&both).start();
    daemon.get(SIGNING).expect(200);
    assert!(!daemon.log().contains("in the store:"));
}

#[test]
fn rotation_goes_on_without_a_former_master_key_that_seals_nothing() {
    let dir = Scratch::new();
    let configuration = Configuration::local(&dir);
    with_keys(&configuration, &[local("a")]);
    let (succeeded, said) = rotate(&configuration);
    assert!(succeeded && said.contains("1 keys were sealed anew"), "{said}");
    tamper(
        &configuration.database(),
        "DROP TRIGGER master_keys_do_not_change;
         UPDATE master_keys SET sealed = CAST(substr(sealed, 1, 20) || x'0000' || substr(sealed, 23) AS BLOB)
         WHERE version = 1",
    );
    let (succeeded, said) = rotate(&configuration);
    assert!(succeeded && said.contains("left alone: "), "{said}");
    assert!(said.contains("master key 1 does not open") && said.contains("no key is sealed under it"), "{said}");
    assert!(said.contains("master key 3 seals new keys; 1 keys were sealed anew"), "{said}");

    let (succeeded, said) = check(&configuration);
    assert!(succeeded && said.contains("master key 1 does not open") && said.contains("that open: 1"), "{said}");

    tamper(
        &configuration.database(),
        "UPDATE master_keys SET sealed = CAST(substr(sealed, 1, 20) || x'0000' || substr(sealed, 23) AS BLOB)
         WHERE version = 3",
    );
    let (succeeded, said) = rotate(&configuration);
    assert!(!succeeded && said.contains("master key 3 does not open"), "{said}");
    assert_eq!(values(&configuration.database(), "SELECT CAST(version AS TEXT) FROM master_keys").len(), 3);
}
