//! One token host as its client sees it: a child process, a stream, calls in flight.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::sync::{Notify, RwLock, oneshot, watch};
use zeroize::Zeroizing;

use crate::frames::{self, FrameError, FrameReader};
use crate::options::HostCommand;
use crate::protocol::{Call, CallFailure, FailureClass, Reply};

/// How often calls in flight are looked at for one that hangs.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// How often a process whose stream has ended is looked at until it can be reaped.
const REAP_INTERVAL: Duration = Duration::from_millis(1);

/// A call did not come back from its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallLost {
    /// Whether a worker had taken it up.
    pub(super) started: bool,
}

/// Why a host is to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostFault {
    Died,
    Hung,
    /// It said so itself.
    Broken,
}

/// A running host. Dropping it kills the process; the runtime reaps it.
pub(crate) struct HostProcess {
    shared: Arc<Shared>,
    pid: u32,
    child: Mutex<Child>,
    /// Calls hold it shared; a call that is retried alone holds it exclusively.
    pub(super) exclusive: RwLock<()>,
}

struct Shared {
    calls: Mutex<Calls>,
    /// Asks for what is in [`Calls::outgoing`] to be written.
    ready: Notify,
    fault: watch::Sender<Option<HostFault>>,
    /// Set once the stream has ended and every reply in it was read.
    ended: watch::Sender<bool>,
}

/// What the host was asked and has not answered, and what waits to be written to it.
#[derive(Default)]
struct Calls {
    /// By number, and so in the order in which they reach the host.
    in_flight: BTreeMap<u64, InFlight>,
    last: u64,
    /// Signatures asked for, and other calls.
    load: usize,
    /// Frames, which may hold secrets.
    outgoing: Zeroizing<Vec<u8>>,
    closing: StreamState,
    /// How many calls are worked on at a time.
    sessions: usize,
}

/// Whether the stream still takes calls.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum StreamState {
    #[default]
    Open,
    /// After what is in [`Calls::outgoing`].
    Draining,
    Closed,
}

struct InFlight {
    answer: oneshot::Sender<Result<Reply, CallLost>>,
    limit: Duration,
    /// When a worker took it up, as far as it is known.
    started: Option<Instant>,
    /// How many signatures it asks for; `None` for any other call.
    signatures: Option<usize>,
    /// Idempotent: the call may be retried elsewhere while this host still runs it.
    repeatable: bool,
}

impl HostProcess {
    /// Starts a host; nothing is open in it yet.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub(super) fn spawn(command: &HostCommand, environment: &[(OsString, OsString)]) -> io::Result<Self> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = Command::new(&command.program)
            .args(&command.arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().ok_or_else(|| io::Error::other("the process ended before it began"))?;
        let (reader, writer) = UnixStream::from_std(ours)?.into_split();
        let shared = Arc::new(Shared {
            calls: Mutex::default(),
            ready: Notify::new(),
            fault: watch::Sender::new(None),
            ended: watch::Sender::new(false),
        });
        tokio::spawn(write_calls(writer, Arc::clone(&shared)));
        tokio::spawn(read_replies(reader, Arc::clone(&shared)));
        tokio::spawn(watch_for_hangs(Arc::downgrade(&shared)));
        Ok(Self { shared, pid, child: Mutex::new(child), exclusive: RwLock::default() })
    }

    /// The process's id.
    pub(super) const fn pid(&self) -> u32 {
        self.pid
    }

    /// How many signatures and other calls it has not answered.
    pub(super) fn load(&self) -> usize {
        self.shared.calls().load
    }

    /// Sends a call and waits for its reply, `limit` from the moment it is taken up.
    ///
    /// # Errors
    /// [`CallLost`] when host or call are given up first.
    pub(crate) async fn call(&self, call: &Call, limit: Duration) -> Result<Reply, CallLost> {
        let (answer, reply) = oneshot::channel();
        {
            let mut calls = self.shared.calls();
            if self.fault().is_some() || calls.closing != StreamState::Open {
                return Err(CallLost { started: false });
            }
            let number = calls.last + 1;
            if let Err(error) = frames::append(&mut calls.outgoing, number, call) {
                return Ok(Reply::Failed(CallFailure::new(FailureClass::Unsupported, error.to_string())));
            }
            let (signatures, repeatable) =
                (call.signatures(), !matches!(call, Call::Generate(_) | Call::Import { .. }));
            calls.last = number;
            calls.load += signatures.unwrap_or(1);
            calls.in_flight.insert(number, InFlight { answer, limit, started: None, signatures, repeatable });
        }
        self.shared.ready.notify_one();
        let reply = reply.await.unwrap_or(Err(CallLost { started: true }));
        if let Ok(Reply::Ready(_, sessions)) = &reply {
            self.shared.calls().sessions = *sessions;
        }
        reply
    }

    /// The fault for which the host is to be replaced, if any.
    pub(super) fn fault(&self) -> Option<HostFault> {
        *self.shared.fault.borrow()
    }

    /// Waits for a fault.
    pub(super) async fn wait_for_fault(&self) -> Option<HostFault> {
        let mut fault = self.shared.fault.subscribe();
        fault.wait_for(Option::is_some).await.ok().and_then(|fault| *fault)
    }

    /// Marks the host as faulty: it takes no new calls.
    pub(super) fn set_fault(&self, fault: HostFault) {
        self.shared.set_fault(fault);
    }

    /// Ends the stream after what was sent, and so the process.
    pub(super) fn close(&self) {
        self.shared.calls().closing = StreamState::Draining;
        self.shared.ready.notify_one();
    }

    /// Ends it at once; what is in flight is lost.
    pub(super) fn kill(&self) {
        // An error means that it has ended already.
        let _ = self.child.lock().start_kill();
    }

    /// Waits until everything that it said has been heard, and the process is no more.
    pub(super) async fn ended(&self) {
        let _ = self.shared.ended.subscribe().wait_for(|ended| *ended).await;
        while matches!(self.child.lock().try_wait(), Ok(None)) {
            tokio::time::sleep(REAP_INTERVAL).await;
        }
    }
}

impl Shared {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock()
    }

    fn set_fault(&self, fault: HostFault) {
        // Under the lock: no call slips in between.
        let _calls = self.calls();
        self.fault.send_if_modified(|known| {
            let worse = known.is_none();
            if worse {
                *known = Some(fault);
            }
            worse
        });
    }
}

impl Calls {
    fn handle_reply(&mut self, number: u64, reply: Reply) {
        if matches!(reply, Reply::Started) {
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
    fn recount(&mut self) {
        let now = Instant::now();
        for call in self.in_flight.values_mut().take(self.sessions).filter(|call| call.signatures.is_some()) {
            call.started.get_or_insert(now);
        }
    }

    /// Fails the calls that satisfy `which`.
    fn release(&mut self, which: impl Fn(&InFlight) -> bool) {
        for (_, call) in self.in_flight.extract_if(.., |_, call| which(call)) {
            self.load -= call.signatures.unwrap_or(1);
            let _ = call.answer.send(Err(CallLost { started: call.started.is_some() }));
        }
    }
}

/// Writes calls as they come, those that come together in one write, until the stream is closed.
async fn write_calls(mut stream: OwnedWriteHalf, shared: Arc<Shared>) {
    let mut outgoing = Zeroizing::new(Vec::new());
    loop {
        shared.ready.notified().await;
        if shared.calls().in_flight.len() > 1 {
            // Whoever else is about to call does so first.
            tokio::task::yield_now().await;
        }
        let closing = {
            let mut calls = shared.calls();
            std::mem::swap(&mut calls.outgoing, &mut outgoing);
            calls.closing
        };
        if stream.write_all(&outgoing).await.is_err() {
            // The reader has not come to the stream's end yet.
            shared.set_fault(HostFault::Died);
            break;
        }
        if closing != StreamState::Open {
            break;
        }
        frames::wipe(&mut outgoing);
    }
    shared.calls().closing = StreamState::Closed;
}

async fn read_replies(mut stream: OwnedReadHalf, shared: Arc<Shared>) {
    let mut arriving = FrameReader::default();
    loop {
        match read_some(&mut stream, &mut arriving, &shared).await {
            Ok(()) => {}
            Err(FrameError::Io(_)) => break,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a token host is not understood");
                break;
            }
        }
    }
    shared.set_fault(HostFault::Died);
    {
        let mut calls = shared.calls();
        calls.closing = StreamState::Closed;
        calls.recount();
        calls.release(|_| true);
    }
    shared.ready.notify_one();
    shared.ended.send_replace(true);
}

/// Reads once, and hears every reply that is there whole.
async fn read_some(stream: &mut OwnedReadHalf, arriving: &mut FrameReader, shared: &Shared) -> Result<(), FrameError> {
    let length = stream.read(arriving.spare()?).await?;
    if length == 0 {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    arriving.advance(length);
    let mut calls = shared.calls();
    while let Some((number, reply)) = arriving.next_frame()? {
        calls.handle_reply(number, reply);
    }
    Ok(())
}

/// Gives a host up when a call takes longer than its limit. The call is let go, and so is
/// what waits behind it and may be done elsewhere.
async fn watch_for_hangs(shared: Weak<Shared>) {
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        let Some(shared) = shared.upgrade() else { return };
        if *shared.ended.borrow() {
            return;
        }
        let overdue = |call: &InFlight| call.started.is_some_and(|since| since.elapsed() > call.limit);
        let hangs = {
            let mut calls = shared.calls();
            calls.recount();
            calls.in_flight.values().any(overdue)
        };
        if hangs {
            shared.set_fault(HostFault::Hung);
            shared.calls().release(|call| overdue(call) || (call.started.is_none() && call.repeatable));
        }
    }
}
