//! Rotation on demand, and the plan of a ring.

use std::time::Duration;

use super::successor::{SuccessorChanges, require_own};
use super::{Plan, Policy, Rotation, plan};
use crate::auth::{Caller, policy};
use crate::services::lifecycle::{InitialState, KeyRing, NewRingKey, Placement, RingChange, RingChanged, StateChange};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyAlgorithm, KeyPair, KeyState, RingId, SignatureAlgorithm};

const ON_DEMAND: &str = "rotation on demand";

/// A rotation on demand.
#[derive(Clone, Debug)]
pub struct RotateRing {
    pub ring: RingId,
    /// The algorithms of the key that is made; those of the key that it follows when absent.
    pub algorithm: Option<(KeyAlgorithm, SignatureAlgorithm)>,
    /// Time allowed until the commit begins.
    pub deadline: Duration,
}

/// Result of a rotation.
#[derive(Clone, Debug)]
pub struct Rotated {
    /// The key that signs now.
    pub active: KeyPair,
    /// The key that signed before.
    pub previous: Option<KeyPair>,
    /// The `PreActive` successor, if the ring has one.
    pub next: Option<KeyPair>,
}

/// A ring with what has been planned for it.
#[derive(Clone, Debug)]
pub struct RingPlan {
    pub ring: KeyRing,
    pub policy: Policy,
    pub plan: Plan,
}

impl Rotation {
    /// Rotates a ring now: the waiting successor, or else a new key, becomes Active; a ring
    /// that always has a successor waiting is given a new one in the same transaction.
    ///
    /// A waiting key of other algorithms than those asked for is destroyed in favour of a new one.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Conflict` when the ring changes meanwhile or its certificate is
    /// not self-signed or its key another's, what generation answers. Whenever there is an
    /// error, nothing was changed.
    pub async fn rotate(&self, who: &Caller, rotation: RotateRing) -> Result<Rotated, Error> {
        policy::allow(who, policy::Action::RotateRing, &rotation.ring)?;
        let ring = self.keyring.ring(who, &rotation.ring).await?;
        let policy = self.policies.of(&ring.id).await?;
        let differences = SuccessorChanges::of(rotation.algorithm, self.policies.settings(&ring.id).await?);
        let planned = OnDemandRotation::of(&ring, &policy, rotation.algorithm, self.clock.now())?;
        let members =
            planned.initial_states.iter().map(|entry| self.successor(&ring.id, planned.model, differences, *entry));
        let change = RingChange {
            ring: ring.id.clone(),
            placement: Placement::Successor,
            keys: members.collect::<Result<Vec<NewRingKey>, Error>>()?,
            state_changes: planned.state_changes,
            reason: planned.reason,
            fence: None,
            deadline: rotation.deadline,
        };
        let changed = self.keyring.change_ring(who, change).await?;
        self.rotated(who, &ring, changed).await
    }

    /// A ring with its policy and plan.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn ring_plan(&self, who: &Caller, ring: &RingId) -> Result<RingPlan, Error> {
        let ring = self.keyring.ring(who, ring).await?;
        let policy = self.policies.of(&ring.id).await?;
        let plan = plan::plan(&ring.keys, &policy, self.clock.now());
        Ok(RingPlan { ring, policy, plan })
    }

    /// The result of a change, made now or earlier by the same request.
    async fn rotated(&self, who: &Caller, before: &KeyRing, changed: RingChanged) -> Result<Rotated, Error> {
        let keys = if changed.replayed {
            self.keyring.ring(who, &before.id).await?.keys
        } else {
            let touched: Vec<KeyPair> = changed.created.into_iter().chain(changed.moved).collect();
            let same = before.keys.iter().filter(|pair| touched.iter().all(|other| other.id != pair.id)).cloned();
            same.collect::<Vec<_>>().into_iter().chain(touched).collect()
        };
        let of = |state| keys.iter().filter(move |pair| pair.state == state);
        let active = of(KeyState::Active).next().cloned();
        Ok(Rotated {
            active: active.ok_or_else(|| Error::new(ErrorKind::Conflict, "the ring was changed meanwhile"))?,
            previous: of(KeyState::Deactivated).max_by_key(|pair| (pair.deactivated_at, pair.generation)).cloned(),
            next: of(KeyState::PreActive).min_by_key(|pair| pair.generation).cloned(),
        })
    }
}

/// The changes of one rotation on demand.
struct OnDemandRotation<'a> {
    /// In which states new key pairs join.
    initial_states: Vec<InitialState>,
    state_changes: Vec<StateChange>,
    /// The key pair like which new ones are made.
    model: &'a KeyPair,
    reason: String,
}

impl<'a> OnDemandRotation<'a> {
    fn of(
        ring: &'a KeyRing,
        policy: &Policy,
        asked: Option<(KeyAlgorithm, SignatureAlgorithm)>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let active = ring.keys.iter().find(|pair| pair.state == KeyState::Active);
        let mut waiting: Vec<&KeyPair> = ring.keys.iter().filter(|pair| pair.state == KeyState::PreActive).collect();
        waiting.sort_by_key(|pair| pair.generation);
        let unwanted = |pair: &KeyPair| {
            let differs = asked.is_some_and(|asked| asked != (pair.algorithm, pair.signature_algorithm));
            pair.missing || (differs && !policy.always_next)
        };
        let successor = waiting.iter().copied().find(|pair| !unwanted(pair));
        // New keys are modelled on the key that signs from now on.
        let current = ring.keys.iter().find(|pair| pair.is_current());
        let model = successor.or(current).or(ring.keys.first());
        let model =
            model.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no key ring {}", ring.id)))?;
        for pair in active.into_iter().chain([model]) {
            require_own(&ring.id, pair)?;
        }
        let early = successor.is_none_or(|pair| now < pair.created_at.plus(policy.lead));
        let reason = if early { format!("{ON_DEMAND}; early") } else { ON_DEMAND.to_owned() };
        let mut state_changes = Vec::new();
        let mut step =
            |pair: &KeyPair, to| state_changes.push(StateChange { pair: pair.clone(), to, reason: reason.clone() });
        if let Some(active) = active {
            step(active, KeyState::Deactivated);
        }
        if let Some(successor) = successor {
            step(successor, KeyState::Active);
        }
        if policy.manages_pending() {
            for pair in waiting.into_iter().filter(|pair| unwanted(pair)) {
                step(pair, KeyState::Destroying);
            }
        }
        let mut initial_states = Vec::new();
        if successor.is_none() {
            initial_states.push(InitialState::Active);
        }
        if policy.always_next {
            initial_states.push(InitialState::PreActive);
        }
        Ok(Self { initial_states, state_changes, model, reason })
    }
}
