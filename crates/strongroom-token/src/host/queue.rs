//! Between the stream and the threads that answer calls.
//!
//! There is no thread that only reads: a worker that finds no call waiting reads the next
//! ones itself, which saves a change of threads for each call. While all workers are
//! inside the module, calls wait in the stream.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use zeroize::Zeroizing;

use crate::frames::{self, FrameError, FrameReader};
use crate::protocol::{Call, CallFailure, FailureClass, Reply};

/// A call and its number.
pub(super) type NumberedCall = (u64, Call);

/// Limits of a batch of signatures.
#[derive(Clone, Copy)]
pub(super) struct BatchLimits {
    /// The normal limit.
    pub(super) usual: usize,
    /// The limit when four times as many wait.
    pub(super) of_many: usize,
}

/// Calls that wait for a worker, in the order of arrival. The client bounds their number.
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    workers: usize,
}

struct Waiting {
    calls: VecDeque<NumberedCall>,
    /// Absent while a worker reads.
    reader: Option<Reader>,
    /// Workers that wait for `changed`.
    idle: usize,
}

/// The stream, and what was read of it.
pub(super) struct Reader {
    stream: UnixStream,
    arriving: FrameReader,
}

impl Queue {
    /// The queue of as many workers, fed by a stream.
    pub(super) fn new(reader: Reader, workers: usize) -> Self {
        let waiting = Waiting { calls: VecDeque::new(), reader: Some(reader), idle: 0 };
        Self { waiting: Mutex::new(waiting), changed: Condvar::new(), workers: workers.max(1) }
    }

    /// Takes the next call, or several signatures as far as they wait and no other worker
    /// wants for them. Sends what is in the outbox before it waits.
    ///
    /// # Errors
    /// When the stream has ended or cannot be understood.
    pub(super) fn take(&self, limits: BatchLimits, outbox: &mut Outbox) -> Result<Vec<NumberedCall>, FrameError> {
        let mut waiting = self.lock();
        loop {
            if !waiting.calls.is_empty() {
                let taken = waiting.take(limits, self.workers);
                if waiting.idle > 0 {
                    // For the calls that are left, or for the reader's place.
                    self.changed.notify_one();
                }
                return Ok(taken);
            }
            if let Some(mut reader) = waiting.reader.take() {
                drop(waiting);
                let calls = reader.read(outbox)?;
                waiting = self.lock();
                waiting.calls.extend(calls);
                waiting.reader = Some(reader);
            } else if outbox.is_empty() {
                waiting.idle += 1;
                self.changed.wait(&mut waiting);
                waiting.idle -= 1;
            } else {
                drop(waiting);
                outbox.send()?;
                waiting = self.lock();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock()
    }
}

impl Waiting {
    fn take(&mut self, limits: BatchLimits, workers: usize) -> Vec<NumberedCall> {
        let share = self.calls.len().div_ceil(workers);
        let most = share.min(limits.usual).max((share / 4).min(limits.of_many));
        let mut taken = Vec::with_capacity(most);
        let mut signatures = 0;
        while let Some((_, call)) = self.calls.front() {
            signatures += call.signatures().unwrap_or(usize::MAX / 2);
            if !taken.is_empty() && signatures > most {
                break;
            }
            taken.extend(self.calls.pop_front());
        }
        taken
    }
}

impl Reader {
    /// A reader of a stream.
    pub(super) fn new(stream: UnixStream) -> Self {
        Self { stream, arriving: FrameReader::default() }
    }

    /// The next call, alone.
    ///
    /// # Errors
    /// When the stream has ended or cannot be understood.
    pub(super) fn one(&mut self) -> Result<NumberedCall, FrameError> {
        loop {
            if let Some(call) = self.arriving.next_frame()? {
                return Ok(call);
            }
            self.wait()?;
        }
    }

    /// Every call that is there, at least one; sends what is in the outbox before it waits.
    fn read(&mut self, outbox: &mut Outbox) -> Result<Vec<NumberedCall>, FrameError> {
        let mut calls = Vec::new();
        loop {
            while let Some(call) = self.arriving.next_frame()? {
                calls.push(call);
            }
            if !calls.is_empty() {
                return Ok(calls);
            }
            if outbox.is_empty() || !self.poll()? {
                outbox.send()?;
                self.wait()?;
            }
        }
    }

    /// Reads what is there, however long it takes to come.
    fn wait(&mut self) -> Result<(), FrameError> {
        let length = self.stream.read(self.arriving.spare()?)?;
        self.note(length)
    }

    /// Reads what is there; false when that is nothing.
    fn poll(&mut self) -> Result<bool, FrameError> {
        match recv(&self.stream, self.arriving.spare()?, RecvFlags::DONTWAIT) {
            Ok((_, length)) => self.note(length).map(|()| true),
            Err(Errno::AGAIN) => Ok(false),
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    fn note(&mut self, length: usize) -> Result<(), FrameError> {
        if length == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        self.arriving.advance(length);
        Ok(())
    }
}

/// Replies of one worker on their way to the client, several in one write.
pub(super) struct Outbox {
    stream: Arc<Mutex<UnixStream>>,
    pending: Zeroizing<Vec<u8>>,
}

impl Outbox {
    pub(super) fn new(stream: Arc<Mutex<UnixStream>>) -> Self {
        Self { stream, pending: Zeroizing::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Adds a reply, to be sent with the next.
    pub(super) fn add(&mut self, number: u64, reply: &Reply) -> Result<(), FrameError> {
        match frames::append(&mut self.pending, number, reply) {
            Err(FrameError::TooLong(length)) => {
                let failure = CallFailure::new(FailureClass::Unsupported, format!("a reply of {length} bytes"));
                frames::append(&mut self.pending, number, &Reply::Failed(failure))
            }
            done => done,
        }
    }

    /// Sends what was added.
    pub(super) fn send(&mut self) -> Result<(), FrameError> {
        if !self.pending.is_empty() {
            self.stream.lock().write_all(&self.pending)?;
            frames::wipe(&mut self.pending);
        }
        Ok(())
    }
}
