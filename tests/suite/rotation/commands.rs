//! What operators ask: the plan, and a sweep.

use super::*;
use crate::harness::{AUDITOR, on_postgres};

#[test]
fn plan_is_printed_beside_a_running_daemon_and_without_one() {
    let world = World::new(NEVER);
    let daemon = world.start();
    make_rotating(&daemon, "r");
    let mut plain = key_pair("EC", Some(256));
    plain["id"] = "plain".into();
    daemon.generate(&plain).expect(201);
    let (fine, table) = world.command("plan", &[]);
    assert!(fine, "{table}");
    let row = table.lines().find(|line| line.starts_with("signing:r ")).unwrap();
    assert!(row.contains("create") && row.contains("its certificate expires at"), "{table}");
    assert!(table.contains("2 key rings, 1 of them with nothing planned"), "{table}");
    drop(daemon);

    world.set_clock(300);
    let (_, table) = world.command("plan", &[]);
    assert!(table.lines().any(|line| line.contains(" now ") && line.contains("create")), "{table}");
    let (fine, document) = world.command("plan", &["--json"]);
    assert!(fine, "{document}");
    let document: Value = serde_json::from_str(&document).unwrap();
    let rings = document["keyRings"].as_array().unwrap();
    assert_eq!(
        rings.iter().map(|ring| ring["id"].as_str().unwrap()).collect::<Vec<_>>(),
        ["signing:plain", "signing:r"]
    );
    let steps = rings[1]["steps"].as_array().unwrap();
    let step = |n: usize| (steps[n]["kind"].as_str().unwrap(), steps[n]["due"].as_bool().unwrap());
    assert_eq!((step(0), step(1)), (("create", true), ("activate", false)));
    assert_eq!(world.states(), ["Active"], "nothing was done");
}

#[test]
fn sweep_on_command_does_what_is_due_where_sweeps_are_not_enabled() {
    let world = World::new(NEVER);
    let daemon = world.start();
    make_rotating(&daemon, "r");
    world.set_clock(276);
    let dry = daemon.call(Method::POST, &format!("{SWEEP}?dry-run=true")).send().expect(200).json();
    assert_eq!((dry["outcome"].as_str(), kinds(&dry)), (Some("planned"), vec!["create"]));
    assert_eq!(world.states(), ["Active"]);
    let swept = sweep(&daemon);
    assert_eq!((swept["outcome"].as_str(), kinds(&swept)), (Some("done"), vec!["create"]), "{swept}");
    assert_eq!(world.states(), ["Active", "PreActive"]);
    assert_eq!(kinds(&sweep(&daemon)), [""; 0]);
    world.agree();
}

#[test]
fn sweep_is_refused_to_readers_and_odd_queries() {
    let world = World::new(NEVER);
    let daemon = world.start();
    let refused = daemon.call(Method::POST, SWEEP).bearer(AUDITOR).send().expect(403);
    assert_eq!(refused.json()["type"], "urn:strongroom:error:forbidden");
    for query in ["dry-run=perhaps", "dryrun=true", "dry-run=true&dry-run=false"] {
        let refused = daemon.call(Method::POST, &format!("{SWEEP}?{query}")).send().expect(400);
        assert_eq!(refused.json()["type"], "urn:strongroom:error:malformed", "{query}");
    }
    daemon.get(SWEEP).expect(405);
    daemon.call(Method::POST, SWEEP).anonymous().send().expect(401);
}

#[test]
fn resume_is_refused_where_another_daemon_is_sweeping() {
    let world = World::new(NEVER);
    let daemon = world.start();
    let lease = if on_postgres() {
        "UPDATE store_meta SET sweeper_instance = 'other', sweeper_life = 'x', \
         sweeper_until = (CAST(extract(epoch FROM now()) AS BIGINT) + 60) * 1000000"
    } else {
        "UPDATE store_meta SET sweeper_instance = 'other', sweeper_life = 'x', \
         sweeper_until = (CAST(strftime('%s', 'now') AS INTEGER) + 60) * 1000000"
    };
    crate::harness::tamper(&world.configuration.database(), lease);
    let (fine, said) = world.command("resume", &[]);
    assert!(!fine && said.contains("a sweep is under way"), "{said}");
    assert_eq!(sweep(&daemon)["outcome"], "elsewhere");
}
