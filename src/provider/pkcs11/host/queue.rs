//! Between the one thread that reads calls and the threads that answer them.

use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::super::protocol::{self, Call, Failure, FailureClass, FrameError, Reply};

/// Calls that wait for a worker, in the order of arrival. The daemon bounds their number.
#[derive(Default)]
pub(super) struct Queue {
    calls: Mutex<VecDeque<(u32, Call)>>,
    arrived: Condvar,
}

impl Queue {
    pub(super) fn put(&self, number: u32, call: Call) {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push_back((number, call));
        self.arrived.notify_one();
    }

    /// The next call if one waits.
    pub(super) fn poll(&self) -> Option<(u32, Call)> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// The next call, however long it takes to come.
    pub(super) fn wait(&self) -> (u32, Call) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(call) = calls.pop_front() {
                return call;
            }
            calls = self.arrived.wait(calls).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Replies of one worker on their way to the daemon, several in one write.
pub(super) struct Outbox {
    stream: Arc<Mutex<UnixStream>>,
    pending: Vec<u8>,
}

impl Outbox {
    pub(super) const fn new(stream: Arc<Mutex<UnixStream>>) -> Self {
        Self { stream, pending: Vec::new() }
    }

    /// Adds a reply, to be sent with the next.
    pub(super) fn add(&mut self, number: u32, reply: &Reply) -> Result<(), FrameError> {
        match protocol::append(&mut self.pending, number, reply) {
            Err(FrameError::TooLong(length)) => {
                let failure = Failure::new(FailureClass::Unsupported, format!("a reply of {length} bytes"));
                protocol::append(&mut self.pending, number, &Reply::Failed(failure))
            }
            done => done,
        }
    }

    /// Sends what was added.
    pub(super) fn send(&mut self) -> Result<(), FrameError> {
        if !self.pending.is_empty() {
            let frames = Zeroizing::new(std::mem::take(&mut self.pending));
            self.stream.lock().unwrap_or_else(PoisonError::into_inner).write_all(&frames)?;
        }
        Ok(())
    }
}
