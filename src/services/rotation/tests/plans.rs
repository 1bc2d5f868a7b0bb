//! Plans at chosen moments.

use super::*;
use crate::services::rotation::plan::{StepKind, plan};
use crate::services::rotation::policy::before_expiry as before_expiry_of;
use crate::services::settings::RotationSettings;

/// Kinds and moments of the steps, in hours after [`START`].
fn steps(ring: &[KeyPair], policy: &Policy, now: Timestamp) -> Vec<(StepKind, i64, bool)> {
    let steps = plan(ring, policy, now).steps;
    steps.iter().map(|step| (step.kind, hours(step.at), step.early)).collect()
}

fn hours(moment: Timestamp) -> i64 {
    (moment.as_micros() - START.as_micros()) / 3_600_000_000
}

fn at(hours: u32) -> Timestamp {
    START.plus(HOUR * hours)
}

#[test]
fn successor_is_made_and_activated_before_the_certificate_expires() {
    let policy = before_expiry(90, 30);
    let active = certified(1, KeyState::Active, START, days(365));
    let planned = [(StepKind::Create, 275 * 24, false), (StepKind::Activate(None), 335 * 24, false)];
    assert_eq!(steps(std::slice::from_ref(&active), &policy, at(5)), planned);
    let next = certified(2, KeyState::PreActive, at(275 * 24), days(365));
    let planned = [(StepKind::Activate(Some(next.id)), 335 * 24, false)];
    assert_eq!(steps(&[active, next], &policy, at(276 * 24)), planned);
}

#[test]
fn reasons_name_what_made_the_step_necessary() {
    let active = certified(1, KeyState::Active, START, days(365));
    let plan = plan(&[active], &before_expiry(90, 30), START);
    assert_eq!(plan.steps[0].reason, "its certificate expires at 2028-01-15T08:00:00.000Z");
}

#[test]
fn after_downtime_a_successor_is_published_for_its_lead_first() {
    let policy = before_expiry(90, 30);
    let active = certified(1, KeyState::Active, START, days(365));
    // Down from before the creation until past the activation.
    let now = at(340 * 24);
    let planned = [(StepKind::Create, 275 * 24, false), (StepKind::Activate(None), 341 * 24, false)];
    assert_eq!(steps(std::slice::from_ref(&active), &policy, now), planned);
    let late = certified(2, KeyState::PreActive, now, days(365));
    assert_eq!(steps(&[active, late.clone()], &policy, now), [(StepKind::Activate(Some(late.id)), 341 * 24, false)]);
}

#[test]
fn lead_gives_way_to_the_expiry_of_the_certificate() {
    let policy = before_expiry(90, 30);
    let active = certified(1, KeyState::Active, START, days(365));
    let now = at(365 * 24 - 10);
    let late = certified(2, KeyState::PreActive, now, days(365));
    let planned = [(StepKind::Activate(Some(late.id)), 365 * 24, true)];
    assert_eq!(steps(&[active.clone(), late], &policy, now), planned);
    // Long expired: made and activated at once.
    let now = at(400 * 24);
    let planned = [(StepKind::Create, 275 * 24, false), (StepKind::Activate(None), 400 * 24, true)];
    assert_eq!(steps(&[active], &policy, now), planned);
}

#[test]
fn equal_buffers_leave_room_for_the_lead() {
    let policy = before_expiry(30, 30);
    let active = certified(1, KeyState::Active, START, days(365));
    let planned = [(StepKind::Create, 335 * 24, false), (StepKind::Activate(None), 336 * 24, false)];
    assert_eq!(steps(&[active], &policy, START), planned);
}

#[test]
fn period_counts_from_activation_and_the_successor_comes_a_lead_before() {
    let policy = Policy { schedule: Some(Schedule::Every(days(30))), ..before_expiry(0, 0) };
    let active = pair(1, KeyState::Active, START);
    let planned = [(StepKind::Create, 29 * 24, false), (StepKind::Activate(None), 30 * 24, false)];
    assert_eq!(steps(std::slice::from_ref(&active), &policy, at(1)), planned);
    // Of two that wait the older one follows; the other is somebody's own.
    let (second, third) = (pair(2, KeyState::PreActive, at(3)), pair(3, KeyState::PreActive, at(2)));
    let planned = [(StepKind::Activate(Some(second.id)), 30 * 24, false)];
    assert_eq!(steps(&[active, third, second], &policy, at(4)), planned);
}

#[test]
fn ring_that_always_has_a_next_one_is_given_it_and_keeps_its_latest_previous() {
    let policy = connection(None);
    let active = pair(3, KeyState::Active, at(50));
    assert_eq!(steps(std::slice::from_ref(&active), &policy, at(60)), [(StepKind::Create, 50, false)]);
    let (next, other) = (pair(4, KeyState::PreActive, at(50)), pair(5, KeyState::PreActive, at(51)));
    let (oldest, previous) = (pair(1, KeyState::Deactivated, at(10)), pair(2, KeyState::Deactivated, at(50)));
    let ring = [active, next, other.clone(), oldest.clone(), previous.clone()];
    let planned = [
        (StepKind::Destroy(oldest.id), 34, false),
        (StepKind::Destroy(other.id), 51, false),
        (StepKind::Withdraw(previous.id), 74, false),
    ];
    assert_eq!(steps(&ring, &policy, at(60)), planned);
    let planned = [(StepKind::Destroy(oldest.id), 34, false), (StepKind::Destroy(other.id), 51, false)];
    assert_eq!(steps(&ring, &policy, at(80)), planned, "what was withdrawn is not withdrawn again");
}

#[test]
fn successor_that_waits_for_nothing_is_destroyed() {
    let active = certified(1, KeyState::Active, START, days(365));
    let next = certified(2, KeyState::PreActive, at(275 * 24), days(365));
    let destroyed = [(StepKind::Destroy(next.id), 275 * 24, false)];
    // The settings were removed.
    let idle = Policy { schedule: None, ..before_expiry(90, 30) };
    assert_eq!(steps(&[active.clone(), next.clone()], &idle, at(276 * 24)), destroyed);
    // The Active key has a certificate that is not self-signed by now.
    let issued = KeyPair { certificates: vec![issued(START, days(365))], ..active.clone() };
    assert_eq!(steps(&[issued, next], &before_expiry(90, 30), at(276 * 24)), destroyed);
    // Made before the Active one: it would be at its end first.
    let stale = certified(2, KeyState::PreActive, START.minus(DAY), days(365));
    let planned = [
        (StepKind::Destroy(stale.id), -24, false),
        (StepKind::Create, 275 * 24, false),
        (StepKind::Activate(None), 335 * 24, false),
    ];
    assert_eq!(steps(&[active.clone(), stale], &before_expiry(90, 30), at(1)), planned);
    // Web keys that wait are their users' own.
    let cached = Policy { on_overlap_end: OnOverlapEnd::Keep, overlap: None, ..idle };
    assert_eq!(steps(&[active, pair(2, KeyState::PreActive, at(1))], &cached, at(2)), []);
}

#[test]
fn successor_whose_key_is_missing_is_made_anew_and_then_given_up() {
    let policy = before_expiry(90, 30);
    let active = certified(1, KeyState::Active, START, days(365));
    let missing = KeyPair { missing: true, ..certified(2, KeyState::PreActive, at(275 * 24), days(365)) };
    let now = at(280 * 24);
    let planned = [(StepKind::Create, 275 * 24, false), (StepKind::Activate(None), 335 * 24, false)];
    assert_eq!(steps(&[active.clone(), missing.clone()], &policy, now), planned);
    let another = certified(3, KeyState::PreActive, now, days(365));
    let planned =
        [(StepKind::Destroy(missing.id), 275 * 24, false), (StepKind::Activate(Some(another.id)), 335 * 24, false)];
    assert_eq!(steps(&[active, missing, another], &policy, now), planned);
}

#[test]
fn rotation_settings_leave_room_for_the_lead() {
    let buffers = |creation, activation, valid_days, lead| {
        let settings = RotationSettings {
            creation_buffer_days: creation,
            activation_buffer_days: activation,
            valid_days,
            algorithm: KeyAlgorithm::ED25519,
            signature_algorithm: SignatureAlgorithm::ED25519,
        };
        before_expiry_of(&settings, lead)
    };
    let schedule = |creation, activation| Schedule::BeforeExpiry { creation, activation };
    assert_eq!(buffers(90, 30, 365, DAY), schedule(days(90), days(30)));
    assert_eq!(buffers(1, 1, 365, DAY), schedule(HOUR * 25, DAY));
    assert_eq!(buffers(1, 1, 365, days(3)), schedule(HOUR * 73, DAY));
    assert_eq!(buffers(29, 1, 30, days(3)), schedule(days(29), HOUR * 49));
    // Never so long before that a successor would be due at its birth.
    assert_eq!(buffers(1, 1, 2, days(3)), schedule(DAY, DAY));
}

#[test]
fn key_that_always_waits_becomes_active_while_its_certificate_leaves_its_successor_a_lead() {
    let policy = connection(Some(days(365)));
    let active = certified(1, KeyState::Active, START, days(365));
    let next = certified(2, KeyState::PreActive, START, days(365));
    let planned = [(StepKind::Activate(Some(next.id)), 364 * 24 - 1, false)];
    assert_eq!(steps(&[active, next], &policy, at(5)), planned);
    // With certificates that last, the period alone counts.
    let (active, next) =
        (certified(1, KeyState::Active, START, days(800)), certified(2, KeyState::PreActive, START, days(800)));
    let planned = [(StepKind::Activate(Some(next.id)), 365 * 24, false)];
    assert_eq!(steps(&[active, next], &policy, at(5)), planned);
}

/// A key that was Active when it was compromised in hour 5.
fn compromised(pair: KeyPair) -> KeyPair {
    KeyPair { state: KeyState::Compromised, compromised_at: Some(at(5)), awaits_successor: true, ..pair }
}

#[test]
fn compromised_key_is_succeeded_at_once() {
    let lost = compromised(certified(1, KeyState::Active, START, days(365)));
    let replaced = [(StepKind::Replace(lost.id), 5, true)];
    for policy in [before_expiry(90, 30), connection(None), Policy { schedule: None, ..before_expiry(0, 0) }] {
        assert_eq!(steps(std::slice::from_ref(&lost), &policy, at(6)), replaced);
        let missing = KeyPair { missing: true, ..certified(2, KeyState::PreActive, at(4), days(365)) };
        let next = certified(3, KeyState::PreActive, at(4), days(365));
        assert_eq!(steps(&[lost.clone(), missing.clone()], &policy, at(6)), replaced);
        let activated = [(StepKind::Activate(Some(next.id)), 5, true)];
        assert_eq!(steps(&[lost.clone(), missing, next], &policy, at(6)), activated, "without lead");
        let followed = KeyPair { awaits_successor: false, ..lost.clone() };
        assert_eq!(steps(&[followed], &policy, at(6)), []);
    }
}

#[test]
fn compromised_key_that_nobody_here_can_follow_is_left_alone() {
    let lost = compromised(certified(1, KeyState::Active, START, days(365)));
    let linked = KeyPair { origin: KeyOrigin::Linked, ..lost.clone() };
    let issued = KeyPair { certificates: vec![issued(START, days(365))], ..lost };
    for pair in [linked, issued] {
        assert_eq!(steps(&[pair], &before_expiry(90, 30), at(6)), []);
    }
}

#[test]
fn suspended_key_keeps_its_place_and_its_life() {
    let active = certified(1, KeyState::Active, START, days(365));
    let old = pair(2, KeyState::Deactivated, START);
    let suspended = |pair: KeyPair| KeyPair { suspended_from: Some(pair.state), state: KeyState::Suspended, ..pair };
    let ring = [suspended(active), suspended(old)];
    for policy in [before_expiry(90, 30), connection(Some(DAY))] {
        assert_eq!(steps(&ring, &policy, at(400 * 24)), [], "nothing is made, moved or destroyed");
    }
}

#[test]
fn deleted_key_is_destroyed_when_its_window_ends_whatever_else_its_ring_plans() {
    let active = certified(1, KeyState::Active, START, days(365));
    let deleted = pair(2, KeyState::PendingDestruction, START);
    let deleted = KeyPair { suspended_from: Some(KeyState::Active), destroy_at: Some(at(30)), ..deleted };
    let destroyed = (StepKind::Destroy(deleted.id), 30, false);
    let kept = Policy { schedule: None, overlap: None, ..before_expiry(0, 0) };
    assert_eq!(steps(std::slice::from_ref(&deleted), &kept, at(6)), std::slice::from_ref(&destroyed));
    assert_eq!(steps(&[active, deleted], &kept, at(6)), [destroyed]);
}
