//! Three rotations of each sort of ring, the daemon killed at a random step of each.

use super::*;

/// Where a sweep can be cut that makes a key.
const CREATION: &[&str] = &[
    "sweep.lease",
    "sweep.plan",
    "sweep.begin",
    "generate.authorise",
    "generate.capability",
    "generate.reserve",
    "generate.generate",
    "generate.prepare",
    "generate.issue",
    "generate.check",
    "generate.commit",
    "sweep.step",
    "sweep.note",
    "sweep.end",
];
/// Where a sweep can be cut that moves keys.
const MOVES: &[&str] = &[
    "sweep.lease",
    "sweep.plan",
    "sweep.begin",
    "generate.authorise",
    "generate.capability",
    "generate.commit",
    "sweep.step",
    "sweep.note",
    "sweep.end",
];

#[test]
fn three_rotations_survive_a_crash_at_a_random_step_of_each() {
    let world = World::new(OFTEN);
    let daemon = world.start();
    make_rotating(&daemon, "r");
    let mut serial = view(&daemon)["serialNumber"].clone();
    drop(daemon);
    // Each successor lives from its creation, 90 days before the end of the one before.
    for rotation in 0..3 {
        let born = rotation * 275;
        crash(&world, RING, born + 276, CREATION, &["Active", "PreActive"]);
        let daemon = world.start();
        assert_eq!(view(&daemon)["serialNumber"], serial, "nothing has changed for users yet");
        drop(daemon);

        crash(&world, RING, born + 336, MOVES, &["Active", "Deactivated"]);
        let daemon = world.start();
        let after = view(&daemon);
        assert_ne!(after["serialNumber"], serial, "the certificate is another one");
        assert_eq!((after["id"].as_str(), after["status"].as_str()), (Some("r"), Some("VALID")));
        assert_eq!(after["rotationSettings"]["creationBufferDays"], 90, "the settings stay");
        serial = after["serialNumber"].clone();
        // The key behind the new certificate signs.
        daemon.get(&format!("{SIGNING}/r/csr")).expect(200);
        drop(daemon);

        crash(&world, RING, born + 337, MOVES, &["Active"]);
    }
    let early = "SELECT detail FROM audit_events WHERE action = 'key.activated' AND detail LIKE '%early%'";
    assert_eq!(world.details(early), [""; 0], "every one had been published for its lead");
}

#[test]
fn three_successions_of_a_connection_survive_a_crash_at_a_random_step_of_each() {
    let world = World::new(&format!("{OFTEN}\n[auth0]\nrotation-period = \"30d\""));
    let daemon = world.start();
    let path = "/api/v2/connections/con_r/keys";
    let kids = |daemon: &Daemon| -> (String, String) {
        let keys = daemon.get(path).expect(200).json();
        let of = |flag: &str| {
            let key = keys.as_array().unwrap().iter().find(|key| key[flag] == true);
            key.unwrap_or_else(|| panic!("{flag}: {keys}"))["kid"].as_str().unwrap().to_owned()
        };
        (of("current"), of("next"))
    };
    daemon.call(Method::POST, path).json(&json!({"signing_alg": "ES256"})).send().expect(201);
    let mut before = kids(&daemon);
    drop(daemon);
    for rotation in 1..=3 {
        // The step makes a new next in its own transaction; the one before the previous goes.
        crash(&world, CONNECTION, rotation * 31, CREATION, &["Active", "Deactivated", "PreActive"]);
        let daemon = world.start();
        let after = kids(&daemon);
        assert_eq!(after.0, before.1, "the one that waited signs");
        assert!(after.1 != before.0 && after.1 != before.1, "another one waits");
        let sql = "SELECT kid FROM key_pairs WHERE ring = 'connection:con_r' AND state = 'Deactivated'";
        assert_eq!(world.details(sql), [before.0], "the latest previous stays");
        before = after;
    }
}

#[test]
fn three_successions_of_the_web_key_survive_a_crash_at_a_random_step_of_each() {
    let world = World::new(&format!("{OFTEN}\n[zitadel]\nrotation-period = \"30d\"\nbootstrap = true"));
    let daemon = world.start();
    let first = ["Active", "PreActive"];
    eventually("two keys to begin with", PATIENCE, || (states(&world, WEB_KEYS) == first).then_some(()));
    drop(daemon);
    let active = "SELECT kid FROM key_pairs WHERE ring = 'web-keys' AND state = 'Active'";
    let mut signing = world.details(active);
    let certifies = |point: &&&str| ["generate.prepare", "generate.issue", "generate.check"].contains(point);
    let without_certificate: Vec<&str> = CREATION.iter().filter(|point| !certifies(point)).copied().collect();
    for rotation in 0..3 {
        // Each period begins with the first look after the end of the one before.
        let day = 31 * (rotation + 1);
        if rotation > 0 {
            crash(&world, WEB_KEYS, day - 1, &without_certificate, &["Active", "PreActive"]);
            assert_eq!(world.details(active), signing, "it is published for its lead first");
        }
        crash(&world, WEB_KEYS, day, MOVES, &["Active", "Deactivated"]);
        let now = world.details(active);
        assert_ne!(now, signing);
        signing = now;
        crash(&world, WEB_KEYS, day + 1, MOVES, &["Active"]);
    }
}

const RING: &str = "SELECT state FROM key_pairs WHERE ring = 'signing:r' AND state <> 'Destroyed' ORDER BY state";
const CONNECTION: &str =
    "SELECT state FROM key_pairs WHERE ring = 'connection:con_r' AND state <> 'Destroyed' ORDER BY state";
const WEB_KEYS: &str = "SELECT state FROM key_pairs WHERE ring = 'web-keys' AND state <> 'Destroyed' ORDER BY state";

fn states(world: &World, sql: &'static str) -> Vec<String> {
    values(&world.configuration.database(), sql)
}

/// Moves the clock, lets a daemon die on its way through what is due then, and another finish it.
fn crash(world: &World, ring: &'static str, day: u64, points: &[&str], expected: &[&str]) {
    let point = points[usize::from(random()) % points.len()];
    world.set_clock(day);
    let mut daemon = world.launch().at(&format!("{point}=abort")).start();
    assert!(!daemon.await_end().success(), "day {day}: {point} was passed");
    drop(daemon);
    let daemon = world.start();
    let what = format!("{expected:?} on day {day} after a crash at {point}");
    // Where the states are the same before and after, only sweeps that find nothing tell that it is over.
    let over = || kinds(&sweep(&daemon)).is_empty() && states(world, ring) == expected;
    eventually(&what, PATIENCE, || over().then_some(()));
    world.agree();
    assert_eq!(kinds(&sweep(&daemon)), [""; 0], "day {day}: a sweep of a sweep, after a crash at {point}");
}

fn random() -> u8 {
    strongroom_domain::clock::random::<1>().unwrap()[0]
}
