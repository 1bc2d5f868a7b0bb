//! `strongroom backup` and `strongroom restore`, beside a running daemon and against damage.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Configuration, Daemon, Launch, Scratch, key_pair, values};

const EVERY_KEY: &str = "SELECT state || ' ' || id || ' ' || hex(spki) FROM key_pairs ORDER BY id";

fn command(name: &str, configuration: &Configuration, file: &Path, more: &[&str]) -> (bool, String) {
    let launch = Launch::command([name]).arg("--config").arg(configuration.write()).arg(file);
    let Output { status, stdout, stderr } = more.iter().fold(launch, Launch::arg).run();
    (status.success(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

fn made(daemon: &Daemon, id: &str) {
    let mut request = key_pair("EC", Some(256));
    request["id"] = id.into();
    daemon.generate(&request).expect(201);
}

fn signs(daemon: &Daemon, id: &str) -> u16 {
    let body = json!({"algorithm": "ES256", "message": STANDARD.encode("evidence")});
    daemon.call(Method::POST, &format!("/v1/key-rings/signing:{id}/sign")).json(&body).send().status.as_u16()
}

fn manifest_of(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}.manifest.json", file.display()))
}

fn mode(file: &Path) -> u32 {
    fs::metadata(file).unwrap().permissions().mode() & 0o777
}

#[test]
fn backup_is_made_while_signatures_go_on_and_its_restore_signs_with_every_key() {
    let dir = Scratch::new();
    let configuration = Configuration::hybrid(&dir);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    for id in ["a", "b"] {
        made(&daemon, id);
    }

    let file = dir.join("backup.db");
    thread::scope(|scope| {
        let signer = scope.spawn(|| (0..200).all(|_| signs(&daemon, "a") == 200));
        let (copied, said) = command("backup", &configuration, &file, &[]);
        assert!(copied && said.contains("2 key pairs, 2 rings"), "{said}");
        assert!(said.contains("a restore also needs:"), "{said}");
        assert!(signer.join().unwrap());
    });
    assert_eq!((mode(&file), mode(&manifest_of(&file))), (0o600, 0o600));
    let manifest: Value = serde_json::from_slice(&fs::read(manifest_of(&file)).unwrap()).unwrap();
    assert_eq!(manifest["rows"]["key_pairs"], 2, "{manifest}");
    let kept = values(&file, EVERY_KEY);

    made(&daemon, "later");
    let (over, said) = command("backup", &configuration, &file, &[]);
    assert!(!over && said.contains("exists; name a new file"), "{said}");
    let (beside, said) = command("restore", &configuration, &file, &["--replace"]);
    assert!(!beside && said.contains("another strongroom is running"), "{said}");
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));

    let (unasked, said) = command("restore", &configuration, &file, &[]);
    assert!(!unasked && said.contains("`--replace` keeps it under another name"), "{said}");
    let (restored, said) = command("restore", &configuration, &file, &["--replace"]);
    assert!(restored && said.contains("2 key pairs") && said.contains("the former store is now"), "{said}");
    assert_eq!((values(&configuration.database(), EVERY_KEY), mode(&configuration.database())), (kept, 0o600));
    let aside = fs::read_dir(&*dir).unwrap().map(|entry| entry.unwrap().path());
    let aside: Vec<PathBuf> = aside.filter(|path| path.display().to_string().contains(".replaced-")).collect();
    assert_eq!(values(&aside[0], EVERY_KEY).len(), 3, "the former store is whole");
    assert_eq!(mode(&aside[0]), 0o600);

    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    assert_eq!(["a", "b", "later"].map(|id| signs(&daemon, id)), [200, 200, 404]);
}

#[test]
fn store_of_a_daemon_that_was_killed_is_put_aside_with_its_last_changes() {
    let dir = Scratch::new();
    let configuration = Configuration::usual(&dir);
    let file = dir.join("backup.db");
    let start = || {
        let mut daemon = Launch::serve(&configuration).start();
        daemon.await_ready();
        daemon
    };
    drop(start());
    // Left by a backup that was cut off.
    fs::write(dir.join("backup.db.part"), b"half").unwrap();
    let (copied, said) = command("backup", &configuration, &file, &[]);
    assert!(copied && said.contains("0 key pairs"), "{said}");
    let daemon = start();
    made(&daemon, "last");
    daemon.kill();

    let (restored, said) = command("restore", &configuration, &file, &["--replace"]);
    assert!(restored, "{said}");
    let aside = said.lines().find_map(|line| line.strip_prefix("the former store is now ")).unwrap();
    assert_eq!(values(Path::new(aside), EVERY_KEY).len(), 1, "the last change is kept");
    assert_eq!(values(&configuration.database(), EVERY_KEY), Vec::<String>::new());
}

#[test]
fn restore_refuses_a_damaged_backup_and_changes_nothing() {
    let dir = Scratch::new();
    let configuration = Configuration::usual(&dir);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    made(&daemon, "a");
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
    let file = dir.join("backup.db");
    assert!(command("backup", &configuration, &file, &[]).0);

    let store = || fs::read(configuration.database()).unwrap();
    let (before, whole) = (store(), fs::read(&file).unwrap());
    let manifest = fs::read_to_string(manifest_of(&file)).unwrap();
    let refuses = |why: &str| {
        let (restored, said) = command("restore", &configuration, &file, &["--replace"]);
        assert!(!restored && said.contains(why) && !said.contains("panicked"), "{why}: {said}");
        assert!(store() == before, "{why}: the store was changed");
    };
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    for damaged in [flipped, whole[..whole.len() - 1].to_vec(), Vec::new(), b"not a store".to_vec()] {
        fs::write(&file, damaged).unwrap();
        refuses("is not the one of its manifest");
    }
    fs::write(&file, &whole).unwrap();
    fs::write(manifest_of(&file), manifest.replace("\"key_pairs\": 1", "\"key_pairs\": 2")).unwrap();
    refuses("does not hold what its manifest says");
    fs::write(manifest_of(&file), manifest.replace("\"format\": 1", "\"format\": 2")).unwrap();
    refuses("has format 2; this strongroom reads 1");
    fs::write(manifest_of(&file), &manifest[..manifest.len() / 2]).unwrap();
    refuses("is no manifest");
    fs::remove_file(manifest_of(&file)).unwrap();
    refuses("cannot read the manifest");
    fs::write(manifest_of(&file), &manifest).unwrap();
    assert!(command("restore", &configuration, &file, &["--replace"]).0, "the whole one is restored");
}

#[test]
fn backup_of_what_is_no_store_leaves_no_file() {
    let dir = Scratch::new();
    let configuration = Configuration::local(&dir);
    let file = dir.join("backup.db");
    let refuses = |why: &str| {
        let (copied, said) = command("backup", &configuration, &file, &[]);
        assert!(!copied && said.contains(why) && !said.contains("panicked"), "{why}: {said}");
        assert!(!file.exists() && !manifest_of(&file).exists(), "{why}");
    };
    refuses("there is no store");
    fs::write(configuration.database(), b"not a store").unwrap();
    refuses("cannot be copied");
    fs::remove_file(configuration.database()).unwrap();
    fs::write(configuration.database(), b"").unwrap();
    refuses("is no store");
}
