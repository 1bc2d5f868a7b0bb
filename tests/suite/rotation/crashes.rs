//! Three rotations of a PingFederate key pair, the daemon killed at a random step of each.

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
        crash(&world, born + 276, CREATION, &["Active", "PreActive"]);
        let daemon = world.start();
        assert_eq!(view(&daemon)["serialNumber"], serial, "nothing has changed for users yet");
        drop(daemon);

        crash(&world, born + 336, MOVES, &["Active", "Deactivated"]);
        let daemon = world.start();
        let after = view(&daemon);
        assert_ne!(after["serialNumber"], serial, "the certificate is another one");
        assert_eq!((after["id"].as_str(), after["status"].as_str()), (Some("r"), Some("VALID")));
        assert_eq!(after["rotationSettings"]["creationBufferDays"], 90, "the settings stay");
        serial = after["serialNumber"].clone();
        // The key behind the new certificate signs.
        daemon.get(&format!("{SIGNING}/r/csr")).expect(200);
        drop(daemon);

        crash(&world, born + 337, MOVES, &["Active"]);
    }
    let early = "SELECT detail FROM audit_events WHERE action = 'key.activated' AND detail LIKE '%early%'";
    assert_eq!(world.details(early), [""; 0], "every one had been published for its lead");
}

/// Moves the clock, lets a daemon die on its way through what is due then, and another finish it.
fn crash(world: &World, day: u64, points: &[&str], expected: &[&str]) {
    let point = points[usize::from(random()) % points.len()];
    world.set_clock(day);
    let mut daemon = world.launch().at(&format!("{point}=abort")).start();
    assert!(!daemon.await_end().success(), "day {day}: {point} was passed");
    drop(daemon);
    let daemon = world.start();
    let what = format!("{expected:?} on day {day} after a crash at {point}");
    eventually(&what, PATIENCE, || (world.states() == expected).then_some(()));
    world.agree();
    assert_eq!(kinds(&sweep(&daemon)), [""; 0], "day {day}: a sweep of a sweep, after a crash at {point}");
}

fn random() -> u8 {
    let mut byte = [0];
    aws_lc_rs::rand::fill(&mut byte).unwrap();
    byte[0]
}
