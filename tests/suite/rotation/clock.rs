//! Leaps of the clock.

use super::*;

#[test]
fn after_downtime_the_successor_is_published_for_its_lead_before_it_signs() {
    let world = World::new(OFTEN);
    let daemon = world.start();
    make_rotating(&daemon, "r");
    let serial = view(&daemon)["serialNumber"].clone();
    drop(daemon);
    // Down from before the creation until after the planned activation.
    world.set_clock(350);
    let daemon = world.start();
    world.await_states(&["Active", "PreActive"]);
    assert_eq!(kinds(&sweep(&daemon)), [""; 0]);
    assert_eq!(view(&daemon)["serialNumber"], serial);
    world.set_clock(351);
    std::thread::sleep(Duration::from_secs(2));
    world.await_states(&["Active", "Deactivated"]);
    assert_ne!(view(&daemon)["serialNumber"], serial);
}

#[test]
fn expired_certificate_is_succeeded_at_once_and_that_is_audited_as_early() {
    let world = World::new(OFTEN);
    let daemon = world.start();
    make_rotating(&daemon, "r");
    drop(daemon);
    world.set_clock(400);
    let daemon = world.start();
    world.await_states(&["Active", "Deactivated"]);
    assert_eq!(view(&daemon)["status"], "VALID");
    let activated = world.details("SELECT detail FROM audit_events WHERE action = 'key.activated'");
    assert!(activated.len() == 1 && activated[0].ends_with("; early"), "{activated:?}");
    world.agree();
}

#[test]
fn clock_that_leaps_holds_rotation_until_it_is_resumed() {
    let world = World::new("[rotation]\ninterval = \"1s\"");
    let daemon = world.start();
    make_rotating(&daemon, "r");
    eventually("a sweep", PATIENCE, || metric(&daemon, "last_sweep_timestamp_seconds").map(drop));
    assert_eq!(metric(&daemon, "held").as_deref(), Some("0"));
    world.set_clock(300);
    eventually("the hold", PATIENCE, || metric(&daemon, "held").filter(|held| held == "1"));
    let answer = sweep(&daemon);
    assert_eq!((answer["outcome"].as_str(), kinds(&answer)), (Some("held"), vec!["create"]), "{answer}");
    assert_eq!(world.states(), ["Active"]);
    let held = world.details("SELECT detail FROM audit_events WHERE action = 'rotation.held'");
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(daemon.log().contains("strongroom rotation resume"));

    // Beside the running daemon.
    let (fine, said) = world.command("resume", &[]);
    assert!(fine, "{said}");
    world.await_states(&["Active", "PreActive"]);
    eventually("no hold", PATIENCE, || metric(&daemon, "held").filter(|held| held == "0"));
    assert_eq!(world.details("SELECT detail FROM audit_events WHERE action = 'rotation.resumed'").len(), 1);
}

/// A metric of rotation.
fn metric(daemon: &Daemon, name: &str) -> Option<String> {
    let name = format!("strongroom_rotation_{name} ");
    let text = daemon.get("/metrics").expect(200).text();
    text.lines().find_map(|line| line.strip_prefix(&name).map(str::to_owned))
}
