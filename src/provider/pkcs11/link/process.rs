//! One token host as the daemon sees it: a child process, a stream, calls in flight.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{RwLock, mpsc, oneshot, watch};
use zeroize::Zeroizing;

use super::super::protocol::{self, Call, Failure, FailureClass, FrameError, Reply};

/// How often calls in flight are looked at for one that hangs.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A call did not come back from its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Lost {
    /// Whether a worker had taken it up.
    pub(super) started: bool,
}

/// An encoded frame, which may hold a secret.
type Frame = Zeroizing<Vec<u8>>;

/// Why a host is to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    Died,
    Hung,
    /// It said so itself.
    Broken,
}

/// A running host. Dropping it ends the process.
pub(in super::super) struct HostProcess {
    shared: Arc<Shared>,
    child: Mutex<Child>,
    frames: mpsc::UnboundedSender<Frame>,
    next: AtomicU32,
    /// Held for reading by calls; a suspect takes it for writing and is alone.
    pub(super) turn: RwLock<()>,
}

struct Shared {
    in_flight: Mutex<HashMap<u32, InFlight>>,
    trouble: watch::Sender<Option<Trouble>>,
    /// Set once the stream has ended and every reply in it was read.
    ended: watch::Sender<bool>,
}

struct InFlight {
    answer: oneshot::Sender<Result<Reply, Lost>>,
    limit: Duration,
    started: Option<Instant>,
    /// Whether it may be let go while the host lives: its twin does no harm.
    repeatable: bool,
}

impl HostProcess {
    /// Starts a host; nothing is open in it yet.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub(super) fn spawn(executable: &Path, environment: &[(OsString, OsString)]) -> io::Result<Self> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = Command::new(executable)
            .arg("token-host")
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(OwnedFd::from(theirs))
            .stdout(Stdio::null())
            .process_group(0)
            .spawn()?;
        let (reader, writer) = UnixStream::from_std(ours)?.into_split();
        let (frames, waiting) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            in_flight: Mutex::default(),
            trouble: watch::Sender::new(None),
            ended: watch::Sender::new(false),
        });
        tokio::spawn(write_calls(writer, waiting));
        tokio::spawn(read_replies(reader, Arc::clone(&shared)));
        tokio::spawn(watch_for_hangs(Arc::downgrade(&shared)));
        Ok(Self { shared, child: Mutex::new(child), frames, next: AtomicU32::new(1), turn: RwLock::default() })
    }

    /// The process's id.
    pub(super) fn pid(&self) -> u32 {
        self.child().id()
    }

    /// How many calls it has not answered.
    pub(super) fn load(&self) -> usize {
        self.shared.in_flight().len()
    }

    /// Sends a call and waits for its reply, `limit` from the moment it is taken up.
    ///
    /// # Errors
    /// [`Lost`] when host or call are given up first.
    pub(in super::super) async fn call(&self, call: &Call, limit: Duration) -> Result<Reply, Lost> {
        let not_sent = Lost { started: false };
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut frame = Frame::default();
        if let Err(error) = protocol::append(&mut frame, number, call) {
            return Ok(Reply::Failed(Failure::new(FailureClass::Unsupported, error.to_string())));
        }
        let (answer, reply) = oneshot::channel();
        {
            let mut in_flight = self.shared.in_flight();
            if self.trouble().is_some() {
                return Err(not_sent);
            }
            let repeatable = !matches!(call, Call::Generate(_) | Call::Import { .. });
            in_flight.insert(number, InFlight { answer, limit, started: None, repeatable });
        }
        if self.frames.send(frame).is_err() {
            // The writer saw the stream break before the reader came to its end.
            self.give_up(Trouble::Died);
            self.shared.in_flight().remove(&number);
            return Err(not_sent);
        }
        reply.await.unwrap_or(Err(Lost { started: true }))
    }

    /// Why it is to be replaced, if it is.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        *self.shared.trouble.borrow()
    }

    /// Waits until it is to be replaced.
    pub(super) async fn troubled(&self) -> Option<Trouble> {
        let mut trouble = self.shared.trouble.subscribe();
        trouble.wait_for(Option::is_some).await.ok().and_then(|trouble| *trouble)
    }

    /// Gives it up: it takes no new calls.
    pub(super) fn give_up(&self, trouble: Trouble) {
        self.shared.give_up(trouble);
    }

    /// Ends the stream after what was sent, and so the process.
    pub(super) fn close(&self) {
        // An error means that it has ended already.
        let _ = self.frames.send(Frame::default());
    }

    /// Ends it at once; what is in flight is lost.
    pub(super) fn kill(&self) {
        // An error means that it has ended already.
        let _ = self.child().kill();
    }

    /// Waits until it has ended and everything that it said has been heard.
    pub(super) async fn ended(&self) {
        let _ = self.shared.ended.subscribe().wait_for(|ended| *ended).await;
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        self.kill();
        // SIGKILL is not waited for long; a process that is stuck in the kernel is left.
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..20 {
            if !matches!(child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Shared {
    fn in_flight(&self) -> MutexGuard<'_, HashMap<u32, InFlight>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, number: u32, reply: Reply) {
        let mut in_flight = self.in_flight();
        if matches!(reply, Reply::Started) {
            if let Some(call) = in_flight.get_mut(&number) {
                call.started = Some(Instant::now());
            }
        } else if let Some(call) = in_flight.remove(&number) {
            // Whoever asked may have gone.
            let _ = call.answer.send(Ok(reply));
        }
    }

    fn give_up(&self, trouble: Trouble) {
        // Under the lock: no call slips in between.
        let _in_flight = self.in_flight();
        self.trouble.send_if_modified(|known| {
            let worse = known.is_none();
            if worse {
                *known = Some(trouble);
            }
            worse
        });
    }

    /// Lets calls go that satisfy `which`.
    fn release(&self, which: impl Fn(&InFlight) -> bool) {
        let released: Vec<InFlight> =
            self.in_flight().extract_if(|_, call| which(call)).map(|(_, call)| call).collect();
        for call in released {
            let _ = call.answer.send(Err(Lost { started: call.started.is_some() }));
        }
    }
}

/// Writes calls as they come, those that wait in one write, until there are no more or an
/// empty frame closes the stream.
async fn write_calls(mut stream: OwnedWriteHalf, mut frames: mpsc::UnboundedReceiver<Frame>) {
    let mut batch = Vec::new();
    while frames.recv_many(&mut batch, 64).await > 0 {
        let last = batch.iter().any(|frame| frame.is_empty());
        let mut together = Frame::new(Vec::with_capacity(batch.iter().map(|frame| frame.len()).sum()));
        for frame in &batch {
            together.extend_from_slice(frame);
        }
        let written = stream.write_all(&together).await;
        if last || written.is_err() {
            return;
        }
        batch.clear();
    }
}

async fn read_replies(stream: OwnedReadHalf, shared: Arc<Shared>) {
    let mut stream = BufReader::new(stream);
    loop {
        match read_reply(&mut stream).await {
            Ok((number, reply)) => shared.hear(number, reply),
            Err(FrameError::Io(_)) => break,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a token host is not understood");
                break;
            }
        }
    }
    shared.give_up(Trouble::Died);
    shared.release(|_| true);
    shared.ended.send_replace(true);
}

async fn read_reply(stream: &mut BufReader<OwnedReadHalf>) -> Result<(u32, Reply), FrameError> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let mut body = Zeroizing::new(vec![0; protocol::body_length(head)?]);
    stream.read_exact(&mut body).await?;
    protocol::decode(&body)
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
        if shared.in_flight().values().any(overdue) {
            shared.give_up(Trouble::Hung);
            shared.release(|call| overdue(call) || (call.started.is_none() && call.repeatable));
        }
    }
}
