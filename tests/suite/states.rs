//! Suspended and compromised keys: who signs, who is published, who may say so, and what a crash leaves.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    AUDITOR, Answer, Configuration, Daemon, Launch, SIGNING, Scratch, Token, agreement_within, eventually, key_pair,
    values,
};

const PATIENCE: Duration = Duration::from_secs(40);
/// Both providers, sweeps by command only, and deletions without a window.
const SECTIONS: &str =
    "[local]\nmaster-key = \"token\"\n[rotation]\nenabled = false\n[keys]\ndestruction-window = \"0s\"";
/// How long a daemon may go on with what it knew before another's change.
const KNOWN_FOR: Duration = Duration::from_secs(3);

struct World {
    dir: Scratch,
    token: Token,
    configuration: Configuration,
}

impl World {
    fn new() -> Self {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let configuration = Configuration::new(&dir, &token).with(SECTIONS);
        Self { dir, token, configuration }
    }

    fn start(&self) -> Daemon {
        ready(Launch::serve(&self.configuration))
    }

    fn values(&self, sql: &'static str) -> Vec<String> {
        values(&self.configuration.database(), sql)
    }

    /// The states of every key that is not destroyed, sorted.
    fn states(&self) -> Vec<String> {
        self.values("SELECT state FROM key_pairs WHERE state <> 'Destroyed' ORDER BY state")
    }

    fn agree(&self) {
        agreement_within(PATIENCE, &self.token, &self.configuration.database());
    }
}

fn ready(launch: Launch) -> Daemon {
    let mut daemon = launch.start();
    daemon.await_ready();
    daemon
}

/// The kid of a new key in a ring of its own.
fn make(daemon: &Daemon, ring: &str, provider: &str) -> String {
    let request = json!({"ring": ring, "algorithm": "p-256", "provider": provider});
    let made = daemon.call(Method::POST, "/v1/keys").json(&request).send().expect(201).json();
    made["kid"].as_str().unwrap().to_owned()
}

fn act(daemon: &Daemon, kid: &str, action: &str) -> Answer {
    daemon.call(Method::POST, &format!("/v1/keys/{kid}/{action}")).send()
}

fn suspend(daemon: &Daemon, kid: &str, published: bool) -> Answer {
    let body = json!({"published": published});
    daemon.call(Method::POST, &format!("/v1/keys/{kid}/suspend")).json(&body).send()
}

/// What signing answers, by the key or by its ring.
fn sign(daemon: &Daemon, what: &str) -> Answer {
    daemon.call(Method::POST, &format!("/v1/{what}/jws")).json(&json!({"payload": {"n": 1}})).send()
}

/// The `kid` in the header of a JWS.
fn signer(answer: &Value) -> String {
    let header = answer["jws"].as_str().unwrap().split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn published(daemon: &Daemon, ring: &str) -> Vec<String> {
    let set = daemon.get(&format!("/v1/key-rings/{ring}/jwks.json")).expect(200).json();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn refused(answer: &Answer, sentence: &str) {
    assert_eq!(answer.status.as_u16(), 409, "{}", answer.text());
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(sentence), "{detail}");
}

#[test]
fn compromised_key_leaves_every_key_set_at_once_and_never_signs_again() {
    let world = World::new();
    let mut daemon = world.start();
    for (ring, provider) in [("signing:a", "HSM"), ("signing:b", "LOCAL")] {
        let kid = make(&daemon, ring, provider);
        sign(&daemon, &format!("keys/{kid}")).expect(200);
        assert_eq!(published(&daemon, ring), [kid.as_str()]);
        let refusal = daemon.call(Method::POST, &format!("/v1/keys/{kid}/compromise")).bearer(AUDITOR).send();
        refusal.expect(403);
        sign(&daemon, &format!("keys/{kid}")).expect(200);

        let answer = act(&daemon, &kid, "compromise").expect(200).json();
        assert_eq!(answer["key"]["state"], "Compromised", "{answer}");
        let successor = answer["active"]["kid"].as_str().unwrap().to_owned();
        assert_ne!(successor, kid);
        assert_eq!(answer["active"]["provider"], provider);
        assert!(answer["cachedUntil"].as_str() > answer["key"]["compromisedAt"].as_str(), "{answer}");
        assert_eq!(published(&daemon, ring), [successor.as_str()]);
        for _ in 0..2 {
            refused(&sign(&daemon, &format!("keys/{kid}")), "the key is Compromised");
            for action in ["compromise", "suspend", "reinstate"] {
                let again = act(&daemon, &kid, action);
                match action {
                    "compromise" => assert_eq!(again.expect(200).json(), answer, "it is said once"),
                    _ => refused(&again, "the key is Compromised"),
                }
            }
            let signed = sign(&daemon, &format!("key-rings/{ring}")).expect(200).json();
            assert_eq!(signer(&signed), successor, "{signed}");
            assert_eq!(published(&daemon, ring), [successor.as_str()]);
            drop(daemon);
            daemon = world.start();
        }
        daemon.delete(&format!("/v1/keys/{kid}")).expect(204);
        daemon.get(&format!("/v1/keys/{kid}")).expect(404);
    }
    let told = "SELECT ring FROM audit_events WHERE action = 'key.compromised' ORDER BY ring";
    assert_eq!(world.values(told), ["signing:a", "signing:b"]);
    world.agree();
}

#[test]
fn suspended_key_signs_nothing_until_it_is_reinstated() {
    let world = World::new();
    let mut daemon = world.start();
    for (ring, provider) in [("signing:a", "HSM"), ("signing:b", "LOCAL")] {
        let kid = make(&daemon, ring, provider);
        let (key, of_ring) = (format!("keys/{kid}"), format!("key-rings/{ring}"));
        let before = daemon.get(&format!("/v1/keys/{kid}")).expect(200).json();
        daemon.call(Method::POST, &format!("/v1/keys/{kid}/suspend")).bearer(AUDITOR).send().expect(403);
        for stays in [true, false] {
            let view = suspend(&daemon, &kid, stays).expect(200).json();
            let shown = (&view["state"], &view["suspendedFrom"], &view["published"]);
            assert_eq!(shown, (&json!("Suspended"), &json!("Active"), &json!(stays)));
            suspend(&daemon, &kid, stays).expect(200);
            refused(&suspend(&daemon, &kid, !stays), "reinstate it first");
            drop(daemon);
            daemon = world.start();
            for what in [&key, &of_ring] {
                refused(&sign(&daemon, what), "the key is Suspended: only an Active key signs");
            }
            assert_eq!(published(&daemon, ring).len(), usize::from(stays));
            let view = act(&daemon, &kid, "reinstate").expect(200).json();
            assert_eq!(view, before, "as if nothing had been");
            refused(&act(&daemon, &kid, "reinstate"), "only a Suspended key can be reinstated");
            for what in [&key, &of_ring] {
                sign(&daemon, what).expect(200);
            }
            assert_eq!(published(&daemon, ring), [kid.as_str()]);
        }
    }
    let told = "SELECT action FROM audit_events WHERE ring = 'signing:a' AND action LIKE 'key._%ed' ORDER BY number";
    let told: Vec<String> = world.values(told).into_iter().filter(|action| action != "key.requested").collect();
    assert_eq!(told, ["key.created", "key.suspended", "key.reinstated", "key.suspended", "key.reinstated"]);
}

#[test]
fn suspended_key_that_was_succeeded_returns_as_deactivated() {
    let world = World::new();
    let daemon = world.start();
    let kid = make(&daemon, "signing:a", "HSM");
    suspend(&daemon, &kid, true).expect(200);
    let rotate = daemon.call(Method::POST, "/v1/key-rings/signing:a/rotate").send().expect(200).json();
    let states: Vec<&str> =
        rotate["keys"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["Active", "Suspended"]);
    let view = act(&daemon, &kid, "reinstate").expect(200).json();
    assert_eq!(view["state"], "Deactivated", "{view}");
    refused(&sign(&daemon, &format!("keys/{kid}")), "only an Active key signs");
}

#[test]
fn dialects_show_suspended_keys_and_no_compromised_ones() {
    let world = World::new();
    let daemon = world.start();
    let mut request = key_pair("EC", Some(256));
    request["id"] = "pair".into();
    daemon.generate(&request).expect(201);
    let pair = || daemon.get(&format!("{SIGNING}/pair")).expect(200).json();
    let ring = daemon.get("/v1/key-rings/signing:pair").expect(200).json();
    let kid = ring["keys"][0]["kid"].as_str().unwrap();
    let before = pair();
    suspend(&daemon, kid, true).expect(200);
    assert_eq!(pair(), before, "PingFederate's status is that of the certificate");
    refused(&daemon.get(&format!("/v1/keys/{kid}/csr.pem")), "it signs no requests");
    act(&daemon, kid, "compromise").expect(200);
    assert_ne!(pair()["serialNumber"], before["serialNumber"], "the successor is shown");

    let path = "/api/v2/connections/con_a/keys";
    daemon.call(Method::POST, path).json(&json!({"signing_alg": "ES256"})).send().expect(201);
    let keys = || daemon.get(path).expect(200).json();
    let of = |keys: &Value, flag: &str| {
        let key = keys.as_array().unwrap().iter().find(|key| key[flag] == true);
        key.and_then(|key| key["kid"].as_str()).map(str::to_owned)
    };
    let first = keys();
    let (current, next) = (of(&first, "current").unwrap(), of(&first, "next").unwrap());
    suspend(&daemon, &current, true).expect(200);
    let listed = keys();
    assert!(listed.as_array().unwrap().iter().any(|key| key["kid"] == current.as_str()), "{listed}");
    assert_eq!(of(&listed, "current"), None);
    act(&daemon, &current, "compromise").expect(200);
    let listed = keys();
    assert_eq!(of(&listed, "current"), Some(next), "the one that waited, without lead");
    assert!(listed.as_array().unwrap().iter().all(|key| key["kid"] != current.as_str()), "{listed}");
}

#[test]
fn other_daemon_refuses_a_compromised_key_within_seconds() {
    let world = World::new();
    let first = world.start();
    let neighbour = Configuration::new(&world.dir, &world.token).with(SECTIONS).named("second");
    let second = ready(Launch::serve(&neighbour));
    let kid = make(&first, "signing:a", "HSM");
    let other = make(&first, "signing:b", "HSM");
    let (key, suspended) = (format!("keys/{kid}"), format!("keys/{other}"));
    sign(&second, &key).expect(200);
    sign(&second, &suspended).expect(200);
    act(&first, &kid, "compromise").expect(200);
    suspend(&first, &other, false).expect(200);
    for key in [&key, &suspended] {
        refused(&sign(&first, key), "only an Active key signs");
    }
    std::thread::sleep(KNOWN_FOR);
    for key in [&key, &suspended] {
        refused(&sign(&second, key), "only an Active key signs");
    }
    assert!(!published(&second, "signing:a").contains(&kid));
}

#[test]
fn crash_on_the_way_leaves_the_key_or_its_successor() {
    let points = [
        "compromise.begin",
        "generate.capability",
        "generate.reserve",
        "generate.generate",
        "generate.commit",
        "compromise.commit",
    ];
    let world = World::new();
    for (n, point) in points.iter().enumerate() {
        let daemon = world.start();
        let ring = format!("signing:r{n}");
        let kid = make(&daemon, &ring, "HSM");
        drop(daemon);
        let mut daemon = ready(Launch::serve(&world.configuration).at(&format!("{point}=abort")));
        assert!(daemon.call(Method::POST, &format!("/v1/keys/{kid}/compromise")).try_send().is_err(), "{point}");
        daemon.await_end();
        drop(daemon);
        let daemon = world.start();
        let done = point.ends_with(".commit");
        let state = daemon.get(&format!("/v1/keys/{kid}")).expect(200).json()["state"].clone();
        assert_eq!(state == "Compromised", done, "{point}");
        sign(&daemon, &format!("key-rings/{ring}")).expect(200);
        let answer = act(&daemon, &kid, "compromise").expect(200).json();
        assert_ne!(answer["active"]["kid"], kid.as_str(), "{point}");
        world.agree();
    }
    let states = world.states();
    let count = |state: &str| states.iter().filter(|found| *found == state).count();
    assert_eq!((count("Active"), count("Compromised"), states.len()), (6, 6, 12), "{states:?}");
}

#[test]
fn key_is_compromised_without_a_successor_that_a_sweep_then_makes() {
    let world = World::new();
    let daemon = world.start();
    let kid = make(&daemon, "signing:a", "HSM");
    drop(daemon);
    let daemon = ready(Launch::serve(&world.configuration).at("generate.generate=fail"));
    let answer = act(&daemon, &kid, "compromise").expect(200).json();
    assert_eq!(answer["key"]["state"], "Compromised", "{answer}");
    assert!(answer["withoutSuccessor"].as_str().unwrap().contains("a sweep will make one"), "{answer}");
    refused(&sign(&daemon, &format!("keys/{kid}")), "the key is Compromised");
    sign(&daemon, "key-rings/signing:a").expect(404);
    drop(daemon);
    let daemon = world.start();
    let swept = daemon.call(Method::POST, "/v1/rotation/sweep").send().expect(200).json();
    let step = &swept["steps"][0];
    assert_eq!((&step["kind"], &step["early"]), (&json!("replace"), &json!(true)), "{swept}");
    sign(&daemon, "key-rings/signing:a").expect(200);
    let swept = daemon.call(Method::POST, "/v1/rotation/sweep").send().expect(200).json();
    assert_eq!(swept["steps"], json!([]), "once");
    world.agree();
}

#[test]
fn command_compromises_a_key_beside_a_running_daemon_and_without_one() {
    let world = World::new();
    let daemon = world.start();
    let kids = [make(&daemon, "signing:a", "HSM"), make(&daemon, "signing:b", "LOCAL")];
    let command = |kid: &str| {
        let file = world.configuration.write();
        let args = ["key".as_ref(), "compromise".as_ref(), "--config".as_ref(), file.as_os_str(), kid.as_ref()];
        let output = Launch::command(args).run();
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (output.status.success(), text)
    };
    let (fine, said) = command(&kids[0]);
    assert!(fine && said.contains("is Compromised") && said.contains("is Active in its ring"), "{said}");
    let key = format!("keys/{}", kids[0]);
    eventually("the daemon knows", KNOWN_FOR * 2, || (sign(&daemon, &key).status.as_u16() == 409).then_some(()));
    sign(&daemon, "key-rings/signing:a").expect(200);
    drop(daemon);
    let (fine, said) = command(&kids[1]);
    assert!(fine && said.contains("is Compromised"), "{said}");
    let (fine, said) = command("nobody");
    assert!(!fine && said.contains("there is no key nobody"), "{said}");
    let daemon = world.start();
    refused(&sign(&daemon, &format!("keys/{}", kids[1])), "the key is Compromised");
    sign(&daemon, "key-rings/signing:b").expect(200);
    world.agree();
}
