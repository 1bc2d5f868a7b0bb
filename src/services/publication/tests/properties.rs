//! What holds for every ring, policy and clock.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::services::publication::KeySet;
use crate::services::rotation::plan::{Plan, Step, StepKind, plan};

const MAX_AGE: Duration = Duration::from_secs(300);

/// A ring that does what plans say, and watches over what must hold.
#[derive(Clone, Debug)]
struct Ring {
    pairs: Vec<KeyPair>,
    policy: Policy,
    /// How long new certificates are valid; rings of keys without certificates have none.
    validity: Option<Duration>,
    latest: i64,
    had_active: bool,
}

impl Ring {
    fn made(&self, state: KeyState, now: Timestamp) -> KeyPair {
        let generation = self.latest + 1;
        self.validity
            .map_or_else(|| pair(generation, state, now), |validity| certified(generation, state, now, validity))
    }

    fn join(&mut self, state: KeyState, now: Timestamp) {
        self.pairs.push(self.made(state, now));
        self.latest += 1;
    }

    fn plan(&self, now: Timestamp) -> Plan {
        let mut pairs = self.pairs.clone();
        pairs.sort_by_key(|pair| (pair.state != KeyState::Active, pair.state != KeyState::PreActive, pair.generation));
        plan(&pairs, &self.policy, now)
    }

    /// Carries out what is due, the first step of a new plan each time; how many steps that took.
    fn sweep(&mut self, now: Timestamp) -> usize {
        for count in 0..64 {
            let plan = self.plan(now);
            let Some(step) = plan.due(now).next().cloned() else { return count };
            self.carry_out(&step, now);
            self.hold(now);
        }
        panic!("a sweep comes to no end: {:?}", self.plan(now));
    }

    fn carry_out(&mut self, step: &Step, now: Timestamp) {
        match step.kind {
            StepKind::Create => self.join(KeyState::PreActive, now),
            StepKind::Activate(Some(id)) => {
                for pair in &mut self.pairs {
                    if pair.state == KeyState::Active {
                        (pair.state, pair.deactivated_at) = (KeyState::Deactivated, Some(now));
                    } else if pair.id == id {
                        assert_eq!(pair.state, KeyState::PreActive);
                        assert!(!pair.missing, "a key that is not there is to sign");
                        let in_time = now >= pair.created_at.plus(self.policy.lead);
                        assert!(in_time || step.early, "{step:?} of {pair:?} at {now}");
                        (pair.state, pair.activated_at) = (KeyState::Active, Some(now));
                    }
                }
                if self.policy.always_next {
                    self.join(KeyState::PreActive, now);
                }
            }
            StepKind::Destroy(id) => {
                let gone = self.pairs.iter().find(|pair| pair.id == id).unwrap();
                assert_ne!(gone.state, KeyState::Active);
                self.pairs.retain(|pair| pair.id != id);
            }
            StepKind::Activate(None) | StepKind::Replace(_) | StepKind::Withdraw(_) => {
                panic!("nobody can carry out {step:?}")
            }
        }
    }

    /// Never two Active, never none once there was one.
    fn hold(&mut self, now: Timestamp) {
        let active = self.pairs.iter().filter(|pair| pair.state == KeyState::Active).count();
        assert!(active <= 1, "{active} Active at {now}");
        assert!(active == 1 || !self.had_active, "none Active at {now}");
        self.had_active |= active == 1;
    }

    /// What verifiers are given: who is published, and who signs.
    fn published(&self, now: Timestamp) -> Vec<(KeyId, KeyState)> {
        let stays = |pair: &&KeyPair| {
            let end = pair.deactivated_at.zip(self.policy.overlap).map(|(since, overlap)| since.plus(overlap));
            pair.state != KeyState::Deactivated || end.is_none_or(|end| now < end)
        };
        self.pairs.iter().filter(stays).map(|pair| (pair.id, pair.state)).collect()
    }

    fn key_set(&self, now: Timestamp) -> KeySet {
        let changes_at = self.plan(now).steps.iter().map(|step| step.at).min();
        KeySet { body: Bytes::new(), etag: String::new(), changes_at }
    }
}

fn policies() -> impl Strategy<Value = (Policy, Option<Duration>)> {
    let hours = |range: std::ops::Range<u32>| range.prop_map(|n| HOUR * n);
    let lead = hours(1..72);
    let overlap = prop::option::weighted(0.9, hours(0..100));
    let signing = (2..400_u32, 1..400_u32, 1..400_u32).prop_map(|(valid, creation, activation)| {
        let creation = creation.min(valid - 1);
        let schedule = Schedule::BeforeExpiry { creation: days(creation), activation: days(activation.min(creation)) };
        (Some(schedule), false, OnOverlapEnd::Destroy, Some(days(valid)))
    });
    let connection = (prop::option::of(hours(1..3000)), 1..4000_u32).prop_map(|(period, valid)| {
        (period.map(Schedule::Every), true, OnOverlapEnd::DestroyButLatest, Some(days(valid)))
    });
    let web_keys =
        hours(1..3000).prop_map(|period| (Some(Schedule::Every(period)), false, OnOverlapEnd::Destroy, None));
    let idle = prop_oneof![
        Just((None, false, OnOverlapEnd::Destroy, Some(days(100)))),
        Just((None, false, OnOverlapEnd::Keep, None)),
    ];
    let sorts = prop_oneof![3 => signing, 3 => connection, 2 => web_keys, 1 => idle];
    (lead, overlap, sorts).prop_map(|(lead, overlap, (schedule, always_next, afterwards, validity))| {
        (Policy { schedule, always_next, lead, overlap, on_overlap_end: afterwards }, validity)
    })
}

prop_compose! {
    /// A ring as a sweep may find it: with or without an Active key, with keys that wait or have had their time.
    fn rings()(
        (policy, validity) in policies(),
        active in prop::option::weighted(0.9, 0..5000_u32),
        waiting in prop::collection::vec((0..5000_u32, prop::bool::weighted(0.2)), 0..4),
        gone in prop::collection::vec((0..5000_u32, 0..5000_u32), 0..4),
    ) -> Ring {
        let mut ring = Ring { pairs: Vec::new(), policy, validity, latest: 0, had_active: active.is_some() };
        let ago = |hours: u32| START.minus(HOUR * hours);
        for (created, ended) in gone {
            ring.join(KeyState::Deactivated, ago(created.max(ended)));
            ring.pairs.last_mut().unwrap().deactivated_at = Some(ago(created.min(ended)));
        }
        if let Some(created) = active {
            ring.join(KeyState::Active, ago(created));
        }
        for (created, missing) in waiting {
            ring.join(KeyState::PreActive, ago(created));
            ring.pairs.last_mut().unwrap().missing = missing;
        }
        ring
    }
}

/// Between looks: seconds to years, most often hours.
fn leaps() -> impl Strategy<Value = Vec<Duration>> {
    let leap = prop_oneof![
        3 => (1..7200_u64).prop_map(Duration::from_secs),
        6 => (1..200_u32).prop_map(|n| HOUR * n),
        1 => (1..1500_u32).prop_map(days),
    ];
    prop::collection::vec(leap, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn ring_keeps_one_active_key_and_a_sweep_of_a_sweep_is_empty(mut ring in rings(), leaps in leaps()) {
        let mut now = START;
        ring.hold(now);
        for leap in leaps {
            ring.sweep(now);
            prop_assert_eq!(ring.sweep(now), 0, "{:?}", ring.plan(now));
            now = now.plus(leap);
        }
    }

    #[test]
    fn successor_never_comes_after_the_certificate_has_expired(mut ring in rings(), leaps in leaps()) {
        let mut now = START;
        for leap in leaps {
            ring.sweep(now);
            if let (Some(Schedule::BeforeExpiry { .. }), Some(active)) =
                (ring.policy.schedule, ring.pairs.iter().find(|pair| pair.state == KeyState::Active))
            {
                let end = strongroom_formats::x509::CertificateSummary::of(&active.certificates[0]).unwrap().not_after;
                prop_assert!(end > now, "{} has ended by {now}", end);
            }
            now = now.plus(leap);
        }
    }

    #[test]
    fn key_set_is_never_kept_past_its_next_change(mut ring in rings(), count in 1..30_usize) {
        // Swept whenever there is work; looked at in between.
        let mut now = START;
        for _ in 0..count {
            ring.sweep(now);
            let (set, before) = (ring.key_set(now), ring.published(now));
            let cached = now.plus(set.max_age(now, MAX_AGE));
            let next = ring.plan(now).next_work().unwrap_or(Timestamp::from_micros(i64::MAX)).max(now);
            let last_look = cached.min(next).minus(Duration::from_micros(1)).max(now);
            prop_assert_eq!(ring.published(last_look), before, "between {} and {}", now, last_look);
            prop_assert!(cached <= next || ring.policy.schedule.is_none(), "kept until {cached}, changed at {next}");
            now = set.changes_at.filter(|change| *change > now).unwrap_or(now.plus(DAY));
        }
    }

    #[test]
    fn nothing_is_early_while_sweeps_are_regular((policy, validity) in policies(), more in 0..200_u32, late in 0..59_u64) {
        // Certificates that end about when the key pair that waits becomes Active, but leave room for two leads.
        let validity = match policy.schedule {
            Some(Schedule::Every(period)) => {
                validity.map(|_| (period + HOUR * more).max(policy.lead * 2 + HOUR * 3))
            }
            _ => validity,
        };
        if let (Some(Schedule::BeforeExpiry { creation, activation }), Some(validity)) = (policy.schedule, validity) {
            prop_assume!(creation > policy.lead + HOUR);
            // A successor becomes Active no sooner than its lead allows, and has as much less time left.
            let activation = activation.min(creation.saturating_sub(policy.lead));
            prop_assume!(validity + activation > creation + policy.lead + HOUR * 2);
        }
        let mut ring = Ring { pairs: Vec::new(), policy, validity, latest: 0, had_active: false };
        ring.join(KeyState::Active, START);
        if ring.policy.always_next {
            ring.join(KeyState::PreActive, START);
        }
        let mut now = START;
        for _ in 0..20 {
            let Some(next) = ring.plan(now).next_work() else { break };
            now = now.max(next.plus(Duration::from_secs(60 * late)));
            while let Some(step) = ring.plan(now).due(now).next().cloned() {
                prop_assert!(!step.early, "{step:?} at {now}");
                ring.carry_out(&step, now);
            }
        }
    }

    #[test]
    fn ring_without_an_active_key_is_given_none(mut ring in rings(), leaps in leaps()) {
        ring.pairs.retain(|pair| pair.state != KeyState::Active);
        ring.had_active = false;
        let mut now = START;
        for leap in leaps {
            now = now.plus(leap);
            ring.sweep(now);
            prop_assert!(!ring.had_active);
        }
    }
}
