//! Admission: the order in which requests get a permit to call a provider.
//!
//! Owns one queue per provider: a bounded number of calls runs, the others wait, and principals get
//! permits in round-robin order; the pools for work that would hold up a thread of the runtime; and the tasks of
//! changes, which outlive their clients. Does not own the work done under a permit, nor the queues inside a provider.
//!
//! Invariants: a principal that floods a queue delays a call of another principal by at most one of its
//! own calls, running ones apart; no principal has more requests in a queue than its share; a call whose
//! deadline has passed, or whose client has gone, gets no permit; a permit lasts as long as the work
//! begun under it, even if its client has gone.

mod blocking_pool;
mod detached;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;
use strongroom_domain::error::{Error, ErrorKind};

use metrics::{Histogram, counter, histogram};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout_at;

use strongroom_domain::key::ProviderKind;

pub use blocking_pool::BlockingPool;
pub use detached::Detached;

/// Bounds of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueBounds {
    /// Calls at work at one provider.
    pub concurrency: usize,
    /// Requests of one principal, waiting or at work, at one provider; each may have several calls.
    pub share: usize,
}

/// Why no permit was given, or why the work was not finished in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The principal has as many requests under way as its share.
    #[error("this credential has {0} requests of this kind under way, which is its share; wait for some of them")]
    ShareExceeded(usize),
    /// The deadline passed.
    #[error("the deadline passed before the answer was ready")]
    DeadlinePassed,
}

impl From<NotAdmitted> for Error {
    fn from(failure: NotAdmitted) -> Self {
        let kind = match failure {
            NotAdmitted::ShareExceeded(_) => ErrorKind::Busy,
            NotAdmitted::DeadlinePassed => ErrorKind::Deadline,
        };
        Self::new(kind, failure.to_string())
    }
}

/// The queues for one kind of work, one per provider.
#[derive(Clone, Debug)]
pub struct FairQueue {
    /// The kind of work, as metrics call it.
    work: &'static str,
    hsm: Arc<Queue>,
    local: Arc<Queue>,
}

/// An admitted request; it counts against its principal's share until it is dropped.
#[derive(Debug)]
pub struct Admission {
    work: &'static str,
    queue: Arc<Queue>,
    principal: Arc<str>,
}

/// Permission to call a provider; passed to the next waiting call when it is dropped.
#[derive(Debug)]
pub struct Permit {
    queue: Arc<Queue>,
}

#[derive(Debug)]
struct Queue {
    bounds: QueueBounds,
    /// How long calls waited for a permit.
    waits: Histogram,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    /// Requests of each principal that are here.
    counts: HashMap<Arc<str>, usize>,
    /// Principals whose calls wait, the next one first, each once.
    waiting: VecDeque<(Arc<str>, VecDeque<Waiter>)>,
    arrivals: u64,
}

#[derive(Debug)]
struct Waiter {
    number: u64,
    permit: oneshot::Sender<()>,
}

impl FairQueue {
    /// Queues within these bounds for `run`, a word for metrics.
    #[must_use]
    pub fn new(work: &'static str, bounds: QueueBounds) -> Self {
        let queue = |provider: ProviderKind| {
            let waits = histogram!("strongroom_turn_wait_seconds", "work" => work, "provider" => provider.name());
            Arc::new(Queue { bounds, waits, state: Mutex::default() })
        };
        Self { work, hsm: queue(ProviderKind::Hsm), local: queue(ProviderKind::Local) }
    }

    /// Admits a request of `principal` to a provider's queue.
    ///
    /// # Errors
    /// [`NotAdmitted::ShareExceeded`].
    pub fn admit(&self, provider: ProviderKind, principal: &str) -> Result<Admission, NotAdmitted> {
        let queue = match provider {
            ProviderKind::Hsm => &self.hsm,
            ProviderKind::Local => &self.local,
        };
        let share = queue.bounds.share;
        let counted = queue.state().count_in(principal, share);
        let principal = counted.ok_or_else(|| refused(self.work, principal, NotAdmitted::ShareExceeded(share)))?;
        Ok(Admission { work: self.work, queue: Arc::clone(queue), principal })
    }
}

impl Admission {
    /// Waits for a permit until `deadline`.
    ///
    /// # Errors
    /// [`NotAdmitted::DeadlinePassed`].
    pub async fn acquire(&self, deadline: Instant) -> Result<Permit, NotAdmitted> {
        let begun = Instant::now();
        let taken = if begun < deadline { self.wait(deadline).await } else { None };
        let permit = taken.ok_or_else(|| refused(self.work, &self.principal, NotAdmitted::DeadlinePassed))?;
        self.queue.waits.record(begun.elapsed());
        Ok(permit)
    }

    async fn wait(&self, deadline: Instant) -> Option<Permit> {
        let (mut waiting, permit) = match self.queue.enter(&self.principal) {
            QueueEntry::Running(permit) => return Some(permit),
            QueueEntry::Waiting(waiting, permit) => (waiting, permit),
        };
        // The sender lives as long as the call is in the queue.
        timeout_at(deadline.into(), permit).await.ok().and_then(Result::ok)?;
        waiting.number = None;
        Some(Permit { queue: Arc::clone(&self.queue) })
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.queue.state().count_out(&self.principal);
    }
}

impl Permit {
    /// Runs `work` until `deadline`. When the deadline passes or the caller is dropped, the future moves
    /// to a task of its own and keeps the permit until it completes.
    ///
    /// # Errors
    /// [`NotAdmitted::DeadlinePassed`].
    pub async fn run<F>(self, deadline: Instant, work: F) -> Result<F::Output, NotAdmitted>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let work = async move {
            let done = work.await;
            drop(self);
            done
        };
        timeout_at(deadline.into(), FinishDetached(Some(Box::pin(work)))).await.map_err(|_| NotAdmitted::DeadlinePassed)
    }
}

/// A future that moves to a task of its own when it is dropped before it has completed.
struct FinishDetached<F: Future<Output: Send> + Send + 'static>(Option<Pin<Box<F>>>);

impl<F: Future<Output: Send> + Send + 'static> Future for FinishDetached<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(work) = &mut self.0 else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_ready() {
            self.0 = None;
        }
        polled
    }
}

impl<F: Future<Output: Send> + Send + 'static> Drop for FinishDetached<F> {
    fn drop(&mut self) {
        // Without a runtime the process ends, and its work with it.
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

/// Result of entering a queue.
enum QueueEntry {
    Running(Permit),
    Waiting(QueuedCall, oneshot::Receiver<()>),
}

/// A waiting call. On drop it leaves the queue, or passes its permit on if it has been given one.
struct QueuedCall {
    queue: Arc<Queue>,
    principal: Arc<str>,
    /// `None` once it has come to its turn.
    number: Option<u64>,
}

impl Queue {
    fn enter(self: &Arc<Self>, principal: &Arc<str>) -> QueueEntry {
        let mut state = self.state();
        if state.running < self.bounds.concurrency {
            state.running += 1;
            return QueueEntry::Running(Permit { queue: Arc::clone(self) });
        }
        let (permit, comes) = oneshot::channel();
        state.arrivals += 1;
        let number = state.arrivals;
        state.wait(principal, Waiter { number, permit });
        let (queue, principal) = (Arc::clone(self), Arc::clone(principal));
        QueueEntry::Waiting(QueuedCall { queue, principal, number: Some(number) }, comes)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn count_in(&mut self, principal: &str, share: usize) -> Option<Arc<str>> {
        let known = self.counts.get_key_value(principal).map(|(name, _)| Arc::clone(name));
        let name = known.unwrap_or_else(|| Arc::from(principal));
        let count = self.counts.entry(Arc::clone(&name)).or_default();
        if *count >= share {
            return None;
        }
        *count += 1;
        Some(name)
    }

    fn count_out(&mut self, principal: &Arc<str>) {
        if let Some(count) = self.counts.get_mut(principal) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(principal);
            }
        }
    }

    fn wait(&mut self, principal: &Arc<str>, waiter: Waiter) {
        match self.waiting.iter_mut().find(|(name, _)| name == principal) {
            Some((_, waiters)) => waiters.push_back(waiter),
            None => self.waiting.push_back((Arc::clone(principal), VecDeque::from([waiter]))),
        }
    }

    /// Takes a call out of the queue; whether it was still in it.
    fn forget(&mut self, principal: &Arc<str>, number: u64) -> bool {
        let Some(position) = self.waiting.iter().position(|(name, _)| name == principal) else { return false };
        let Some((_, waiters)) = self.waiting.get_mut(position) else { return false };
        let before = waiters.len();
        waiters.retain(|waiter| waiter.number != number);
        let found = waiters.len() < before;
        if waiters.is_empty() {
            self.waiting.remove(position);
        }
        found
    }

    /// Gives a returned permit to the first call of the next principal.
    fn pass_permit_on(&mut self) {
        let Some((principal, mut waiters)) = self.waiting.pop_front() else {
            self.running -= 1;
            return;
        };
        if let Some(next) = waiters.pop_front() {
            // A receiver that no longer listens passes the permit on when it is dropped.
            let _ = next.permit.send(());
        }
        if !waiters.is_empty() {
            self.waiting.push_back((principal, waiters));
        }
    }
}

impl Drop for QueuedCall {
    fn drop(&mut self) {
        let Some(number) = self.number else { return };
        let mut state = self.queue.state();
        // A call that has left the queue was given a permit that it can no longer use.
        if !state.forget(&self.principal, number) {
            state.pass_permit_on();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.queue.state().pass_permit_on();
    }
}

/// Counts a refusal.
fn refused(work: &'static str, principal: &str, why: NotAdmitted) -> NotAdmitted {
    let reason = match why {
        NotAdmitted::ShareExceeded(_) => "share",
        NotAdmitted::DeadlinePassed => "deadline",
    };
    let labels = [("work", work.to_owned()), ("principal", principal.to_owned()), ("reason", reason.to_owned())];
    counter!("strongroom_turns_refused_total", &labels).increment(1);
    why
}
