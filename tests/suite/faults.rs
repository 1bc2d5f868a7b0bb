//! Faults of the token: devices that go, calls that hang, replies that get lost.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::harness::{
    Configuration, Daemon, Faults, Launch, SIGNING, Scratch, Token, agreement_within, eventually, key_pair,
};

const PATIENCE: Duration = Duration::from_secs(40);

/// A daemon behind the fault module, ready, with one key that must survive.
struct Faulty {
    dir: Scratch,
    token: Token,
    faults: Faults,
    configuration: Configuration,
    daemon: Daemon,
}

impl Faulty {
    fn new() -> Self {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let faults = Faults::new(&dir);
        let hosts = "[hosts]\nsign-timeout = \"1s\"\ngenerate-timeout = \"2s\"\nlogin-timeout = \"10s\"";
        let configuration = Configuration::new(&dir, &token).with_faults(&faults).with(hosts);
        let mut daemon = Launch::serve(&configuration).start();
        daemon.await_ready();
        daemon.generate(&key_pair("EC", None)).expect(201);
        Self { dir, token, faults, configuration, daemon }
    }

    /// Makes a key pair fail, with nothing left behind, and the next one succeed.
    fn fails_and_recovers(&mut self, rules: &str) {
        self.faults.set(rules);
        let answer = self.daemon.generate(&key_pair("EC", None));
        assert!(answer.status.is_server_error(), "{rules}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        self.faults.clear();
        self.recovers(rules, 1);
    }

    /// Waits until the daemon is ready, token and store agree on `keys` keys, and a key pair can be made.
    fn recovers(&mut self, rules: &str, keys: usize) {
        self.daemon.await_ready();
        let after = agreement_within(PATIENCE, &self.token, &self.configuration.database());
        assert_eq!(after.keys().len(), keys, "{rules}");
        eventually("a key pair after the fault", PATIENCE, || {
            (self.daemon.generate(&key_pair("EC", None)).status.as_u16() == 201).then_some(())
        });
    }
}

#[test]
fn a_device_that_is_removed_while_it_signs_is_reported_and_waited_for() {
    for code in ["0x32", "0x30", "0x5", "0x80000001"] {
        Faulty::new().fails_and_recovers(&format!("C_Sign rv={code}\nC_SignInit rv={code}"));
    }
}

#[test]
fn a_device_that_fails_to_generate_leaves_nothing() {
    for code in ["0x30", "0x31", "0x200"] {
        Faulty::new().fails_and_recovers(&format!("C_GenerateKeyPair rv={code}"));
    }
}

#[test]
fn a_signature_that_fails_once_is_retried_on_another_session() {
    let faulty = Faulty::new();
    for code in ["0x32", "0x30", "0xb3"] {
        let once = faulty.dir.join(format!("once-{code}"));
        // Past the new key's proof: a generation that fails is not tried again.
        faulty.faults.set(&format!("C_SignInit skip=1 once={} rv={code}", once.display()));
        faulty.daemon.generate(&key_pair("EC", None)).expect(201);
        assert!(once.exists(), "the fault {code} was met");
    }
}

#[test]
fn a_signature_that_hangs_is_given_up_and_its_host_replaced() {
    let mut faulty = Faulty::new();
    let hosts: BTreeSet<u32> = faulty.daemon.hosts().into_iter().collect();
    faulty.faults.set("C_Sign hang");
    let start = Instant::now();
    let answer = faulty.daemon.generate(&key_pair("EC", None));
    assert!(answer.status.is_server_error(), "{}", answer.text());
    assert!(start.elapsed() < Duration::from_secs(20), "it took {:?}", start.elapsed());
    faulty.daemon.get(SIGNING).expect(200);
    faulty.faults.clear();
    faulty.recovers("C_Sign hang", 1);
    let now: BTreeSet<u32> = faulty.daemon.hosts().into_iter().collect();
    assert_ne!(now, hosts, "a host that hung is replaced");
}

#[test]
fn a_generation_that_hangs_is_given_up_without_a_second_one() {
    let mut faulty = Faulty::new();
    let before = faulty.faults.calls("C_GenerateKeyPair");
    // The rule names the process that meets it first, so its successor is not caught.
    let once = faulty.dir.join("once");
    faulty.faults.set(&format!("C_GenerateKeyPair once={} hang", once.display()));
    let answer = faulty.daemon.generate(&key_pair("EC", None)).expect(503);
    assert!(!answer.header("retry-after").is_empty());
    assert!(once.exists());
    assert_eq!(faulty.faults.calls("C_GenerateKeyPair"), before, "the call never returned, and no other was made");
    faulty.recovers("C_GenerateKeyPair hang", 1);
}

#[test]
fn a_lost_reply_after_a_generation_leaves_no_orphan() {
    Faulty::new().fails_and_recovers("C_GenerateKeyPair after=0x30");
}

#[test]
fn a_host_that_dies_in_its_generation_leaves_no_orphan() {
    let mut faulty = Faulty::new();
    let once = faulty.dir.join("once");
    faulty.fails_and_recovers(&format!("C_GenerateKeyPair once={} exit=9", once.display()));
}

#[test]
fn a_signature_with_one_wrong_bit_is_noticed_before_anything_is_stored() {
    Faulty::new().fails_and_recovers("C_Sign corrupt");
}

#[test]
fn a_slow_token_delays_its_answer_and_nothing_else() {
    let faulty = Faulty::new();
    faulty.faults.set("C_GenerateKeyPair delay=1200");
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| faulty.daemon.generate(&key_pair("EC", None)).expect(201));
        let start = Instant::now();
        for _ in 0..10 {
            faulty.daemon.get(SIGNING).expect(200);
            faulty.daemon.get("/readyz").expect(200);
        }
        assert!(start.elapsed() < Duration::from_secs(1), "reading does not wait for the token");
        slow.join().unwrap();
    });
}

#[test]
fn a_key_whose_read_back_proves_nothing_is_refused_and_destroyed() {
    // The attributes that prove the key cannot be read: it may not be used.
    Faulty::new().fails_and_recovers("C_GetAttributeValue rv=0x5");
}
