//! The token host: the child process that alone loads a PKCS#11 module and knows its PIN.
//!
//! Owns the module, the log-in, sessions, object handles and every `CK_` word. Does not
//! own when it is started, retried or replaced, nor queues and deadlines: that is the
//! client's end of the link. Speaks `protocol` over the stream that is its standard input.
//!
//! Invariants: a refused PIN is not tried twice; a key is generated or imported proven or not at
//! all; a handle signs for others only after its first signature verified, and decrypts only
//! after it has opened what was meant for it; the end of the stream ends the process at once,
//! without destructors.

use std::fs::DirBuilder;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};
use std::thread;

use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::frames::FrameError;
use crate::lock_file::{self, HeldLock, Tried};
use crate::protocol::{self, Call, CallFailure, CallOutcome, FailureClass, OpenCall, Reply, TokenTime};
use operations::decrypt;
use queue::{Outbox, Queue, Reader};
use session::token::Token;
use worker::Worker;

mod error_text;
mod harden;
mod initialise;
mod mechanism;
mod module;
mod objects;
mod operations;
mod queue;
mod sealing;
mod session;
#[cfg(test)]
mod tests;
mod worker;

pub(crate) use session::refused_pin::forget as forget_refused_pin;

/// What this process registered by.
static REGISTRATION: OnceLock<HeldLock> = OnceLock::new();

/// The token host could not start.
#[derive(Debug, thiserror::Error)]
#[error("the token host needs a stream from its client as standard input")]
pub struct HostError(#[from] io::Error);

/// Serves the client at the other end of standard input and never returns from it.
///
/// # Errors
/// When standard input is no stream or signals cannot be ignored; nothing was loaded.
pub fn main() -> Result<(), HostError> {
    harden::harden();
    harden::ignore_stop_signals()?;
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    stream.peer_addr()?;
    if let Err(error) = serve(stream) {
        note(&error);
    }
    harden::exit_at_once()
}

/// Lets the stream be served until the client is at its other end no more. Threads that are
/// inside the module are left there.
fn serve(stream: UnixStream) -> Result<(), FrameError> {
    let watched = stream.try_clone()?;
    let shared = Arc::new(Mutex::new(stream.try_clone()?));
    let beating = Outbox::new(Arc::clone(&shared));
    thread::Builder::new().name("heartbeat".to_owned()).spawn(move || beat(beating))?;
    thread::Builder::new().name("open".to_owned()).spawn(move || {
        if let Err(error) = open(stream, &shared) {
            note(&error);
        }
    })?;
    loop {
        match poll(&mut [PollFd::new(&watched, PollFlags::RDHUP)], None) {
            Ok(0) | Err(Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(io::Error::from(error).into()),
        }
    }
}

/// Says that the process runs, until nobody listens. It touches nothing of the module, so that it stops
/// only when the process does.
fn beat(mut outbox: Outbox) {
    while outbox.add(0, &Reply::Alive).and_then(|()| outbox.send()).is_ok() {
        thread::sleep(protocol::BEAT);
    }
}

/// Answers the first call, and lets workers answer the rest.
fn open(stream: UnixStream, shared: &Arc<Mutex<UnixStream>>) -> Result<(), FrameError> {
    let mut reader = Reader::new(stream);
    let (number, first) = reader.one()?;
    let mut outbox = Outbox::new(Arc::clone(shared));
    outbox.add(number, &Reply::Started)?;
    outbox.send()?;
    let (reply, workers) = match first {
        Call::Open(opening) => match start(&opening) {
            Ok((facts, workers)) => (Reply::Ready(Box::new(facts), workers.len()), workers),
            Err(failure) => (Reply::Failed(failure), Vec::new()),
        },
        Call::Look(request) => {
            let seen = module::load(&request.module).and_then(|module| module::select(&module, &request.selector));
            let done = |_| Reply::Done(CallOutcome::Present, TokenTime::default());
            (seen.map_or_else(Reply::Failed, done), Vec::new())
        }
        Call::InitToken(request) => {
            let done = |outcome| Reply::Done(outcome, TokenTime::default());
            (initialise::initialise(&request).map_or_else(Reply::Failed, done), Vec::new())
        }
        _ => (Reply::Failed(CallFailure::new(FailureClass::Unsupported, "no token is open")), Vec::new()),
    };
    outbox.add(number, &reply)?;
    outbox.send()?;
    let queue = Arc::new(Queue::new(reader, workers.len()));
    for (index, worker) in workers.into_iter().enumerate() {
        let (queue, outbox) = (Arc::clone(&queue), Outbox::new(Arc::clone(shared)));
        thread::Builder::new().name(format!("session {index}")).spawn(move || {
            if let Err(error) = worker.serve(&queue, outbox) {
                note(&error);
            }
            harden::exit_at_once()
        })?;
    }
    Ok(())
}

/// Notes why the client cannot be served any more, unless it has just gone.
fn note(error: &FrameError) {
    if !matches!(error, FrameError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof) {
        tracing::error!(error = error as &dyn std::error::Error, "the token host lost its client");
    }
}

/// Opens the token and as many sessions as it grants of those asked for, one at least.
fn start(opening: &OpenCall) -> Result<(protocol::TokenFacts, Vec<Worker>), CallFailure> {
    if opening.low_priority {
        harden::yield_to_others();
    }
    register(opening);
    let (mut token, mut facts) = Token::open(opening)?;
    token.decryptions = decrypt::supported_algorithms(&token.mechanisms, &token.session()?);
    facts.decryptions.clone_from(&token.decryptions);
    let token = Arc::new(token);
    let mut workers = vec![Worker::new(&token, opening.verify)?];
    for _ in 1..opening.sessions {
        match Worker::new(&token, opening.verify) {
            Ok(worker) => workers.push(worker),
            Err(failure) => {
                tracing::warn!(detail = failure.detail, sessions = workers.len(), "the token grants no more sessions");
                break;
            }
        }
    }
    Ok((facts, workers))
}

/// Registers this process as a host of its instance as long as it lives, so that a later life finds it if
/// it cannot end.
fn register(opening: &OpenCall) {
    let Some(folder) = &opening.registrations else { return };
    let path = folder.join(std::process::id().to_string());
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    match made.and_then(|()| lock_file::try_lock(&path, &opening.lock.of)) {
        // Held to the end, which no destructor sees.
        Ok(Tried::Held(lock)) => drop(REGISTRATION.set(lock)),
        Ok(Tried::Taken(_)) => tracing::warn!(path = %path.display(), "another process is registered by this number"),
        Err(error) => tracing::warn!(%error, path = %path.display(), "the token host could not register"),
    }
}
