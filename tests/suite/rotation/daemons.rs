//! Several daemons on one store and one token.

use super::*;

const RINGS: usize = 12;

#[test]
fn two_daemons_on_one_store_and_token_never_rotate_the_same_ring_twice() {
    let world = World::new(OFTEN);
    let neighbour = Configuration::new(&world.dir, &world.token).with(OFTEN).named("second");
    let first = world.start();
    for n in 0..RINGS {
        make_rotating(&first, &format!("r{n}"));
    }
    let mut second = Launch::serve(&neighbour).env("STRONGROOM_TEST_CLOCK", world.clock()).start();
    second.await_ready();
    let database = world.configuration.database();
    let count = |sql| values(&database, sql).first().map(|text| text.parse::<usize>().unwrap());
    let waiting = "SELECT CAST(COUNT(*) AS TEXT) FROM key_pairs WHERE state = 'PreActive'";
    let retired = "SELECT CAST(COUNT(*) AS TEXT) FROM key_pairs WHERE state = 'Deactivated'";
    for (day, state) in [(276, waiting), (336, retired)] {
        world.set_clock(day);
        std::thread::scope(|scope| {
            // Both are told, beside what their schedules say.
            for daemon in [&first, &second] {
                scope.spawn(move || (0..5).for_each(|_| drop(sweep(daemon))));
            }
        });
        eventually("every ring", PATIENCE, || (count(state) == Some(RINGS)).then_some(()));
    }
    let by_schedule = |action| {
        let sql = match action {
            "created" => "SELECT ring FROM audit_events WHERE action = 'key.created' AND principal = 'strongroom'",
            "activated" => "SELECT ring FROM audit_events WHERE action = 'key.activated'",
            _ => "SELECT ring FROM audit_events WHERE action = 'key.abandoned'",
        };
        let mut rings = values(&database, sql);
        rings.sort();
        rings
    };
    let mut each: Vec<String> = (0..RINGS).map(|n| format!("signing:r{n}")).collect();
    each.sort();
    assert_eq!(by_schedule("created"), each);
    assert_eq!(by_schedule("activated"), each);
    assert_eq!(by_schedule("abandoned"), [""; 0]);
    world.agree();
}
