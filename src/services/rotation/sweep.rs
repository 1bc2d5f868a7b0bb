//! Sweeps: due steps are carried out under a lease whose fence each write checks.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;

use super::plan::{Plan, Step, StepKind, plan};
use super::successor::SuccessorChanges;
use super::{Policy, Rotation, gauges};
use crate::auth::{Caller, Task, policy};
use crate::failpoint::{self, Failpoint};
use crate::services::lifecycle::{InitialState, KeyRing, Placement, RingChange, StateChange};
use crate::store::{DueRing, StoreError};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyId, KeyPair, KeyState, RingId};

/// Rings that are read at a time.
const PAGE: u32 = 100;
/// Rings that a sweep that only plans looks at.
const MOST_PLANNED: u32 = 1000;
/// How often one sweep comes back to one ring; more steps than this wait for the next.
const MOST_VISITS: u32 = 16;
/// How long a ring is left alone after its first failure; twice as long after each further one.
const BACKOFF: Duration = Duration::from_secs(60);
const MOST_BACKOFF: Duration = Duration::from_secs(3600);
/// How far the clock may stand behind the last sweep: clocks of several machines differ.
const TOLERANCE: Duration = Duration::from_secs(60);

/// How sweeps are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SweepOptions {
    /// Keys that one sweep may destroy.
    pub destroy_limit: u32,
    /// Longest time since the last sweep that the clock may show; `None` where there are no regular
    /// sweeps.
    pub clock_guard: Option<Duration>,
    /// Time that the making of a key has until its commit begins.
    pub deadline: Duration,
}

impl Default for SweepOptions {
    fn default() -> Self {
        let clock_guard = Some(Duration::from_secs(7 * 86_400));
        Self { destroy_limit: 100, clock_guard, deadline: Duration::from_secs(120) }
    }
}

/// Whether a sweep acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SweepMode {
    /// Carry out due steps.
    Run,
    /// Report due steps only.
    PlanOnly,
}

/// Outcome of a sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SweepOutcome {
    /// What is due was carried out, as far as nothing below says otherwise.
    Done,
    /// The steps are due; nothing was carried out.
    Planned,
    /// As `Planned`, for the clock stands where it should not.
    Held(String),
    /// Another daemon is sweeping.
    Elsewhere,
    /// It was stopped between two steps, or another sweep has begun.
    Interrupted,
}

impl SweepOutcome {
    /// The word for logs, metrics and answers.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Planned => "planned",
            Self::Held(_) => "held",
            Self::Elsewhere => "elsewhere",
            Self::Interrupted => "cut",
        }
    }
}

/// What a sweep did.
#[derive(Clone, Debug)]
pub struct SweepResult {
    pub outcome: SweepOutcome,
    /// What was carried out, or is due where nothing was.
    pub steps: Vec<(RingId, Step)>,
    /// Rings that failed, and why; they are tried again later.
    pub failures: Vec<(RingId, String)>,
    /// Destructions that are due and left to later sweeps.
    pub postponed: usize,
}

impl SweepResult {
    const fn new(outcome: SweepOutcome) -> Self {
        Self { outcome, steps: Vec::new(), failures: Vec::new(), postponed: 0 }
    }
}

/// A sweep under way.
struct SweepPass {
    fence: i64,
    leased_at: Timestamp,
    /// What is due by then is carried out.
    now: Timestamp,
    destroyed: u32,
    visits: HashMap<RingId, u32>,
    report: SweepResult,
}

impl Rotation {
    /// Carries out what is due now, or only says it.
    ///
    /// # Errors
    /// `Forbidden` without the scope `manage` or `operate`, `ProviderUnavailable` when the store
    /// cannot be read or written. What was done until then stays, and is done once.
    pub async fn sweep(self: &Arc<Self>, who: &Caller, mode: SweepMode) -> Result<SweepResult, Error> {
        policy::allow(who, policy::Action::Sweep, policy::Resource::Daemon)?;
        match mode {
            SweepMode::PlanOnly => self.plan_only(SweepOutcome::Planned, self.clock.now()).await,
            SweepMode::Run => {
                let rotation = Arc::clone(self);
                self.keyring.detached.run(async move { rotation.sweep_until(None).await }).await
            }
        }
    }

    /// A sweep that ends between two steps when it is told to stop.
    pub(super) async fn sweep_until(&self, stop: Option<&watch::Receiver<bool>>) -> Result<SweepResult, Error> {
        // The lease keeps other daemons away, not this one.
        let _one_at_a_time = self.sweeping.lock().await;
        let timer = gauges::SweepTimer::start();
        let outcome = self.under_lease(stop).await;
        timer.end(&outcome);
        if let Ok(agenda) = self.store.agenda(self.clock.now()).await {
            gauges::agenda(agenda);
        }
        outcome
    }

    async fn under_lease(&self, stop: Option<&watch::Receiver<bool>>) -> Result<SweepResult, Error> {
        let now = self.clock.now();
        let Some(lease) = self.store.lease_sweep(self.keyring.owner(), now, self.keyring.lease()).await? else {
            return Ok(SweepResult::new(SweepOutcome::Elsewhere));
        };
        failpoint::hit(Failpoint::SweepLease).await?;
        if let Some(why) = self.suspicion(lease.swept_at, now) {
            return self.hold_sweep(lease.fence, why, now).await;
        }
        self.release_hold();
        let report = SweepResult::new(SweepOutcome::Done);
        let (visits, fence) = (HashMap::new(), lease.fence);
        let mut pass = SweepPass { fence, leased_at: now, now, destroyed: 0, visits, report };
        let ended = match self.work(&mut pass, stop).await {
            Err(failure) if is_fenced(&failure) => {
                pass.report.outcome = SweepOutcome::Interrupted;
                return Ok(pass.report);
            }
            Err(failure) => {
                // The lease ends by itself where the store is out of reach.
                let _ = self.store.end_sweep(pass.fence, None, &[]).await;
                return Err(failure);
            }
            Ok(()) => {
                failpoint::hit(Failpoint::SweepEnd).await?;
                self.store.end_sweep(pass.fence, Some(self.clock.now()), &[]).await
            }
        };
        match ended {
            Ok(()) => {
                gauges::swept(self.clock.now());
                Ok(pass.report)
            }
            Err(StoreError::Fenced) => Ok(SweepResult { outcome: SweepOutcome::Interrupted, ..pass.report }),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Why the clock is not believed, if it is not.
    fn suspicion(&self, swept_at: Option<Timestamp>, now: Timestamp) -> Option<String> {
        let last = swept_at?;
        if now.plus(TOLERANCE) < last {
            return Some(format!("it is {now} by the clock, which is before the last sweep at {last}"));
        }
        let guard = self.options.clock_guard.filter(|guard| now.since(last) > *guard)?;
        let guard = humantime::format_duration(guard);
        Some(format!("it is {now} by the clock, more than {guard} after the last sweep at {last}"))
    }

    /// What is due at `now`, as far as one look goes.
    pub(super) async fn plan_only(&self, outcome: SweepOutcome, now: Timestamp) -> Result<SweepResult, Error> {
        let mut report = SweepResult::new(outcome);
        for due in self.store.due_rings(now, MOST_PLANNED).await? {
            let (_, _, plan) = self.planned(&due.ring, now).await?;
            report.steps.extend(plan.due(now).map(|step| (due.ring.clone(), step.clone())));
        }
        Ok(report)
    }

    /// Visits due rings, one step of one ring at a time, until none is left.
    async fn work(&self, pass: &mut SweepPass, stop: Option<&watch::Receiver<bool>>) -> Result<(), Error> {
        loop {
            let due = self.store.due_rings(pass.now, PAGE).await?;
            if due.is_empty() {
                return Ok(());
            }
            for ring in due {
                if stop.is_some_and(|stop| *stop.borrow()) {
                    pass.report.outcome = SweepOutcome::Interrupted;
                    return Ok(());
                }
                let visits = pass.visits.entry(ring.ring.clone()).or_default();
                *visits += 1;
                if *visits > MOST_VISITS {
                    pass.report.outcome = SweepOutcome::Interrupted;
                    return Ok(());
                }
                self.visit(pass, &ring).await?;
            }
        }
    }

    /// Carries out the first due step of a ring, after which it is due again; or notes when it will be.
    async fn visit(&self, pass: &mut SweepPass, due: &DueRing) -> Result<(), Error> {
        self.keep_lease(pass).await?;
        let (ring, policy, plan) = self.planned(&due.ring, pass.now).await?;
        failpoint::hit(Failpoint::SweepPlan).await?;
        let full = pass.destroyed >= self.options.destroy_limit;
        let is_over = |step: &&Step| full && matches!(step.kind, StepKind::Destroy(_));
        let Some(step) = plan.due(pass.now).find(|step| !is_over(step)) else {
            let postponed = plan.due(pass.now).count();
            pass.report.postponed += postponed;
            // What is left is for the next sweep, not for this one again.
            let soon = (postponed > 0).then(|| pass.now.plus(Duration::from_micros(1)));
            self.store.set_ring_due(due, soon.or_else(|| plan.next_work())).await?;
            self.forgive(&due.ring);
            failpoint::hit(Failpoint::SweepNote).await?;
            return Ok(());
        };
        match self.carry_out(pass.fence, &ring, &policy, step).await {
            Ok(()) => {
                pass.destroyed += u32::from(matches!(step.kind, StepKind::Destroy(_)));
                gauges::step(step);
                tracing::info!(ring = %due.ring, step = step.kind.name(), early = step.early, "{}", step.reason);
                pass.report.steps.push((due.ring.clone(), step.clone()));
            }
            Err(failure) if is_fenced(&failure) => return Err(failure),
            Err(failure) => {
                let wait = self.backoff(&due.ring);
                let what = step.kind.name();
                tracing::warn!(ring = %due.ring, step = what, error = %failure, wait = wait.as_secs(), "it failed");
                gauges::failure();
                pass.report.failures.push((due.ring.clone(), format!("{what}: {}", failure.public())));
                self.store.set_ring_due(due, Some(pass.now.plus(wait))).await?;
            }
        }
        Ok(())
    }

    /// A ring as it is, with its policy and plan; one without key pairs has an empty plan.
    async fn planned(&self, ring: &RingId, now: Timestamp) -> Result<(KeyRing, Policy, Plan), Error> {
        let keys = self.store.ring_to_plan(ring).await?;
        let policy = self.policies.of(ring).await?;
        let plan = plan(&keys, &policy, now);
        Ok((KeyRing { id: ring.clone(), keys }, policy, plan))
    }

    async fn carry_out(&self, fence: i64, ring: &KeyRing, policy: &Policy, step: &Step) -> Result<(), Error> {
        let reason = if step.early { format!("{}; early", step.reason) } else { step.reason.clone() };
        let active = ring.keys.iter().find(|pair| pair.state == KeyState::Active);
        let lost = ring.keys.iter().find(|pair| pair.awaits_successor);
        let followed = || active.or(lost).ok_or_else(|| changed("no key is Active there"));
        let to = |pair: &KeyPair, to| StateChange { pair: pair.clone(), to, reason: reason.clone() };
        let (moves, joins) = match step.kind {
            StepKind::Create => (Vec::new(), Some(InitialState::PreActive)),
            StepKind::Replace(_) => (Vec::new(), Some(InitialState::Active)),
            StepKind::Activate(Some(id)) => {
                let gives_way = active.map(|active| to(active, KeyState::Deactivated));
                let moves = gives_way.into_iter().chain([to(of(ring, id)?, KeyState::Active)]).collect();
                (moves, policy.always_next.then_some(InitialState::PreActive))
            }
            StepKind::Destroy(id) => (vec![to(of(ring, id)?, KeyState::Destroying)], None),
            StepKind::Activate(None) | StepKind::Withdraw(_) => return Ok(()),
        };
        let mut members = Vec::new();
        if let Some(entry) = joins {
            let differences = SuccessorChanges::of(None, self.policies.settings(&ring.id).await?);
            members.push(self.successor(&ring.id, followed()?, differences, entry)?);
        }
        failpoint::hit(Failpoint::SweepBegin).await?;
        let change = RingChange {
            ring: ring.id.clone(),
            placement: Placement::Successor,
            keys: members,
            state_changes: moves,
            reason,
            fence: Some(fence),
            deadline: self.options.deadline,
        };
        self.keyring.change_ring(&Caller::daemon(Task::Sweep), change).await?;
        // What is committed stays, whatever a test wants here.
        let _ = failpoint::hit(Failpoint::SweepStep).await;
        Ok(())
    }

    /// Takes the lease anew while enough of it is left for another step.
    async fn keep_lease(&self, pass: &mut SweepPass) -> Result<(), Error> {
        let now = self.clock.now();
        if now.since(pass.leased_at) < self.keyring.lease() / 2 {
            return Ok(());
        }
        let lease = self.store.lease_sweep(self.keyring.owner(), now, self.keyring.lease()).await?;
        pass.fence = lease.ok_or(StoreError::Fenced)?.fence;
        pass.leased_at = now;
        Ok(())
    }

    /// How long to leave a ring alone that has failed once more.
    fn backoff(&self, ring: &RingId) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = failures.entry(ring.clone()).or_default();
        *count = count.saturating_add(1);
        BACKOFF.saturating_mul(2_u32.saturating_pow(*count - 1)).min(MOST_BACKOFF)
    }

    fn forgive(&self, ring: &RingId) {
        self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(ring);
    }

    fn release_hold(&self) {
        if self.held.swap(false, Ordering::SeqCst) {
            tracing::info!("rotation goes on");
        }
        gauges::held(false);
    }
}

fn of(ring: &KeyRing, id: KeyId) -> Result<&KeyPair, Error> {
    ring.keys.iter().find(|pair| pair.id == id).ok_or_else(|| changed("the key is gone"))
}

fn changed(why: &'static str) -> Error {
    Error::new(ErrorKind::Conflict, "the ring was changed meanwhile").with_source(why)
}

fn is_fenced(failure: &Error) -> bool {
    matches!(failure.source_as(), Some(StoreError::Fenced))
}
