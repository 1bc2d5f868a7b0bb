//! The clock guard: sweeps that are held back, and their resumption by an operator.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::sweep::{SweepOutcome, SweepResult};
use super::{Rotation, gauges};
use crate::auth::{Caller, Task, policy};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};

impl Rotation {
    /// Gives the lease back, with a word in the audit trail the first time, and only says what is due.
    pub(super) async fn hold_sweep(&self, fence: i64, why: String, now: Timestamp) -> Result<SweepResult, Error> {
        let first = !self.held.swap(true, Ordering::SeqCst);
        gauges::held(true);
        let event = event(now, &Caller::daemon(Task::Sweep), Action::RotationHeld, why.clone());
        self.store.end_sweep(fence, None, if first { std::slice::from_ref(&event) } else { &[] }).await?;
        let report = self.plan_only(SweepOutcome::Held(why.clone()), now).await?;
        if first {
            let due = report.steps.len();
            tracing::error!(due, "rotation is held: {why}; if that is right, say `strongroom rotation resume`");
        }
        Ok(report)
    }

    /// Lets sweeps go on from the present moment, whatever the clock was at the last one.
    ///
    /// # Errors
    /// `Forbidden`; `Conflict` while a sweep is under way.
    pub async fn resume(&self, who: &Caller) -> Result<(), Error> {
        policy::allow(who, policy::Action::ResumeRotation, policy::Resource::Daemon)?;
        let now = self.clock.now();
        let lease = self.store.lease_sweep(self.keyring.owner(), now, self.keyring.lease()).await?;
        let lease = lease.ok_or_else(|| Error::new(ErrorKind::Conflict, "a sweep is under way; try again"))?;
        let before = lease.swept_at.map_or_else(|| "there was none before".to_owned(), |at| format!("it was at {at}"));
        let detail = format!("the last sweep counts as one of {now}; {before}");
        let event = event(now, who, Action::RotationResumed, detail);
        let store = Arc::clone(&self.store);
        self.keyring.detached.run(async move { Ok(store.end_sweep(lease.fence, Some(now), &[event]).await?) }).await
    }
}

fn event(at: Timestamp, who: &Caller, action: Action, detail: String) -> Event {
    Event { at, principal: who.name().to_owned(), action, key: None, ring: None, detail, request_id: who.request_id() }
}
