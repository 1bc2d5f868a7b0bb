//! The token host: the child process that alone loads a PKCS#11 module and knows its PIN.
//!
//! Owns the module, the log-in, sessions, object handles and every `CK_` word. Does not
//! own when it is started, retried or replaced, nor queues and deadlines: that is the
//! daemon's end of the link. Speaks `protocol` over the stream that is its standard input.
//!
//! Invariants: a refused PIN is not tried twice; a key is generated or imported proven or not at
//! all; a handle signs for others only after its first signature verified, and decrypts only
//! after it has opened what was meant for it; the end of the stream ends the process at once,
//! without destructors.

use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::thread;

use super::protocol::{self, Call, Failure, FailureClass, FrameError, Opening, Reply};
use queue::{Outbox, Queue};
use token::Token;
use worker::Worker;

mod decrypt;
mod fault;
mod find;
mod harden;
mod import;
mod initialise;
mod inventory;
mod keygen;
mod login;
mod mechanism;
mod module;
mod private_key;
mod public_key;
mod queue;
mod refused;
mod sealing;
mod sign;
mod template;
#[cfg(test)]
mod tests;
mod token;
mod worker;

pub(super) use refused::forget as forget_refused_pin;

/// The token host could not start.
#[derive(Debug, thiserror::Error)]
#[error("the token host needs a stream from its daemon as standard input")]
pub struct HostError(#[from] io::Error);

/// Serves the daemon at the other end of standard input and never returns from it.
///
/// # Errors
/// When standard input is no stream or signals cannot be ignored; nothing was loaded.
pub fn run() -> Result<(), HostError> {
    harden::harden();
    harden::ignore_stop_signals()?;
    let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    stream.peer_addr()?;
    if let Err(error) = serve(stream) {
        tracing::error!(error = &error as &dyn std::error::Error, "the token host lost its daemon");
    }
    harden::vanish()
}

/// Reads calls until the stream ends. Threads that are inside the module are left there.
fn serve(stream: UnixStream) -> Result<(), FrameError> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let queue = Arc::new(Queue::default());
    let Some((number, first)) = protocol::read(&mut reader)? else { return Ok(()) };
    let waiting = Arc::clone(&queue);
    thread::Builder::new().name("open".to_owned()).spawn(move || {
        let stream = Arc::new(Mutex::new(stream));
        if let Err(error) = open(number, first, &stream, &waiting) {
            tracing::error!(error = &error as &dyn std::error::Error, "the token host cannot answer");
        }
    })?;
    while let Some((number, call)) = protocol::read(&mut reader)? {
        queue.put(number, call);
    }
    Ok(())
}

/// Answers the first call, and lets workers answer the rest.
fn open(number: u32, first: Call, stream: &Arc<Mutex<UnixStream>>, queue: &Arc<Queue>) -> Result<(), FrameError> {
    let mut outbox = Outbox::new(Arc::clone(stream));
    outbox.add(number, &Reply::Started)?;
    outbox.send()?;
    let (reply, workers) = match first {
        Call::Open(opening) => match start(&opening) {
            Ok((facts, workers)) => (Reply::Ready(Box::new(facts)), workers),
            Err(failure) => (Reply::Failed(failure), Vec::new()),
        },
        Call::InitToken(request) => {
            (initialise::initialise(&request).map_or_else(Reply::Failed, Reply::Done), Vec::new())
        }
        _ => (Reply::Failed(Failure::new(FailureClass::Unsupported, "no token is open")), Vec::new()),
    };
    outbox.add(number, &reply)?;
    outbox.send()?;
    for (index, worker) in workers.into_iter().enumerate() {
        let (queue, outbox) = (Arc::clone(queue), Outbox::new(Arc::clone(stream)));
        thread::Builder::new().name(format!("session {index}")).spawn(move || worker.serve(&queue, outbox))?;
    }
    Ok(())
}

/// Opens the token and as many sessions as it grants of those asked for, one at least.
fn start(opening: &Opening) -> Result<(protocol::TokenFacts, Vec<Worker>), Failure> {
    if opening.low_priority {
        harden::yield_to_others();
    }
    let (token, facts) = Token::open(opening)?;
    let token = Arc::new(token);
    let mut workers = vec![Worker::new(&token)?];
    for _ in 1..opening.sessions {
        match Worker::new(&token) {
            Ok(worker) => workers.push(worker),
            Err(failure) => {
                tracing::warn!(detail = failure.detail, sessions = workers.len(), "the token grants no more sessions");
                break;
            }
        }
    }
    Ok((facts, workers))
}
