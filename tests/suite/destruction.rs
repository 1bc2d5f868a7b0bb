//! Destruction with a window: what hides a key, what brings it back, and what destroys it.

use std::fs;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    Answer, Configuration, Daemon, Launch, SIGNING, Scratch, Token, agreement_within, eventually, key_pair, values,
};

const PATIENCE: Duration = Duration::from_secs(40);
const DAY: u64 = 86_400;
/// Sweeps by command only; the clock of the tests leaps.
const SECTIONS: &str = "[rotation]\nenabled = false";

/// A token, and a daemon with the windows that nobody has set.
struct World {
    dir: Scratch,
    token: Token,
    configuration: Configuration,
}

impl World {
    fn new(sections: &str) -> Self {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let configuration = Configuration::new(&dir, &token).with(sections);
        Self { dir, token, configuration }
    }

    fn start(&self) -> Daemon {
        self.started(|launch| launch)
    }

    fn started(&self, change: impl FnOnce(Launch) -> Launch) -> Daemon {
        let launch = Launch::serve(&self.configuration).env("STRONGROOM_TEST_CLOCK", self.dir.join("clock"));
        let mut daemon = change(launch).start();
        daemon.await_ready();
        daemon
    }

    /// Lets the daemon's clock run ahead of the machine's.
    fn ahead(&self, seconds: u64) {
        fs::write(self.dir.join("clock"), (seconds * 1_000_000).to_string()).unwrap();
    }

    /// The key pairs that token and store agree on.
    fn settled(&self) -> usize {
        agreement_within(PATIENCE, &self.token, &self.configuration.database()).keys().len()
    }

    fn values(&self, sql: &'static str) -> Vec<String> {
        values(&self.configuration.database(), sql)
    }
}

/// The kid of a new key in a ring of its own.
fn make(daemon: &Daemon, ring: &str) -> String {
    let request = json!({"ring": ring, "algorithm": "p-256"});
    let made = daemon.call(Method::POST, "/v1/keys").json(&request).send().expect(201).json();
    made["kid"].as_str().unwrap().to_owned()
}

fn act(daemon: &Daemon, kid: &str, action: &str) -> Answer {
    daemon.call(Method::POST, &format!("/v1/keys/{kid}/{action}")).send()
}

fn view(daemon: &Daemon, kid: &str) -> Value {
    daemon.get(&format!("/v1/keys/{kid}")).expect(200).json()
}

fn sign(daemon: &Daemon, kid: &str) -> Answer {
    daemon.call(Method::POST, &format!("/v1/keys/{kid}/jws")).json(&json!({"payload": {"n": 1}})).send()
}

fn sweep(daemon: &Daemon) -> Value {
    daemon.call(Method::POST, "/v1/rotation/sweep").send().expect(200).json()
}

#[test]
fn products_hide_a_deleted_key_at_once_and_its_id_is_free() {
    let world = World::new(SECTIONS);
    let daemon = world.start();
    let mut request = key_pair("EC", Some(256));
    request["id"] = "pair".into();
    daemon.generate(&request).expect(201);
    let old = daemon.get("/v1/key-rings/signing:pair").expect(200).json();
    let kid = old["keys"][0]["kid"].as_str().unwrap();
    daemon.delete(&format!("{SIGNING}/pair")).expect(204);
    daemon.get(&format!("{SIGNING}/pair")).expect(404);
    assert_eq!(daemon.get(SIGNING).expect(200).json()["items"], json!([]));
    daemon.get("/v1/key-rings/signing:pair/jwks.json").expect(404);
    assert_eq!(sign(&daemon, kid).status.as_u16(), 409);
    let pending = view(&daemon, kid);
    assert_eq!((&pending["state"], &pending["suspendedFrom"]), (&json!("PendingDestruction"), &json!("Active")));
    assert_eq!(world.settled(), 1, "the token has the key");

    daemon.generate(&request).expect(201);
    assert_eq!(daemon.get(SIGNING).expect(200).json()["items"].as_array().unwrap().len(), 1);
    let new = daemon.get(&format!("{SIGNING}/pair")).expect(200).json();
    let restored = act(&daemon, kid, "restore").expect(200).json();
    assert_eq!((&restored["state"], &restored["published"]), (&json!("Suspended"), &json!(false)));
    assert_eq!(daemon.get(&format!("{SIGNING}/pair")).expect(200).json(), new, "the ring is the new key's");
    assert_eq!(act(&daemon, kid, "reinstate").expect(200).json()["state"], "Deactivated");
    assert_eq!(world.settled(), 2);
}

#[test]
fn connections_and_web_keys_that_are_deleted_are_hidden_at_once() {
    let world = World::new(&format!("{SECTIONS}\n[auth0]\nconnections = \"implicit\""));
    let daemon = world.start();
    let web_keys = || daemon.get("/v2/web_keys").expect(200).json();
    let create = || {
        let p256 = json!({"ecdsa": {"curve": "ECDSA_CURVE_P256"}});
        daemon.call(Method::POST, "/v2/web_keys").json(&p256).send().expect(200).id()
    };
    let (_, second) = (create(), create());
    let deleted = daemon.delete(&format!("/v2/web_keys/{second}")).expect(200).json();
    assert_eq!(web_keys()["webKeys"].as_array().unwrap().len(), 1);
    let again = daemon.delete(&format!("/v2/web_keys/{second}")).expect(200).json();
    assert_eq!(again["deletionDate"], deleted["deletionDate"], "it was deleted once");
    assert!(!daemon.get("/oauth/v2/keys").expect(200).text().contains(&second));
    assert_eq!(view(&daemon, &second)["state"], "PendingDestruction");
    world.ahead(8 * DAY);
    assert_eq!(sweep(&daemon)["steps"][0]["kind"], "destroy");
    assert_eq!(world.settled(), 1);
    let last = daemon.delete(&format!("/v2/web_keys/{second}")).expect(200).json();
    assert_eq!(last["deletionDate"], deleted["deletionDate"], "nor by its destruction");
}

#[test]
fn key_is_destroyed_by_a_sweep_once_its_window_ends() {
    let world = World::new(SECTIONS);
    let daemon = world.start();
    let (deleted, scheduled) = (make(&daemon, "signing:a"), make(&daemon, "signing:b"));
    daemon.delete(&format!("/v1/keys/{deleted}")).expect(204);
    daemon.delete(&format!("/v1/keys/{deleted}")).expect(204);
    let days = json!({"days": 10});
    daemon.call(Method::POST, &format!("/v1/keys/{scheduled}/schedule-destruction")).json(&days).send().expect(200);
    assert_eq!(sweep(&daemon)["steps"], json!([]));
    world.ahead(7 * DAY - 60);
    assert_eq!(sweep(&daemon)["steps"], json!([]), "not a minute before");
    world.ahead(7 * DAY + 60);
    let swept = sweep(&daemon);
    assert_eq!((&swept["steps"][0]["kind"], &swept["steps"][0]["keyRing"]), (&json!("destroy"), &json!("signing:a")));
    daemon.get(&format!("/v1/keys/{deleted}")).expect(404);
    assert_eq!(world.settled(), 1);
    assert_eq!(act(&daemon, &deleted, "restore").status.as_u16(), 404);
    act(&daemon, &scheduled, "restore").expect(200);
    world.ahead(11 * DAY);
    sweep(&daemon);
    assert_eq!(world.settled(), 1, "what is restored stays");
    let told = "SELECT action FROM audit_events WHERE action LIKE 'key.%' AND ring = 'signing:a' ORDER BY number";
    let told = world.values(told);
    assert_eq!(told[told.len() - 3..], ["key.destruction-scheduled", "key.delete-committed", "key.destroyed"]);
}

#[test]
fn key_is_destroyed_now_by_an_action_of_its_own() {
    let world = World::new(SECTIONS);
    let daemon = world.start();
    let (pending, active) = (make(&daemon, "signing:a"), make(&daemon, "signing:b"));
    daemon.delete(&format!("/v1/keys/{pending}")).expect(204);
    for kid in [&pending, &active] {
        act(&daemon, kid, "destroy").expect(204);
        daemon.get(&format!("/v1/keys/{kid}")).expect(404);
    }
    eventually("an empty token", PATIENCE, || world.token.objects().is_empty().then_some(()));
}

#[test]
fn compromised_key_stays_compromised_when_its_destruction_is_cancelled() {
    let world = World::new(SECTIONS);
    let daemon = world.start();
    let kid = make(&daemon, "signing:a");
    act(&daemon, &kid, "compromise").expect(200);
    daemon.delete(&format!("/v1/keys/{kid}")).expect(204);
    assert_eq!(view(&daemon, &kid)["state"], "PendingDestruction");
    assert_eq!(act(&daemon, &kid, "restore").expect(200).json()["state"], "Compromised");
    assert_eq!(sign(&daemon, &kid).status.as_u16(), 409);
    assert_eq!(world.settled(), 2);
}

#[test]
fn active_key_of_a_ring_with_others_is_neither_scheduled_nor_destroyed() {
    let world = World::new(SECTIONS);
    let daemon = world.start();
    make(&daemon, "signing:a");
    daemon.call(Method::POST, "/v1/key-rings/signing:a/rotate").send().expect(200);
    let ring = daemon.get("/v1/key-rings/signing:a").expect(200).json();
    let active = ring["keys"][0]["kid"].as_str().unwrap();
    for action in ["schedule-destruction", "destroy"] {
        assert_eq!(act(&daemon, active, action).status.as_u16(), 409, "{action}");
    }
    assert_eq!(view(&daemon, active)["state"], "Active");
}

#[test]
fn crash_after_a_deletion_leaves_it_scheduled() {
    let world = World::new(SECTIONS);
    let daemon = world.start();
    let kid = make(&daemon, "signing:a");
    drop(daemon);
    let mut daemon = world.started(|launch| launch.at("delete.commit=abort"));
    assert!(daemon.call(Method::DELETE, &format!("/v1/keys/{kid}")).try_send().is_err());
    daemon.await_end();
    let daemon = world.start();
    assert_eq!(view(&daemon, &kid)["state"], "PendingDestruction");
    assert_eq!(world.settled(), 1);
}

#[test]
fn software_keys_are_destroyed_at_once_unless_a_window_is_set() {
    for (window, expected) in [("", 404), ("[keys]\nlocal-destruction-window = \"1d\"", 200)] {
        let dir = Scratch::new();
        let mut daemon = Launch::serve(&Configuration::local(&dir).with(window)).start();
        daemon.await_ready();
        let kid = make(&daemon, "signing:a");
        daemon.delete(&format!("/v1/keys/{kid}")).expect(204);
        daemon.get(&format!("/v1/keys/{kid}")).expect(expected);
    }
}

#[test]
fn commands_suspend_destroy_and_restore_a_key() {
    let world = World::new(SECTIONS);
    let daemon = world.start();
    let kid = make(&daemon, "signing:a");
    let command = |action: &[&str]| {
        let file = world.configuration.write();
        let (verb, options) = action.split_first().unwrap();
        let source = ["key".as_ref(), (*verb).as_ref(), "--config".as_ref(), file.as_os_str(), kid.as_ref()];
        let output = Launch::command(source.into_iter().chain(options.iter().map(AsRef::as_ref))).run();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success(), "{text}");
        text
    };
    let state = || view(&daemon, &kid)["state"].clone();
    assert!(command(&["suspend", "--unpublished"]).contains("is Suspended"));
    assert_eq!(state(), "Suspended");
    assert!(command(&["reinstate"]).contains("is Active"));
    assert_eq!(state(), "Active");
    let said = command(&["destroy", "--days", "3"]);
    assert!(said.contains("is PendingDestruction") && said.contains("unless it is restored"), "{said}");
    assert!(command(&["restore"]).contains("is Suspended"));
    command(&["destroy"]);
    assert_eq!(state(), "PendingDestruction");
    assert!(command(&["destroy", "--now"]).contains("is committed"));
    daemon.get(&format!("/v1/keys/{kid}")).expect(404);
}
