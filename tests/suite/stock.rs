//! Key pairs from stock: filled up when nobody asks, claimed at the cost of a signature.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use reqwest::Method;
use rustix::process::Signal;

use crate::harness::{
    Configuration, Daemon, Faults, GENERATE, Launch, SIGNING, Scratch, Token, agreement, agreement_within, eventually,
    key_pair, rows, tamper, values,
};

const PATIENCE: Duration = Duration::from_secs(40);

/// Longer than any test takes: nothing is made.
const NEVER: &str = "1h";

/// A token behind the fault module, which counts calls, and the configurations of daemons on it.
struct Set {
    dir: Scratch,
    token: Token,
    faults: Faults,
}

impl Set {
    fn new() -> Self {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let faults = Faults::new(&dir);
        Self { dir, token, faults }
    }

    /// A daemon's configuration with a stock of two P-256 keys.
    fn stocking(&self, idle: &str) -> Configuration {
        self.with(&format!("idle = \"{idle}\"\ntargets = {{ p-256 = 2 }}"))
    }

    fn with(&self, stock: &str) -> Configuration {
        Configuration::new(&self.dir, &self.token).with_faults(&self.faults).with(&format!("[stock]\n{stock}"))
    }

    /// Two keys in stock, and no daemon.
    fn filled() -> Self {
        let set = Self::new();
        let daemon = ready(Launch::serve(&set.stocking("0s")));
        set.await_stock(2);
        assert!(daemon.stop(Signal::TERM).success());
        set
    }

    fn stock(&self) -> Vec<String> {
        let rows = rows(&self.dir.join("serve.db"));
        rows.into_iter().filter(|row| row.state == "Stocked").map(|row| row.locator).collect()
    }

    fn await_stock(&self, level: usize) {
        eventually("a stock that is full", PATIENCE, || (self.stock().len() == level).then_some(()));
    }

    /// Signatures that were begun.
    fn signed(&self) -> usize {
        self.faults.calls("C_SignInit")
    }

    fn made(&self) -> usize {
        self.faults.calls("C_GenerateKeyPair")
    }

    /// Token and store once they agree on so many keys, the stock included.
    fn agree_on(&self, keys: usize, when: &str) {
        let after = agreement_within(PATIENCE, &self.token, &self.dir.join("serve.db"));
        assert_eq!(after.keys().len(), keys, "{when}");
    }
}

fn ready(launch: Launch) -> Daemon {
    let mut daemon = launch.start();
    daemon.await_ready();
    daemon
}

/// The value of a line of `/metrics`; 0 where there is none.
fn metric(daemon: &Daemon, name: &str, algorithm: &str) -> u64 {
    let text = daemon.get("/metrics").expect(200).text();
    let head = format!("{name}{{algorithm=\"{algorithm}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&head)?.parse().ok()).unwrap_or(0)
}

#[test]
fn stocked_key_is_given_out_for_one_signature_and_no_generation() {
    let set = Set::filled();
    let daemon = ready(Launch::serve(&set.stocking(NEVER)));
    let (made, stock) = (set.made(), set.stock());
    daemon.generate(&key_pair("RSA", Some(2048))).expect(201);
    assert_eq!(set.made(), made + 1, "of another algorithm there is no stock");

    let (made, signed) = (set.made(), set.signed());
    let id = daemon.generate(&key_pair("EC", None)).expect(201).id();
    assert_eq!(set.made(), made, "no C_GenerateKeyPair");
    // A curve's private object shows no public half in SoftHSM: a signature of its own proves it.
    assert_eq!(set.signed(), signed + 2);
    assert_eq!(metric(&daemon, "strongroom_stock_hits_total", "p-256"), 1);
    assert_eq!(metric(&daemon, "strongroom_stock_misses_total", "p-256"), 0);
    let left = set.stock();
    assert_eq!(left.len(), 1);
    let taken: Vec<_> = stock.iter().filter(|locator| !left.contains(locator)).collect();
    let key = set.token.private_key(taken[0]);
    assert!(key.access.iter().any(|word| word == "never extractable"), "{key:?}");
    set.agree_on(3, "a stocked key, two of rings");

    // A third one finds the stock empty.
    daemon.generate(&key_pair("EC", None)).expect(201);
    assert_eq!(set.made(), made);
    daemon.generate(&key_pair("EC", None)).expect(201);
    assert_eq!(set.made(), made + 1);
    assert_eq!(metric(&daemon, "strongroom_stock_misses_total", "p-256"), 1);
    let listed = daemon.get(SIGNING).expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 4);
    assert!(listed["items"].as_array().unwrap().iter().any(|view| view["id"] == id.as_str()));
    set.agree_on(4, "an empty stock");
}

#[test]
fn stocked_rsa_key_is_given_out_for_the_signature_of_its_certificate() {
    let set = Set::new();
    let stock = |idle: &str| set.with(&format!("idle = \"{idle}\"\ntargets = {{ rsa-2048 = 2 }}"));
    let daemon = ready(Launch::serve(&stock("0s")));
    set.await_stock(2);
    assert!(daemon.stop(Signal::TERM).success());
    let daemon = ready(Launch::serve(&stock(NEVER)));
    let (made, signed) = (set.made(), set.signed());
    daemon.generate(&key_pair("RSA", Some(2048))).expect(201);
    assert_eq!((set.made(), set.signed()), (made, signed + 1), "the certificate's signature only");
    set.agree_on(2, "one of the stock, one of a ring");
}

#[test]
fn the_stock_is_filled_up_only_while_the_token_is_left_alone() {
    let set = Set::new();
    let daemon = ready(Launch::serve(&set.stocking("2s")));
    let id = daemon.generate(&key_pair("EC", None)).expect(201).id();
    let made = set.made();
    let busy = Instant::now();
    while busy.elapsed() < Duration::from_secs(5) {
        daemon.call(Method::POST, GENERATE).json(&key_pair("EC", None)).send().expect(201);
        std::thread::sleep(Duration::from_millis(500));
    }
    let asked = set.made() - made;
    assert_eq!(set.stock().len(), 0, "the token was never idle");
    assert_eq!(rows(&set.dir.join("serve.db")).len(), asked + 1, "every key was asked for");
    set.await_stock(2);
    eventually("the level in the metrics", PATIENCE, || {
        (metric(&daemon, "strongroom_stock_keys", "p-256") == 2).then_some(())
    });
    daemon.get(&format!("{SIGNING}/{id}")).expect(200);
    set.agree_on(asked + 3, "filled up");
}

#[test]
fn a_crash_at_any_step_of_filling_up_leaves_token_and_store_agreed() {
    for point in ["stock.reserve", "stock.generate", "stock.commit"] {
        let set = Set::new();
        let mut daemon = ready(Launch::serve(&set.stocking("1s")).at(&format!("{point}#2=abort")));
        assert!(!daemon.await_end().success(), "{point}");
        drop(daemon);
        let daemon = ready(Launch::serve(&set.stocking(NEVER)));
        let stocked = if point == "stock.commit" { 2 } else { 1 };
        set.agree_on(stocked, point);
        assert_eq!(set.stock().len(), stocked, "{point}");
        assert!(daemon.stop(Signal::TERM).success());
        let _daemon = ready(Launch::serve(&set.stocking("0s")));
        set.await_stock(2);
        set.agree_on(2, point);
    }
}

#[test]
fn a_crash_of_the_host_that_fills_up_leaves_token_and_store_agreed() {
    let set = Set::new();
    let daemon = ready(Launch::serve(&set.stocking("0s")).at("host.generate.after=abort"));
    eventually("a reservation for stock", PATIENCE, || (!rows(&set.dir.join("serve.db")).is_empty()).then_some(()));
    set.agree_on(0, "the host dies with each key");
    assert!(daemon.stop(Signal::TERM).success());
    let _daemon = ready(Launch::serve(&set.stocking("0s")));
    set.await_stock(2);
    set.agree_on(2, "a host that lives");
}

#[test]
fn a_crash_at_any_step_of_a_claim_leaves_token_and_store_agreed() {
    let steps = ["stock.prove", "generate.reserve", "generate.issue", "generate.check", "generate.commit"];
    for point in steps {
        let set = Set::filled();
        let mut daemon = ready(Launch::serve(&set.stocking(NEVER)).at(&format!("{point}=abort")));
        let crashed = daemon.call(Method::POST, GENERATE).json(&key_pair("EC", None)).try_send();
        assert!(crashed.is_err(), "{point}: the daemon answered although it should have crashed");
        assert!(!daemon.await_end().success(), "{point}");
        drop(daemon);
        let daemon = ready(Launch::serve(&set.stocking(NEVER)));
        // Before the claim nothing has happened; past it the key goes with its reservation; past the commit it stays.
        let (kept, stocked) = match point {
            "stock.prove" => (2, 2),
            "generate.commit" => (2, 1),
            _ => (1, 1),
        };
        set.agree_on(kept, point);
        assert_eq!(set.stock().len(), stocked, "{point}");
        let made = set.made();
        daemon.generate(&key_pair("EC", None)).expect(201);
        assert_eq!(set.made(), made, "{point}: the stock serves on");
        set.agree_on(kept, point);
    }
}

#[test]
fn keys_of_more_than_thirty_days_are_destroyed() {
    let set = Set::filled();
    let clock = set.dir.join("clock");
    let ahead = |days: u64| fs::write(&clock, (days * 24 * 3600 * 1_000_000).to_string()).unwrap();
    ahead(29);
    let daemon = ready(Launch::serve(&set.stocking(NEVER)).env("STRONGROOM_TEST_CLOCK", &clock));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(set.stock().len(), 2, "not yet");
    ahead(31);
    let made = set.made();
    daemon.generate(&key_pair("EC", None)).expect(201);
    assert_eq!(set.made(), made + 1, "what is too old is given to nobody");
    assert!(daemon.stop(Signal::TERM).success());
    let _daemon = ready(Launch::serve(&set.stocking(NEVER)).env("STRONGROOM_TEST_CLOCK", &clock));
    set.await_stock(0);
    set.agree_on(1, "only the key of the ring");
}

#[test]
fn requests_at_the_same_time_get_keys_of_their_own() {
    let set = Set::filled();
    let daemon = ready(Launch::serve(&set.stocking(NEVER)));
    let made = set.made();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| daemon.generate(&key_pair("EC", None)).expect(201));
        }
    });
    assert_eq!(set.made(), made + 1, "two from stock, one anew");
    let kids = values(&set.dir.join("serve.db"), "SELECT kid FROM key_pairs WHERE state = 'Active'");
    assert_eq!(kids.into_iter().collect::<BTreeSet<_>>().len(), 3);
    set.agree_on(3, "three keys");
}

#[test]
fn a_key_that_is_not_what_the_store_says_is_destroyed_and_another_taken() {
    let set = Set::filled();
    tamper(
        &set.dir.join("serve.db"),
        "UPDATE key_pairs SET spki = (SELECT spki FROM key_pairs ORDER BY created_at DESC LIMIT 1)",
    );
    let daemon = ready(Launch::serve(&set.stocking(NEVER)));
    let (made, before) = (set.made(), set.stock());
    daemon.generate(&key_pair("EC", None)).expect(201);
    assert_eq!(set.made(), made, "the second one is sound");
    set.agree_on(1, "the bad one is gone");
    let after = agreement(&set.token, &set.dir.join("serve.db"));
    assert!(after.keys().is_subset(&before.into_iter().collect()), "{after:?}");
    let told =
        values(&set.dir.join("serve.db"), "SELECT detail FROM audit_events WHERE action = 'key.delete-committed'");
    assert!(matches!(told.as_slice(), [one] if one.starts_with("stock: ")), "{told:?}");
}

#[test]
fn a_key_that_somebody_removed_from_the_token_is_not_given_out() {
    let set = Set::filled();
    let daemon = ready(Launch::serve(&set.stocking(NEVER)));
    // What is missing at the inventory of the start needs no proof to be left alone.
    let inventory = || daemon.get("/metrics").expect(200).text().contains("strongroom_keys_missing 0").then_some(());
    eventually("the inventory of the start", PATIENCE, inventory);
    for locator in set.stock() {
        set.token.tool(&["--delete-object", "--type", "privkey", "--id", &locator]);
    }
    let made = set.made();
    daemon.generate(&key_pair("EC", None)).expect(201);
    assert_eq!(set.made(), made + 1);
    set.agree_on(1, "what was left of both is removed");
}

#[test]
fn check_says_how_much_is_in_stock() {
    let set = Set::filled();
    let file = set.stocking(NEVER).write();
    let said = Launch::command(["check".as_ref(), "--config".as_ref(), file.as_os_str()]).run();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("stock          p-256          2 of 2\n"), "{said}");
    assert_eq!(set.stock().len(), 2);
}

#[test]
fn dev_keeps_rsa_keys_in_stock() {
    let dir = Scratch::new();
    let daemon = Launch::stocked_dev(&dir).start();
    let database = dir.join("strongroom.db");
    eventually("a key in stock", Duration::from_secs(90), || {
        rows(&database).iter().any(|row| row.state == "Stocked").then_some(())
    });
    let algorithms = values(&database, "SELECT algorithm FROM key_pairs WHERE state = 'Stocked'");
    assert!(algorithms.iter().all(|name| name.starts_with("rsa-")), "{algorithms:?}");
    daemon.generate(&key_pair("RSA", Some(2048))).expect(201);
    assert_eq!(metric(&daemon, "strongroom_stock_hits_total", "rsa-2048"), 1);
}
