//! Sweeps over a store and a double of a token.

use std::sync::Arc;

use super::service::{Bench, SETTINGS, admin, on_demand};
use super::*;
use crate::auth::{Caller, Scope};
use crate::provider::double::{Fault, unavailable};
use crate::services::lifecycle::InitialState;
use crate::services::rotation::{Rotation, StepKind, SweepMode, SweepOptions, SweepOutcome, SweepResult};
use crate::store::CertificateReplacement;
use strongroom_domain::audit::Action;
use strongroom_domain::error::ErrorKind;

async fn swept(rotation: &Arc<Rotation>) -> SweepResult {
    rotation.sweep(&admin(), SweepMode::Run).await.unwrap()
}

fn words(sweep: &SweepResult) -> Vec<&'static str> {
    sweep.steps.iter().map(|(_, step)| step.kind.name()).collect()
}

/// Lets time pass in steps that no guard minds, with a sweep at each.
async fn live(bench: &Bench, time: Duration) {
    let end = bench.now().plus(time);
    while bench.now() < end {
        bench.pass(days(5).min(end.since(bench.now())));
        assert_eq!(swept(&bench.rotation).await.failures, []);
    }
}

#[tokio::test]
async fn sweeps_make_activate_and_destroy_in_their_time_and_once() {
    let bench = Bench::new().await;
    let ring = bench.rotating("a").await;
    for generation in 1..=3 {
        let active = bench.keys(&ring).await.remove(0);
        assert_eq!((active.generation, active.state), (generation, KeyState::Active));
        let end = strongroom_formats::x509::CertificateSummary::of(active.leaf().unwrap()).unwrap().not_after;
        live(&bench, end.minus(days(91)).since(bench.now())).await;
        assert_eq!(bench.states(&ring).await, [(generation, KeyState::Active)]);
        bench.pass(days(1));
        assert_eq!(words(&swept(&bench.rotation).await), ["create"]);
        assert_eq!(words(&swept(&bench.rotation).await), [""; 0], "a sweep of a sweep");
        live(&bench, days(59)).await;
        let both = [(generation, KeyState::Active), (generation + 1, KeyState::PreActive)];
        assert_eq!(bench.states(&ring).await, both);
        bench.pass(days(1));
        assert_eq!(words(&swept(&bench.rotation).await), ["activate"]);
        let both = [(generation, KeyState::Deactivated), (generation + 1, KeyState::Active)];
        assert_eq!(bench.states(&ring).await, both);
        bench.pass(days(1));
        assert_eq!(words(&swept(&bench.rotation).await), ["destroy"]);
        assert_eq!(bench.states(&ring).await, [(generation + 1, KeyState::Active)]);
    }
    assert_eq!(bench.catalog.rotation_settings(&admin(), &ring).await.unwrap(), SETTINGS, "they stay");
}

#[tokio::test]
async fn each_step_is_audited_with_its_reason() {
    let bench = Bench::new().await;
    let ring = bench.rotating("a").await;
    live(&bench, days(364)).await;
    let trail = bench.store.audit(0, 1000).await.unwrap();
    let of = |action, words: &str| {
        trail.iter().filter(|(_, event)| event.action == action && event.detail.contains(words)).count()
    };
    let reason = "its certificate expires at";
    assert_eq!(
        (of(Action::Created, reason), of(Action::Activated, reason), of(Action::Deactivated, reason)),
        (1, 1, 1)
    );
    assert_eq!(of(Action::DeleteCommitted, "it ceased to sign 1day before"), 1);
    assert_eq!(of(Action::Activated, "early"), 0);
    let mine = trail.iter().filter(|(_, event)| event.action == Action::Activated);
    assert!(mine.into_iter().all(|(_, event)| event.principal == "strongroom" && event.ring == Some(ring.clone())));
}

#[tokio::test]
async fn steps_that_come_early_are_audited_so() {
    let bench = Bench::new().await;
    bench.rotating("a").await;
    live(&bench, days(275)).await;
    let mut rotation = bench.neighbour();
    Arc::get_mut(&mut rotation).unwrap().options.clock_guard = None;
    bench.pass(days(100));
    let sweep = swept(&rotation).await;
    assert_eq!(words(&sweep), ["activate"], "it has waited for long");
    assert!(!sweep.steps[0].1.early);
    // Down until after the expiry: made and activated at once.
    bench.pass(days(400));
    let sweep = swept(&rotation).await;
    let steps: Vec<_> = sweep.steps.iter().map(|(_, step)| (step.kind.name(), step.early)).collect();
    assert_eq!(steps, [("destroy", false), ("create", false), ("activate", true)]);
    let trail = bench.store.audit(0, 1000).await.unwrap();
    let early = |event: &strongroom_domain::audit::Event| {
        event.action == Action::Activated && event.detail.ends_with("; early")
    };
    assert_eq!(trail.iter().filter(|(_, event)| early(event)).count(), 1);
}

#[tokio::test]
async fn failure_of_one_ring_stops_no_other_and_is_tried_again_later() {
    let bench = Bench::new().await;
    let (first, second) = (bench.rotating("a").await, bench.rotating("b").await);
    live(&bench, days(270)).await;
    bench.pass(days(6));
    *bench.double.generate_fault.lock().unwrap() = Some(Fault::Refuse(unavailable()));
    let sweep = swept(&bench.rotation).await;
    assert_eq!((words(&sweep), sweep.failures.len()), (vec!["create"], 1), "{sweep:?}");
    let failed = sweep.failures[0].0.clone();
    assert!(failed == first || failed == second);
    assert_eq!(bench.states(&failed).await, [(1, KeyState::Active)]);
    assert_eq!(words(&swept(&bench.rotation).await), [""; 0], "it is left alone for a while");
    bench.pass(Duration::from_secs(61));
    assert_eq!(words(&swept(&bench.rotation).await), ["create"]);
    assert_eq!(bench.states(&failed).await, [(1, KeyState::Active), (3, KeyState::PreActive)]);
}

#[tokio::test]
async fn destruction_is_limited_per_sweep() {
    let mut bench = Bench::new().await;
    let options = SweepOptions { destroy_limit: 2, ..SweepOptions::default() };
    Arc::get_mut(&mut bench.rotation).unwrap().options = options;
    for name in ["a", "b", "c", "d", "e"] {
        let ring = bench.signing(name).await;
        bench.rotation.rotate(&admin(), on_demand(&ring)).await.unwrap();
    }
    assert_eq!(words(&swept(&bench.rotation).await), [""; 0]);
    bench.pass(days(1));
    for (destroyed, postponed) in [(2, 3), (2, 1), (1, 0)] {
        let sweep = swept(&bench.rotation).await;
        assert_eq!((sweep.steps.len(), sweep.postponed), (destroyed, postponed), "{sweep:?}");
        bench.pass(Duration::from_secs(1));
    }
}

#[tokio::test]
async fn clock_that_stands_wrong_holds_sweeps_until_an_operator_says_otherwise() {
    let bench = Bench::new().await;
    let ring = bench.rotating("a").await;
    assert_eq!(swept(&bench.rotation).await.outcome, SweepOutcome::Done);
    bench.pass(days(300));
    for _ in 0..2 {
        let sweep = swept(&bench.rotation).await;
        assert!(
            matches!(&sweep.outcome, SweepOutcome::Held(why) if why.contains("more than 7days after")),
            "{sweep:?}"
        );
        assert_eq!(words(&sweep), ["create"], "it says what it would do");
    }
    assert_eq!(bench.states(&ring).await, [(1, KeyState::Active)]);
    let trail = async |action| {
        let trail = bench.store.audit(0, 1000).await.unwrap();
        trail.iter().filter(|(_, event)| event.action == action).count()
    };
    assert_eq!(trail(Action::RotationHeld).await, 1, "once");
    let reader = Caller::bearer("reader", &[Scope::Read]);
    assert_eq!(bench.rotation.resume(&reader).await.unwrap_err().kind(), ErrorKind::Forbidden);
    bench.rotation.resume(&admin()).await.unwrap();
    assert_eq!(trail(Action::RotationResumed).await, 1);
    assert_eq!(words(&swept(&bench.rotation).await), ["create"]);
    assert_eq!(bench.states(&ring).await, [(1, KeyState::Active), (2, KeyState::PreActive)]);
}

#[tokio::test]
async fn clock_behind_the_last_sweep_holds_too_beyond_a_minute() {
    let bench = Bench::new().await;
    bench.pass(HOUR);
    assert_eq!(swept(&bench.rotation).await.outcome, SweepOutcome::Done);
    bench.turn_back(Duration::from_secs(59));
    assert_eq!(swept(&bench.rotation).await.outcome, SweepOutcome::Done);
    bench.turn_back(HOUR);
    let sweep = swept(&bench.rotation).await;
    assert!(matches!(&sweep.outcome, SweepOutcome::Held(why) if why.contains("before the last sweep")), "{sweep:?}");
}

#[tokio::test]
async fn sweep_that_only_plans_changes_nothing() {
    let bench = Bench::new().await;
    let ring = bench.rotating("a").await;
    bench.pass(days(300));
    let operator = Caller::bearer("operator", &[Scope::Operate]);
    let sweep = bench.rotation.sweep(&operator, SweepMode::PlanOnly).await.unwrap();
    assert_eq!((sweep.outcome, sweep.steps[0].1.kind), (SweepOutcome::Planned, StepKind::Create));
    assert_eq!(bench.states(&ring).await, [(1, KeyState::Active)]);
    let reader = Caller::bearer("reader", &[Scope::Read, Scope::Sign]);
    assert_eq!(bench.rotation.sweep(&reader, SweepMode::Run).await.unwrap_err().kind(), ErrorKind::Forbidden);
    assert_eq!(swept(&bench.rotation).await.outcome, SweepOutcome::Done, "it left no trace in the store");
}

#[tokio::test]
async fn only_one_daemon_sweeps_at_a_time() {
    let bench = Bench::new().await;
    let neighbour = bench.neighbour();
    let ring = bench.rotating("a").await;
    live(&bench, days(274)).await;
    bench.pass(days(2));
    let owner = crate::store::LeaseOwner { instance: "elsewhere".to_owned(), life: "dead".to_owned() };
    let lease = bench.store.lease_sweep(&owner, bench.now(), bench.keyring.lease()).await.unwrap().unwrap();
    assert_eq!(swept(&bench.rotation).await.outcome, SweepOutcome::Elsewhere);
    assert_eq!(bench.states(&ring).await, [(1, KeyState::Active)]);
    // A dead sweeper's lease ends by itself.
    bench.pass(bench.keyring.lease());
    let (here, there) = tokio::join!(swept(&bench.rotation), swept(&neighbour));
    let created = [&here, &there].iter().map(|sweep| sweep.steps.len()).sum::<usize>();
    assert_eq!(created, 1, "{here:?} {there:?}");
    assert_eq!(bench.states(&ring).await, [(1, KeyState::Active), (2, KeyState::PreActive)]);
    assert!(bench.store.end_sweep(lease.fence, Some(bench.now()), &[]).await.is_err(), "the dead one is fenced off");
}

#[tokio::test]
async fn connection_is_succeeded_by_its_period_with_a_next_in_the_same_step() {
    let bench = Bench::new().await;
    let ring = bench.ring_of("connection:c", &[InitialState::Active, InitialState::PreActive]).await;
    bench.catalog.put_rotation_period(&admin(), &ring, days(4)).await.unwrap();
    bench.pass(days(4));
    assert_eq!(words(&swept(&bench.rotation).await), ["activate"]);
    let states = [(1, KeyState::Deactivated), (2, KeyState::Active), (3, KeyState::PreActive)];
    assert_eq!(bench.states(&ring).await, states);
    bench.pass(days(4));
    assert_eq!(words(&swept(&bench.rotation).await), ["activate", "destroy"], "the latest previous stays");
    let states = [(2, KeyState::Deactivated), (3, KeyState::Active), (4, KeyState::PreActive)];
    assert_eq!(bench.states(&ring).await, states);
    bench.catalog.delete_rotation_period(&admin(), &ring).await.unwrap();
    bench.pass(days(6));
    assert_eq!(words(&swept(&bench.rotation).await), [""; 0]);
}

#[tokio::test]
async fn web_key_is_succeeded_by_its_period_and_never_destroyed_without_one() {
    let bench = Bench::new().await;
    let ring = bench.ring_of("web-keys", &[InitialState::Active]).await;
    bench.catalog.put_rotation_period(&admin(), &ring, days(6)).await.unwrap();
    bench.pass(days(5));
    assert_eq!(words(&swept(&bench.rotation).await), ["create"]);
    bench.pass(days(1));
    assert_eq!(words(&swept(&bench.rotation).await), ["activate"]);
    let keys = bench.keys(&ring).await;
    assert!(keys.iter().all(|pair| pair.kid.as_ref().unwrap().as_str().bytes().all(|byte| byte.is_ascii_digit())));
    assert!(keys.iter().all(|pair| pair.leaf().is_none()));
    bench.catalog.delete_rotation_period(&admin(), &ring).await.unwrap();
    bench.pass(days(6));
    assert_eq!(words(&swept(&bench.rotation).await), [""; 0]);
    assert_eq!(bench.states(&ring).await, [(1, KeyState::Deactivated), (2, KeyState::Active)]);
}

#[tokio::test]
async fn successor_does_not_strand_when_its_ring_is_no_longer_succeeded() {
    let bench = Bench::new().await;
    let (issued_ring, removed) = (bench.rotating("a").await, bench.rotating("b").await);
    live(&bench, days(280)).await;
    for ring in [&issued_ring, &removed] {
        assert_eq!(bench.states(ring).await, [(1, KeyState::Active), (2, KeyState::PreActive)]);
    }
    let pair = bench.keys(&issued_ring).await.remove(0);
    bench
        .store
        .replace_certificates(CertificateReplacement::new(&pair, vec![issued(START, days(900))]), &[])
        .await
        .unwrap();
    bench.catalog.delete_rotation_settings(&admin(), &removed).await.unwrap();
    let refused = bench.rotation.rotate(&admin(), on_demand(&issued_ring)).await.unwrap_err();
    assert!(refused.public().contains("CSR"), "{refused}: what waits does not take a CA's key's place");
    assert_eq!(words(&swept(&bench.rotation).await), ["destroy", "destroy"]);
    for ring in [&issued_ring, &removed] {
        assert_eq!(bench.states(ring).await, [(1, KeyState::Active)]);
    }
    let trail = bench.store.audit(0, 1000).await.unwrap();
    assert!(trail.iter().any(|(_, event)| event.detail == "nothing is scheduled that it could wait for"));
}
