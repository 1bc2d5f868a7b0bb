//! Plans: what has to be done to a ring, when, and why. Pure.

use super::Policy;
use crate::clock::Timestamp;
use crate::key::{KeyId, KeyPair};

/// What is to be done to a ring, the earliest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub kind: StepKind,
    /// When; a moment that has passed means now.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: String,
    /// It comes before its successor's lead is over.
    pub early: bool,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A successor is made.
    Create,
    /// The successor becomes Active, and what was Active is Deactivated; `None` while it is not made yet.
    Activate(Option<KeyId>),
    /// A Deactivated key leaves the published sets.
    Withdraw(KeyId),
    /// A Deactivated key is destroyed.
    Destroy(KeyId),
}

/// What is to be done to a ring with these visible key pairs.
#[must_use]
pub fn plan(_ring: &[KeyPair], _policy: &Policy, _now: Timestamp) -> Plan {
    Plan::default()
}
