//! Key sets in the making: which keys of a ring are published now, and until when that holds. Pure.

use std::iter;

use super::plan::{StepKind, plan};
use super::policy::Policy;
use crate::clock::Timestamp;
use crate::error::{Error, Kind};
use crate::jose::{Jwk, algorithm_name, encryption_name};
use crate::key::{KeyPair, KeyUse, RingId, RingKind, State};

/// Whether a key shows its certificates in a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Certificates {
    Shown,
    Hidden,
}

/// A key set in the making.
#[derive(Debug)]
pub(super) struct Draft {
    now: Timestamp,
    keys: Vec<Jwk>,
    /// When the schedule changes it, or who signs.
    changes: Vec<Timestamp>,
}

impl Draft {
    /// An empty one, as of `now`.
    pub(super) const fn at(now: Timestamp) -> Self {
        Self { now, keys: Vec::new(), changes: Vec::new() }
    }

    /// Those of a ring's visible key pairs that are published; notes when that, or who signs, changes.
    pub(super) fn watch(&mut self, ring: &RingId, pairs: Vec<KeyPair>, policy: &Policy) -> Vec<KeyPair> {
        let ends = |pair: &KeyPair| (pair.state == State::Deactivated).then(|| end(ring, pair, policy)).flatten();
        self.changes.extend(pairs.iter().filter_map(ends).filter(|end| *end > self.now));
        let leaves = |key| pairs.iter().any(|pair| pair.id == key && pair.state != State::Deactivated);
        let steps = plan(&pairs, policy, self.now).steps;
        let changing = steps.iter().filter(|step| match step.kind {
            StepKind::Create | StepKind::Activate(_) => true,
            // A Deactivated key has left with the end of its overlap, which was noted above.
            StepKind::Withdraw(key) | StepKind::Destroy(key) => leaves(key),
        });
        self.changes.extend(changing.map(|step| step.at));
        let published = |pair: &KeyPair| match pair.state {
            State::Active | State::PreActive => true,
            State::Deactivated => end(ring, pair, policy).is_none_or(|end| end > self.now),
            State::Reserved | State::Abandoning | State::Stocked | State::Destroying | State::Destroyed => false,
        };
        pairs.into_iter().filter(published).collect()
    }

    /// Adds a key under its own name, which a JWS made here carries.
    pub(super) fn add(&mut self, pair: &KeyPair, certificates: Certificates) -> Result<(), Error> {
        let kid = pair.kid.as_ref().ok_or_else(|| unfit("a visible key pair without a kid"))?;
        self.add_named(pair, kid.as_str(), certificates)
    }

    /// Adds a key under a name.
    pub(super) fn add_named(&mut self, pair: &KeyPair, kid: &str, certificates: Certificates) -> Result<(), Error> {
        self.add_as(pair, kid, usual_algorithm(pair), certificates)
    }

    /// Adds a key under a name and for an algorithm; the same twice is once, with its certificates if either has them.
    pub(super) fn add_as(
        &mut self,
        pair: &KeyPair,
        kid: &str,
        algorithm: Option<&str>,
        certificates: Certificates,
    ) -> Result<(), Error> {
        let spki = pair.spki.as_ref().ok_or_else(|| unfit("a visible key pair without a public key"))?;
        let plain = Jwk::of(spki).map_err(unfit)?.named(kid).used(pair.key_use, algorithm);
        let full = plain.clone().certified(&pair.certificates);
        let is_shown = certificates == Certificates::Shown;
        match self.keys.iter_mut().find(|known| **known == plain || **known == full) {
            Some(known) if is_shown => *known = full,
            Some(_) => {}
            None => self.keys.push(if is_shown { full } else { plain }),
        }
        Ok(())
    }

    pub(super) fn keys(&self) -> &[Jwk] {
        &self.keys
    }

    /// When the schedule changes it, or who signs, next; what is overdue counts.
    pub(super) fn changes_at(&self) -> Option<Timestamp> {
        self.changes.iter().copied().min()
    }

    /// Until when it stays as it is: what is overdue does not come about by time alone.
    pub(super) fn holds_until(&self) -> Option<Timestamp> {
        self.changes.iter().copied().filter(|change| *change > self.now).min()
    }
}

/// When a Deactivated key leaves the key sets; web keys stay until they are deleted.
fn end(ring: &RingId, pair: &KeyPair, policy: &Policy) -> Option<Timestamp> {
    let overlap = policy.overlap.filter(|_| ring.kind() != RingKind::WebKeys)?;
    Some(pair.deactivated_at.unwrap_or(pair.created_at).plus(overlap))
}

/// What a key is used with where nobody says; the first that JOSE has a name for.
pub(super) fn usual_algorithm(pair: &KeyPair) -> Option<&'static str> {
    match pair.key_use {
        KeyUse::Sign => iter::once(pair.signature_algorithm)
            .chain(pair.permitted.iter().copied())
            .find_map(|algorithm| algorithm_name(pair.algorithm, algorithm)),
        KeyUse::Decrypt => encryption_name(pair.algorithm),
    }
}

fn unfit(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(Kind::Internal, "internal error").because(cause)
}
