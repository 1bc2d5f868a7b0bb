//! One token host as its client sees it: a child process, a stream, calls in flight.

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

use super::calls::{Calls, InFlight, StreamState};
use crate::frames::{self, FrameError, FrameReader};
use crate::options::HostCommand;
use crate::protocol::{Call, CallFailure, FailureClass, Reply};

/// How often calls in flight are looked at for one that hangs.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A look that comes this late says that this process stood still, not its hosts.
const STOOD_STILL: Duration = Duration::from_secs(1);

/// For the stream of a process that was killed to end.
const LAST_WORDS: Duration = Duration::from_secs(2);

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
    /// A call took longer than its limit.
    Hung,
    /// Its heartbeat stopped: the whole process stands still.
    Silent,
    /// It said so itself.
    Broken,
}

/// A running host. Dropping it kills the process; the runtime reaps it.
pub(crate) struct HostProcess {
    shared: Arc<Shared>,
    pid: u32,
    /// Calls hold it shared; a call that is retried alone holds it exclusively.
    pub(super) exclusive: RwLock<()>,
}

struct Shared {
    child: Mutex<Child>,
    calls: Mutex<Calls>,
    /// Asks for what is in [`Calls::outgoing`] to be written.
    ready: Notify,
    fault: watch::Sender<Option<HostFault>>,
    /// Set once the stream has ended and every reply in it was read.
    ended: watch::Sender<bool>,
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
            child: Mutex::new(child),
            calls: Mutex::default(),
            ready: Notify::new(),
            fault: watch::Sender::new(None),
            ended: watch::Sender::new(false),
        });
        tokio::spawn(write_calls(writer, Arc::clone(&shared)));
        tokio::spawn(read_replies(reader, Arc::clone(&shared)));
        tokio::spawn(watch_for_hangs(Arc::downgrade(&shared)));
        Ok(Self { shared, pid, exclusive: RwLock::default() })
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
        self.shared.kill();
    }

    /// Waits until everything that it said has been heard, and the process is no more.
    pub(super) async fn ended(&self) {
        let _ = self.shared.ended.subscribe().wait_for(|ended| *ended).await;
        while matches!(self.shared.child.lock().try_wait(), Ok(None)) {
            tokio::time::sleep(REAP_INTERVAL).await;
        }
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Shared {
    fn kill(&self) {
        // An error means that it has ended already.
        let _ = self.child.lock().start_kill();
    }

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
    calls.hear();
    while let Some((number, reply)) = arriving.next_frame()? {
        calls.handle_reply(number, reply);
    }
    Ok(())
}

/// Gives a host up when a call takes longer than its limit, or its heartbeat stops.
async fn watch_for_hangs(shared: Weak<Shared>) {
    let mut looked = Instant::now();
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        let Some(shared) = shared.upgrade() else { return };
        if *shared.ended.borrow() {
            return;
        }
        // Where this process stood still, what hosts said meanwhile has yet to be read.
        let stood_still = std::mem::replace(&mut looked, Instant::now()).elapsed() > STOOD_STILL;
        let (hangs, silent) = {
            let mut calls = shared.calls();
            if stood_still {
                calls.heard = Instant::now();
            }
            calls.recount();
            (calls.hangs(), calls.is_silent())
        };
        if silent {
            shared.set_fault(HostFault::Silent);
            return end_silent(&shared).await;
        }
        if hangs {
            shared.set_fault(HostFault::Hung);
            // The call is let go, and so is what waits behind it and may be done elsewhere.
            shared.calls().release(|call| call.is_overdue() || (call.started.is_none() && call.repeatable));
        }
    }
}

/// Ends a process that stands still. Its calls are lost with its stream, whose last words tell which of
/// them were begun; a process that the kernel will not let go keeps none of them waiting.
async fn end_silent(shared: &Shared) {
    shared.kill();
    let mut ended = shared.ended.subscribe();
    if tokio::time::timeout(LAST_WORDS, ended.wait_for(|ended| *ended)).await.is_err() {
        let mut calls = shared.calls();
        let now = Instant::now();
        for call in calls.in_flight.values_mut() {
            call.started.get_or_insert(now);
        }
        calls.release(|_| true);
    }
}
