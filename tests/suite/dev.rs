//! `daemon dev`: everything from nothing, and the same again the next time.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use rustix::process::Signal;

use crate::harness::{Daemon, Launch, SIGNING, Scratch, Token, eventually, key_pair};

#[test]
fn ready_daemon_prints_one_line_on_standard_output() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    assert!(daemon.base().starts_with("http://127.0.0.1:"), "{}", daemon.base());
    daemon.generate(&key_pair("EC", None)).expect(201);
    assert_eq!(daemon.said(), format!("strongroom is ready at {}\n", daemon.base()));
}

#[test]
fn keys_are_still_there_at_the_next_start() {
    let dir = Scratch::new();
    let first = Launch::dev(&dir).start();
    let secret = first.secret().to_owned();
    let before = first.generate(&key_pair("EC", None)).expect(201).json();
    assert!(first.stop(Signal::TERM).success());
    let layout = names_in(&dir);

    let second = Launch::dev(&dir).start();
    assert_eq!(second.secret(), secret, "the credential is reused");
    let path = format!("{SIGNING}/{}", before["id"].as_str().unwrap());
    assert_eq!(second.get(&path).expect(200).json(), before);
    second.generate(&key_pair("EC", None)).expect(201);
    assert_eq!(second.get(SIGNING).expect(200).json()["items"].as_array().unwrap().len(), 2);
    assert!(second.stop(Signal::TERM).success());
    assert_eq!(names_in(&dir), layout, "the second start brings nothing new");
    assert_eq!(Token::of_dev(&dir).objects().len(), 4, "two pairs on one token");
}

#[test]
fn sigterm_and_sigint_end_the_daemon_with_success() {
    for how in [Signal::TERM, Signal::INT] {
        let dir = Scratch::new();
        let daemon = Launch::dev(&dir).start();
        let hosts = daemon.hosts();
        assert!(hosts.len() >= 2, "hosts that sign and one that generates: {hosts:?}");
        let status = daemon.stop(how);
        assert_eq!(status.code(), Some(0), "{how:?}");
        for host in hosts {
            // A host that was killed is reaped by somebody else once the daemon has ended.
            let process = format!("/proc/{host}");
            eventually("the end of a token host", Duration::from_secs(2), || {
                (!Path::new(&process).exists()).then_some(())
            });
        }
    }
}

#[test]
fn dev_touches_its_own_files_only_and_keeps_its_secrets_private() {
    let dir = Scratch::new();
    fs::write(dir.join("notes.txt"), "mine").unwrap();
    let daemon = Launch::dev(&dir).start();
    daemon.generate(&key_pair("EC", None)).expect(201);
    assert!(daemon.stop(Signal::TERM).success());
    assert_eq!(fs::read_to_string(dir.join("notes.txt")).unwrap(), "mine");

    let own = [
        "admin-token",
        "pin",
        "so-pin",
        "softhsm2.conf",
        "state",
        "strongroom.db",
        "strongroom.db.dev.lock",
        "token-label",
        "tokens",
    ];
    let known =
        |name: &String| own.contains(&name.as_str()) || name.starts_with("strongroom.db-") || name == "notes.txt";
    let strange: Vec<String> = names_in(&dir).into_iter().filter(|name| !known(name)).collect();
    assert_eq!(strange, Vec::<String>::new());
    for name in own {
        assert!(dir.join(name).exists(), "{name}");
    }
    for name in ["admin-token", "pin", "so-pin"] {
        let metadata = fs::metadata(dir.join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
    for dir in [dir.join("tokens"), dir.join("state")] {
        assert_eq!(fs::metadata(&dir).unwrap().permissions().mode() & 0o077, 0, "{}", dir.display());
    }
}

#[test]
fn the_admin_secret_works_as_bearer_token_and_as_basic_password() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let secret = daemon.secret().to_owned();
    assert!(secret.len() >= 32);
    daemon.get(SIGNING).expect(200);
    let basic = |user: &str, password: &str| {
        daemon.call(Method::GET, SIGNING).basic(user, password).header("X-XSRF-Header", "PingFederate").send()
    };
    basic("admin", &secret).expect(200);
    basic("somebody", &secret).expect(401);
    basic("admin", "wrong").expect(401);
    let without_header = daemon.call(Method::GET, SIGNING).basic("admin", &secret).send().expect(403);
    assert_eq!(without_header.json()["resultId"], "xsrf_header_required");
}

#[test]
fn a_secret_from_the_environment_is_honoured() {
    let dir = Scratch::new();
    let secret = "chosen-by-the-caller-0123456789abcdef";
    let daemon = Launch::dev(&dir).env("STRONGROOM_ADMIN_TOKEN", secret).start();
    assert_eq!(daemon.secret(), secret);
    daemon.get(SIGNING).expect(200);
    daemon.call(Method::GET, SIGNING).bearer("another-secret-0123456789-0123456789").send().expect(401);
}

#[test]
fn a_weak_secret_from_the_environment_is_refused() {
    let dir = Scratch::new();
    let output = Launch::dev(&dir).env("STRONGROOM_ADMIN_TOKEN", "too-short").run();
    assert_refused(&output, "32");
}

#[test]
fn an_admin_token_that_others_can_read_is_refused() {
    let dir = Scratch::new();
    fs::write(dir.join("admin-token"), "a-secret-that-is-long-enough-0123456789\n").unwrap();
    fs::set_permissions(dir.join("admin-token"), fs::Permissions::from_mode(0o644)).unwrap();
    let output = Launch::dev(&dir).run();
    assert_refused(&output, "admin-token");
}

#[test]
fn an_admin_token_that_is_ours_and_private_is_honoured() {
    let dir = Scratch::new();
    fs::write(dir.join("admin-token"), "a-secret-that-is-long-enough-0123456789\n").unwrap();
    fs::set_permissions(dir.join("admin-token"), fs::Permissions::from_mode(0o600)).unwrap();
    let daemon = Launch::dev(&dir).start();
    daemon.call(Method::GET, SIGNING).bearer("a-secret-that-is-long-enough-0123456789").send().expect(200);
}

#[test]
fn an_address_beyond_loopback_is_refused() {
    let dir = Scratch::new();
    let output = Launch::command([
        "dev".as_ref(),
        "--data".as_ref(),
        dir.as_os_str(),
        "--listen".as_ref(),
        "0.0.0.0:0".as_ref(),
    ])
    .run();
    assert_refused(&output, "loopback");
}

#[test]
fn a_second_start_on_a_running_directory_is_refused_and_changes_nothing() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let id = daemon.generate(&key_pair("EC", None)).expect(201).id();
    let before = names_in(&dir);
    let second = |label: &str| {
        let (data, listen) = (dir.as_os_str(), "127.0.0.1:0".as_ref());
        Launch::command(["dev".as_ref(), "--data".as_ref(), data, "--listen".as_ref(), listen])
            .arg("--token-label")
            .arg(label)
            .run()
    };
    for label in ["strongroom", "other"] {
        assert_refused(&second(label), "another strongroom is running");
    }
    assert_eq!(names_in(&dir), before);
    daemon.kill();
    assert_refused(&second("other"), "token-label");
    let daemon = Launch::dev(&dir).start();
    daemon.get(&format!("{SIGNING}/{id}")).expect(200);
}

#[test]
fn files_of_others_are_refused_and_left_as_they_are() {
    for (name, text, mode) in [
        ("pin", "12345678", 0o644),
        ("so-pin", "12345678", 0o640),
        ("softhsm2.conf", "directories.tokendir = /x\n", 0o600),
    ] {
        let dir = Scratch::new();
        fs::write(dir.join(name), text).unwrap();
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(mode)).unwrap();
        assert_refused(&Launch::dev(&dir).run(), name);
        assert_eq!(fs::read_to_string(dir.join(name)).unwrap(), text);
    }
}

#[test]
fn secrets_appear_in_no_argument_list_and_in_no_log() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    daemon.generate(&key_pair("EC", None)).expect(201);
    let secrets: Vec<String> = ["admin-token", "pin", "so-pin"]
        .map(|name| fs::read_to_string(dir.join(name)).unwrap().trim_end().to_owned())
        .into();
    let arguments: Vec<String> = processes_of(&daemon)
        .map(|pid| String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/cmdline")).unwrap()).into_owned())
        .collect();
    for secret in secrets {
        assert!(secret.len() >= 4);
        assert!(!daemon.log().contains(&secret), "a secret is in the log");
        assert!(!arguments.iter().any(|line| line.contains(&secret)), "a secret is in an argument list");
    }
}

#[test]
fn a_ring_of_the_native_api_shows_its_active_key() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let id = daemon.generate(&key_pair("EC", Some(384))).expect(201).id();
    for ring in [format!("signing:{id}"), format!("signing%3A{id}")] {
        let view = daemon.get(&format!("/v1/key-rings/{ring}")).expect(200).json();
        assert_eq!(view["id"], format!("signing:{id}"));
        assert_eq!(view["nextSteps"], serde_json::json!([]));
        let [key] = view["keys"].as_array().unwrap().as_slice() else { panic!("one key in {view}") };
        assert_eq!((key["state"].as_str(), key["algorithm"].as_str()), (Some("Active"), Some("p-384")));
        assert_eq!(key["kid"].as_str().unwrap().len(), 43, "an RFC 7638 thumbprint: {key}");
        assert_eq!(key["keyId"].as_str().unwrap().as_bytes()[14], b'7', "a UUID of version 7: {key}");
    }
    let unknown = daemon.get("/v1/key-rings/signing:nobody").expect(404);
    assert_eq!(unknown.header("content-type"), "application/problem+json");
    assert_eq!(unknown.json()["type"], "urn:strongroom:error:not-found");
}

#[test]
fn health_and_metrics_answer_without_credentials_as_far_as_they_may() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    daemon.call(Method::GET, "/livez").anonymous().send().expect(200);
    daemon.call(Method::GET, "/readyz").anonymous().send().expect(200);
    daemon.generate(&key_pair("EC", None)).expect(201);
    let metrics = daemon.get("/metrics").expect(200).text();
    assert!(metrics.contains("strongroom_"), "{metrics}");
    let docs = daemon.get("/docs/").expect(200);
    assert!(docs.header("content-type").starts_with("text/html"));
    assert!(!docs.text().contains("https://"), "the docs page works offline");
}

fn names_in(dir: &Path) -> BTreeSet<String> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    // SQLite's write-ahead log comes and goes.
    names.filter(|name| !name.starts_with("strongroom.db-")).collect()
}

fn processes_of(daemon: &Daemon) -> impl Iterator<Item = u32> {
    std::iter::once(daemon.pid()).chain(daemon.hosts())
}

#[track_caller]
fn assert_refused(output: &std::process::Output, word: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_ne!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(word), "`{word}` in what it says: {said}");
    assert!(!said.contains("backtrace") && !said.contains("panicked"), "a sentence and a remedy: {said}");
    assert!(output.stdout.is_empty(), "nothing on standard output");
}
