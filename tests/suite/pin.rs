//! PINs and tokens: refused once and never tried again, absent and waited for, told apart.

use std::time::Duration;

use rustix::process::Signal;

use crate::harness::{Configuration, Faults, Launch, Scratch, Token, eventually, key_pair, rows, run};

#[test]
fn a_refused_pin_is_tried_once_in_all_over_restarts_too() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let configuration = Configuration::new(&dir, &token).with_faults(&faults).with("[hosts]\nsigning-hosts = 2");
    configuration.set_pin("not-the-pin");
    for life in 1..=3 {
        let mut daemon = Launch::serve(&configuration).start();
        let answer = daemon.await_status("/readyz", 503);
        eventually("a log line about the PIN", Duration::from_secs(30), || daemon.log().contains("PIN").then_some(()));
        // Time enough for a restart loop to show itself.
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(faults.calls("C_Login"), 1, "in life {life}");
        assert!(!daemon.log().contains("not-the-pin"), "the PIN is in the log");
        assert!(!answer.text().is_empty());
        let ailment = daemon.get("/readyz").text();
        assert!(ailment.contains("PIN"), "what is wrong, in words: {ailment}");
        daemon.generate(&key_pair("EC", None)).expect(503);
        assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
    }
    assert_eq!(rows(&configuration.database()), []);

    configuration.set_pin(&token.pin);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    daemon.generate(&key_pair("EC", None)).expect(201);
}

#[test]
fn daemons_on_one_store_spend_one_attempt_on_a_wrong_pin() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let daemon = |name: &str| Configuration::new(&dir, &token).with_faults(&faults).named(name);
    let instances = ["one", "two", "three"];
    for life in 1..=3 {
        let configurations = instances.map(daemon);
        configurations[0].set_pin("not-the-pin");
        // Each life begins without a state directory.
        for name in instances {
            let _ = std::fs::remove_dir_all(dir.join(format!("state-{name}")));
        }
        let daemons = configurations.each_ref().map(|configuration| Launch::serve(configuration).start());
        for daemon in &daemons {
            let told = || daemon.get("/readyz").text().contains("PIN").then_some(());
            eventually("a word about the PIN", Duration::from_secs(60), told);
        }
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(faults.calls("C_Login"), 1, "in life {life}");
        for daemon in daemons {
            assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));
        }
    }

    let configurations = instances.map(daemon);
    let mut daemons = configurations.each_ref().map(|configuration| Launch::serve(configuration).start());
    for daemon in &mut daemons {
        daemon.await_ready();
    }
    daemons[2].generate(&key_pair("EC", None)).expect(201);
}

#[test]
fn refusal_that_the_state_directory_remembers_is_moved_to_the_store() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let configuration = Configuration::new(&dir, &token).with_faults(&faults);
    configuration.set_pin("not-the-pin");
    // A command that writes to no store leaves the record that every version before left.
    let (code, said) = check(&configuration);
    assert_eq!((code, faults.calls("C_Login")), (Some(1), 1), "{said}");
    let record = dir.join("state-default/refused-pin");
    assert!(record.exists());
    let daemon = Launch::serve(&configuration).start();
    let told = || daemon.get("/readyz").text().contains("refused before").then_some(());
    eventually("a word about the PIN", Duration::from_secs(60), told);
    assert!(!record.exists());
    assert_eq!(faults.calls("C_Login"), 1, "it is not tried again");
    assert_eq!(check(&configuration).0, Some(1));
    assert_eq!(faults.calls("C_Login"), 1, "nor by the command, which reads the store");
    assert_eq!(daemon.stop(Signal::TERM).code(), Some(0));

    let file = configuration.write();
    let output = Launch::command(["token".as_ref(), "retry".as_ref(), "--config".as_ref(), file.as_os_str()]).run();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(check(&configuration).0, Some(1));
    assert_eq!(faults.calls("C_Login"), 2, "an operator has it tried again");
}

#[test]
fn each_host_logs_in_once() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let configuration = Configuration::new(&dir, &token).with_faults(&faults).with("[hosts]\nsigning-hosts = 2");
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    for _ in 0..5 {
        daemon.generate(&key_pair("EC", None)).expect(201);
    }
    let all_in = || (daemon.hosts().len() == 3 && faults.calls("C_Login") >= 3).then_some(());
    eventually("two hosts that sign and one that generates", Duration::from_secs(30), all_in);
    for _ in 0..5 {
        daemon.generate(&key_pair("EC", None)).expect(201);
    }
    assert_eq!(faults.calls("C_Login"), 3);
    assert_eq!(faults.calls("C_Finalize"), 0, "never under running calls");
}

#[test]
fn single_host_serves_a_token_that_allows_one_client() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token).with("[hosts]\nshared-host = true");
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    daemon.generate(&key_pair("EC", None)).expect(201);
    assert_eq!(daemon.hosts().len(), 1);
}

#[test]
fn a_token_that_is_absent_at_start_is_waited_for() {
    let dir = Scratch::new();
    let token = Token::absent(&dir);
    let configuration = Configuration::new(&dir, &token);
    let mut daemon = Launch::serve(&configuration).start();
    daemon.get("/livez").expect(200);
    let ailment = daemon.await_status("/readyz", 503).text();
    assert!(ailment.contains("token"), "what is wrong, in words: {ailment}");
    let answer = daemon.generate(&key_pair("EC", None)).expect(503);
    assert!(answer.header("retry-after").parse::<u64>().is_ok(), "{:?}", answer.headers);
    assert_eq!(answer.json()["resultId"], "crypto_provider_unavailable");
    assert_eq!(rows(&configuration.database()), [], "nothing was changed");

    token.appear();
    daemon.await_ready();
    daemon.generate(&key_pair("EC", None)).expect(201);
}

#[test]
fn two_tokens_that_match_are_listed_and_none_is_taken() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    token.appear();
    let serials = serials(&token);
    assert_eq!(serials.len(), 2);
    let configuration = Configuration::new(&dir, &token);
    let (code, said) = check(&configuration);
    assert_eq!(code, Some(1), "{said}");
    for serial in &serials {
        assert!(said.contains(serial), "{serial} in: {said}");
    }
    let daemon = Launch::serve(&configuration).start();
    daemon.generate(&key_pair("EC", None)).expect(503);
    daemon.kill();

    let selectors =
        [format!("serial = \"{}\"", serials[1]), format!("uri = \"pkcs11:token=strongroom;serial={}\"", serials[0])];
    for selector in selectors {
        let (code, said) = check(&Configuration::new(&dir, &token).selected_by(&selector));
        assert_eq!(code, Some(0), "{selector}: {said}");
    }
}

#[test]
fn check_says_what_the_token_can_do_and_finds_nothing_wrong() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let (code, said) = check(&Configuration::new(&dir, &token));
    assert_eq!(code, Some(0), "{said}");
    for word in ["strongroom", "RSA", "P-256", "Ed25519", "SHA256withRSAandMGF1", "SHA512withECDSA"] {
        assert!(said.to_lowercase().contains(&word.to_lowercase()), "{word} in: {said}");
    }
    assert!(said.contains(&serials(&token)[0]), "{said}");
    assert!(!said.contains(&token.pin), "the PIN is in the output");
}

#[test]
fn check_finds_a_wrong_pin_and_a_missing_token() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token);
    configuration.set_pin("not-the-pin");
    let (code, said) = check(&configuration);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("PIN"), "{said}");

    let (code, said) = check(&Configuration::new(&dir, &token).selected_by("label = \"elsewhere\""));
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no such token"), "{said}");
}

fn check(configuration: &Configuration) -> (Option<i32>, String) {
    let file = configuration.write();
    let output = Launch::command(["check".as_ref(), "--config".as_ref(), file.as_os_str()]).run();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

/// The serial numbers of the tokens of a configuration, as SoftHSM's own tool shows them.
fn serials(token: &Token) -> Vec<String> {
    let mut command = std::process::Command::new("softhsm2-util");
    let output = run(command.env("SOFTHSM2_CONF", &token.conf).arg("--show-slots"), b"");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("Serial number:"));
    lines.map(|serial| serial.trim().to_owned()).filter(|serial| !serial.is_empty()).collect()
}
