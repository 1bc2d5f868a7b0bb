//! What a host was asked and has not answered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::process::CallLost;
use crate::protocol::Reply;

/// How long a host may say nothing, its heartbeat included: six beats.
const SILENCE: Duration = Duration::from_secs(3);
/// The same before its first word: a process has to be loaded on a busy machine.
const FIRST_SILENCE: Duration = Duration::from_secs(10);

/// What the host was asked and has not answered, and what waits to be written to it.
pub(super) struct Calls {
    /// By number, and so in the order in which they reach the host.
    pub(super) in_flight: BTreeMap<u64, InFlight>,
    pub(super) last: u64,
    /// Signatures asked for, and other calls.
    pub(super) load: usize,
    /// Frames, which may hold secrets.
    pub(super) outgoing: Zeroizing<Vec<u8>>,
    pub(super) closing: StreamState,
    /// How many calls are worked on at a time.
    pub(super) sessions: usize,
    /// When the host was last heard of, or began; its clock stands while the client itself stood still.
    pub(super) heard: Instant,
    /// Whether the host has ever said anything.
    pub(super) begun: bool,
}

/// Whether the stream still takes calls.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum StreamState {
    #[default]
    Open,
    /// After what is in [`Calls::outgoing`].
    Draining,
    Closed,
}

pub(super) struct InFlight {
    pub(super) answer: oneshot::Sender<Result<Reply, CallLost>>,
    pub(super) limit: Duration,
    /// When a worker took it up, as far as it is known.
    pub(super) started: Option<Instant>,
    /// How many signatures it asks for; `None` for any other call.
    pub(super) signatures: Option<usize>,
    /// Idempotent: the call may be retried elsewhere while this host still runs it.
    pub(super) repeatable: bool,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            in_flight: BTreeMap::new(),
            last: 0,
            load: 0,
            outgoing: Zeroizing::default(),
            closing: StreamState::Open,
            sessions: 0,
            heard: Instant::now(),
            begun: false,
        }
    }
}

impl Calls {
    /// How long nothing was heard of the host, beyond what it is allowed to be silent.
    pub(super) fn is_silent(&self) -> bool {
        self.heard.elapsed() > if self.begun { SILENCE } else { FIRST_SILENCE }
    }

    /// Something was heard of the host.
    pub(super) fn hear(&mut self) {
        self.heard = Instant::now();
        self.begun = true;
    }

    /// Whether a call takes longer than its limit.
    pub(super) fn hangs(&self) -> bool {
        self.in_flight.values().any(InFlight::is_overdue)
    }

    pub(super) fn handle_reply(&mut self, number: u64, reply: Reply) {
        if matches!(reply, Reply::Alive) {
            // Heard, which is all that it says.
        } else if matches!(reply, Reply::Started) {
            if let Some(call) = self.in_flight.get_mut(&number) {
                call.started = Some(Instant::now());
            }
        } else if let Some(call) = self.in_flight.remove(&number) {
            self.load -= call.signatures.unwrap_or(1);
            // Whoever asked may have gone.
            let _ = call.answer.send(Ok(reply));
        }
    }

    /// Marks the signatures that workers must have started: an idle worker sends no `Started`.
    pub(super) fn recount(&mut self) {
        let now = Instant::now();
        for call in self.in_flight.values_mut().take(self.sessions).filter(|call| call.signatures.is_some()) {
            call.started.get_or_insert(now);
        }
    }

    /// Fails the calls that satisfy `which`.
    pub(super) fn release(&mut self, which: impl Fn(&InFlight) -> bool) {
        for (_, call) in self.in_flight.extract_if(.., |_, call| which(call)) {
            self.load -= call.signatures.unwrap_or(1);
            let _ = call.answer.send(Err(CallLost { started: call.started.is_some() }));
        }
    }
}

impl InFlight {
    pub(super) fn is_overdue(&self) -> bool {
        self.started.is_some_and(|since| since.elapsed() > self.limit)
    }
}
