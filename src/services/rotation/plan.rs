//! Plans: the steps of a ring's rotation, with times and reasons. Pure.

use std::time::Duration;

use super::policy::{OnOverlapEnd, Policy, SWEEP_SLACK, Schedule};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{KeyId, KeyOrigin, KeyPair, KeyState};
use strongroom_formats::x509::{CertificateSummary, is_issued_by};

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Steps for a ring, the earliest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub kind: StepKind,
    /// Planned time; a time in the past means now.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: String,
    /// Whether it comes before the successor's lead is over.
    pub early: bool,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A successor is made.
    Create,
    /// The successor becomes Active, and what was Active is Deactivated; `None` while it is not made yet.
    Activate(Option<KeyId>),
    /// A successor of a compromised key is made and becomes Active at once.
    Replace(KeyId),
    /// A Deactivated key leaves the published sets.
    Withdraw(KeyId),
    /// A Deactivated, surplus or deleted key is destroyed.
    Destroy(KeyId),
}

impl StepKind {
    /// The word for logs, metrics and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Activate(_) => "activate",
            Self::Replace(_) => "replace",
            Self::Withdraw(_) => "withdraw",
            Self::Destroy(_) => "destroy",
        }
    }

    /// The key that it is about, if there is one yet.
    #[must_use]
    pub const fn key(self) -> Option<KeyId> {
        match self {
            Self::Create => None,
            Self::Activate(key) => key,
            Self::Replace(key) | Self::Withdraw(key) | Self::Destroy(key) => Some(key),
        }
    }
}

impl Plan {
    /// What a sweep carries out at `now`, in this order.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.at <= now && step.is_work())
    }

    /// When a sweep has something to carry out.
    #[must_use]
    pub fn next_work(&self) -> Option<Timestamp> {
        self.steps.iter().filter(|step| step.is_work()).map(|step| step.at).min()
    }
}

impl Step {
    /// Whether a sweep carries it out. A withdrawal happens by the passing of time, and a successor that
    /// does not exist yet cannot become Active.
    const fn is_work(&self) -> bool {
        !matches!(self.kind, StepKind::Withdraw(_) | StepKind::Activate(None))
    }
}

/// The plan of a ring with these key pairs: the visible ones, those whose destruction is scheduled, and a compromised
/// one that awaits its successor.
///
/// Without an Active key nothing is made or moved: a suspended one is meant to return. But a compromised key that was
/// the current one is succeeded at once, without lead, by the waiting key or by a new one, unless its certificate is
/// another's to issue or its key another's to make. Overdue steps are due at once; even then a key
/// becomes Active only after its lead, unless the present certificate expires earlier. A successor whose
/// key is missing does not count.
#[must_use]
pub fn plan(ring: &[KeyPair], policy: &Policy, now: Timestamp) -> Plan {
    let mut steps = Vec::new();
    if let Some(active) = ring.iter().find(|pair| pair.state == KeyState::Active) {
        let succession = Succession::of(active, policy);
        let (successor, surplus) = waiting(ring, policy, succession.as_ref());
        steps.extend(surplus.into_iter().map(|(pair, why)| step(StepKind::Destroy(pair.id), pair.created_at, why)));
        steps.extend(succeed(active, successor, policy, succession.as_ref(), now));
    } else if let Some(lost) = ring.iter().find(|pair| pair.awaits_successor) {
        steps.extend(replace(ring, lost));
    }
    steps.extend(retire(ring, policy, now));
    steps.extend(scheduled(ring));
    steps.sort_by_key(|step| step.at);
    Plan { steps }
}

/// When an Active key is succeeded by schedule.
struct Succession {
    creation: Timestamp,
    activation: Timestamp,
    /// When its certificate ends; nothing may come later.
    expiry: Option<Timestamp>,
    reason: String,
}

impl Succession {
    fn of(active: &KeyPair, policy: &Policy) -> Option<Self> {
        let expiry = expiry(active);
        match policy.schedule? {
            Schedule::BeforeExpiry { creation, activation } => {
                let expiry = expiry.filter(|_| active.leaf().is_some_and(|leaf| is_issued_by(leaf, leaf)))?;
                let activation = expiry.minus(activation);
                let creation = expiry.minus(creation).min(activation);
                let reason = format!("its certificate expires at {expiry}");
                Some(Self { creation, activation, expiry: Some(expiry), reason })
            }
            Schedule::Every(period) => {
                let since = active.activated_at.unwrap_or(active.created_at);
                let planned = since.plus(period);
                let activation = expiry.map_or(planned, |expiry| expiry.min(planned));
                let creation = activation.minus(policy.lead).max(since).min(activation);
                let reason = format!("it is Active since {since} and succeeded every {}", words(period));
                Some(Self { creation, activation, expiry, reason })
            }
        }
    }
}

/// The waiting successor, and surplus `PreActive` keys with the reason why each is surplus.
fn waiting<'a>(
    ring: &'a [KeyPair],
    policy: &Policy,
    succession: Option<&Succession>,
) -> (Option<&'a KeyPair>, Vec<(&'a KeyPair, &'static str)>) {
    let mut surplus = Vec::new();
    let mut fit = Vec::new();
    let mut all: Vec<&KeyPair> = ring.iter().filter(|pair| pair.state == KeyState::PreActive).collect();
    all.sort_by_key(|pair| pair.generation);
    for pair in all {
        match (policy.schedule, succession) {
            _ if pair.missing => surplus.push((pair, "its key is missing and another waits")),
            _ if policy.always_next => fit.push(pair),
            (Some(Schedule::BeforeExpiry { .. }) | None, None) => {
                surplus.push((pair, "nothing is scheduled that it could wait for"));
            }
            (Some(Schedule::BeforeExpiry { .. }), Some(succession)) if !outlasts(pair, succession) => {
                surplus.push((pair, "its certificate ends no later than that of the Active key"));
            }
            _ => fit.push(pair),
        }
    }
    let mut fit = fit.into_iter();
    let successor = fit.next();
    surplus.extend(fit.map(|pair| (pair, "another successor waits already")));
    // A missing key is given up only for another.
    surplus.retain(|(pair, _)| !pair.missing || successor.is_some());
    if policy.manages_pending() { (successor, surplus) } else { (successor, Vec::new()) }
}

fn outlasts(pair: &KeyPair, succession: &Succession) -> bool {
    let end = expiry(pair);
    end.is_none() || end > succession.expiry
}

/// When the certificate of a key pair ends, whether or not the rest of it can be read.
fn expiry(pair: &KeyPair) -> Option<Timestamp> {
    pair.leaf().and_then(|leaf| CertificateSummary::remains(leaf).ok()).map(|leaf| leaf.not_after)
}

/// The making of a successor and its coming into use.
fn succeed(
    active: &KeyPair,
    successor: Option<&KeyPair>,
    policy: &Policy,
    succession: Option<&Succession>,
    now: Timestamp,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let made_at = match (successor, succession) {
        (Some(successor), _) => successor.created_at,
        (None, _) if policy.always_next => {
            let since = active.activated_at.unwrap_or(active.created_at);
            steps.push(step(StepKind::Create, since, "a successor always waits in this ring"));
            since.max(now)
        }
        (None, Some(succession)) => {
            steps.push(step(StepKind::Create, succession.creation, &succession.reason));
            succession.creation.max(now)
        }
        (None, None) => return steps,
    };
    if let Some(succession) = succession {
        let ready = made_at.plus(policy.lead);
        // The next successor is created when this one becomes Active and has to wait for its lead, too.
        let latest = successor.filter(|_| policy.always_next).and_then(expiry);
        let latest = latest.map(|end| end.minus(policy.lead + SWEEP_SLACK));
        let in_time = latest.map_or(succession.activation, |latest| latest.min(succession.activation)).max(ready);
        let at = succession.expiry.map_or(in_time, |expiry| expiry.min(in_time));
        // What is not made yet comes after its making.
        let at = if successor.is_none() { at.max(made_at) } else { at };
        let kind = StepKind::Activate(successor.map(|pair| pair.id));
        steps.push(Step { early: at < ready, ..step(kind, at, &succession.reason) });
    }
    steps
}

/// The immediate succession of a compromised key.
fn replace(ring: &[KeyPair], lost: &KeyPair) -> Option<Step> {
    let kind = match first_waiting(ring) {
        Some(successor) => StepKind::Activate(Some(successor.id)),
        None if is_succeeded_here(lost) => StepKind::Replace(lost.id),
        None => return None,
    };
    let at = lost.compromised_at.unwrap_or(lost.created_at);
    Some(Step { early: true, ..step(kind, at, "the key that signed was compromised") })
}

/// The oldest `PreActive` key pair whose key is there.
pub(super) fn first_waiting(ring: &[KeyPair]) -> Option<&KeyPair> {
    let waiting = ring.iter().filter(|pair| pair.state == KeyState::PreActive && !pair.missing);
    waiting.min_by_key(|pair| pair.generation)
}

/// Whether the daemon can make a successor: the key is no other's, nor is its certificate another's to issue.
pub(super) fn is_succeeded_here(pair: &KeyPair) -> bool {
    pair.origin != KeyOrigin::Linked && pair.leaf().is_none_or(|leaf| is_issued_by(leaf, leaf))
}

/// The destruction of keys whose window ends.
fn scheduled(ring: &[KeyPair]) -> impl Iterator<Item = Step> {
    let why = "the window of its deletion ends";
    ring.iter().filter_map(move |pair| Some(step(StepKind::Destroy(pair.id), pair.destroy_at?, why)))
}

/// Steps for Deactivated keys.
fn retire(ring: &[KeyPair], policy: &Policy, now: Timestamp) -> Vec<Step> {
    let Some(overlap) = policy.overlap else { return Vec::new() };
    let deactivated = || ring.iter().filter(|pair| pair.state == KeyState::Deactivated);
    let latest = deactivated().max_by_key(|pair| (pair.deactivated_at, pair.generation)).map(|pair| pair.id);
    let reason = format!("it ceased to sign {} before", words(overlap));
    deactivated()
        .filter_map(|pair| {
            let end = pair.deactivated_at.unwrap_or(pair.created_at).plus(overlap);
            let goes = match policy.on_overlap_end {
                OnOverlapEnd::Destroy => true,
                OnOverlapEnd::DestroyButLatest => latest != Some(pair.id),
                OnOverlapEnd::Keep => false,
            };
            match goes {
                true => Some(step(StepKind::Destroy(pair.id), end, &reason)),
                false if end > now => Some(step(StepKind::Withdraw(pair.id), end, &reason)),
                false => None,
            }
        })
        .collect()
}

fn step(kind: StepKind, at: Timestamp, reason: &str) -> Step {
    Step { kind, at, reason: reason.to_owned(), early: false }
}

/// Whole days are printed as days: humantime would print years and months.
fn words(duration: Duration) -> String {
    match (duration.as_secs() / DAY, duration.as_secs() % DAY) {
        (days @ 2.., 0) => format!("{days} days"),
        _ => humantime::format_duration(duration).to_string(),
    }
}
