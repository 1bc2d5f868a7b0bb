//! The PIN's file, corrected while the daemon runs.

use std::time::Duration;

use crate::harness::{Configuration, Faults, Launch, Scratch, Token, eventually, key_pair};

#[test]
fn a_pin_that_is_corrected_in_its_file_is_taken_up_within_seconds() {
    let dir = Scratch::new();
    let (token, faults) = (Token::fresh(&dir), Faults::new(&dir));
    let configuration = Configuration::new(&dir, &token).with_faults(&faults);
    configuration.set_pin("not-the-pin");
    let mut daemon = Launch::serve(&configuration).start();
    eventually("the refusal", Duration::from_secs(20), || daemon.get("/readyz").text().contains("PIN").then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(faults.calls("C_Login"), 1);

    configuration.set_pin("nor-this-one");
    eventually("the second refusal", Duration::from_secs(5), || (faults.calls("C_Login") == 2).then_some(()));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(faults.calls("C_Login"), 2, "each PIN is tried once");

    configuration.set_pin(&token.pin);
    eventually("readiness", Duration::from_secs(4), || (daemon.get("/readyz").status.as_u16() == 200).then_some(()));
    daemon.await_ready();
    eventually("a key pair", Duration::from_secs(5), || {
        (daemon.generate(&key_pair("EC", None)).status.as_u16() == 201).then_some(())
    });
}

#[test]
fn a_pin_file_that_is_absent_is_waited_for() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token);
    std::fs::remove_file(dir.join("pin-file")).unwrap();
    let daemon = Launch::serve(&configuration).start();
    eventually("the complaint", Duration::from_secs(20), || {
        daemon.get("/readyz").text().contains("pin-file").then_some(())
    });
    configuration.set_pin(&token.pin);
    eventually("readiness", Duration::from_secs(4), || (daemon.get("/readyz").status.as_u16() == 200).then_some(()));
}
