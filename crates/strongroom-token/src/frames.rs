//! How calls and replies lie on the stream between client and token host.
//!
//! A frame is four bytes of length (big-endian) and a postcard body: the call's number
//! and the call or reply. Frames may carry secrets: what was read is wiped, and no buffer
//! that grows leaves a copy behind.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::{Zeroize as _, Zeroizing};

/// The longest body of a frame: an inventory of some 500,000 objects.
pub(crate) const FRAME_LIMIT: usize = 64 << 20;

const HEAD: usize = 4;

/// The room that buffers keep in quiet times.
const ROOM: usize = 32 << 10;

/// A frame could not be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("a frame of {0} bytes is over the limit")]
    TooLong(usize),
    #[error("a frame is malformed")]
    Malformed(#[source] postcard::Error),
    #[error("the connection failed")]
    Io(#[from] io::Error),
}

/// Appends one frame to `buffer`, or nothing. Room is made for all of it at once, so that
/// no copy of a secret is left behind by a buffer that grows.
///
/// # Errors
/// When the body is over [`FRAME_LIMIT`].
pub(crate) fn append<T: Serialize>(buffer: &mut Vec<u8>, number: u64, body: &T) -> Result<(), FrameError> {
    let numbered = (number, body);
    let length = postcard::experimental::serialized_size(&numbered).map_err(FrameError::Malformed)?;
    let head = u32::try_from(length).ok().filter(|_| length <= FRAME_LIMIT).ok_or(FrameError::TooLong(length))?;
    make_room(buffer, HEAD + length);
    buffer.extend_from_slice(&head.to_be_bytes());
    postcard::to_io(&numbered, buffer).map(|_| ()).map_err(FrameError::Malformed)
}

/// Makes room in a buffer that may hold a secret.
fn make_room(buffer: &mut Vec<u8>, more: usize) {
    if buffer.capacity() - buffer.len() < more {
        let mut larger = Vec::with_capacity(2 * buffer.len() + more);
        larger.extend_from_slice(buffer);
        drop(Zeroizing::new(std::mem::replace(buffer, larger)));
    }
}

/// Empties a buffer that was sent, for the next frames.
pub(crate) fn wipe(buffer: &mut Vec<u8>) {
    buffer.as_mut_slice().zeroize();
    buffer.clear();
    if buffer.capacity() > ROOM {
        // It was large for one frame.
        *buffer = Vec::new();
    }
}

/// Frames as they arrive: many in one read, or one in many.
pub(crate) struct FrameReader {
    buffer: Zeroizing<Vec<u8>>,
    /// What was read and not yet taken lies between these.
    from: usize,
    to: usize,
}

impl Default for FrameReader {
    fn default() -> Self {
        Self { buffer: Zeroizing::new(vec![0; ROOM]), from: 0, to: 0 }
    }
}

impl FrameReader {
    /// Where to read to: never empty, and long enough for the rest of a frame that has begun.
    ///
    /// # Errors
    /// When the frame is over [`FRAME_LIMIT`].
    pub(crate) fn spare(&mut self) -> Result<&mut [u8], FrameError> {
        let frame = HEAD + self.body_length()?.unwrap_or(0);
        if self.from == self.to {
            (self.from, self.to) = (0, 0);
        }
        let large = self.buffer.len() > ROOM && frame <= ROOM;
        if large || self.from + frame > self.buffer.len() {
            let mut moved = Zeroizing::new(vec![0; frame.max(ROOM)]);
            let held = self.buffer.get(self.from..self.to).unwrap_or_default();
            let length = held.len().min(moved.len());
            moved.iter_mut().zip(held).for_each(|(place, byte)| *place = *byte);
            self.buffer = moved;
            (self.from, self.to) = (0, length);
        }
        Ok(self.buffer.get_mut(self.to..).unwrap_or_default())
    }

    /// Notes how much was read.
    pub(crate) fn advance(&mut self, length: usize) {
        self.to = (self.to + length).min(self.buffer.len());
    }

    /// The next frame that is there whole.
    ///
    /// # Errors
    /// When it is over [`FRAME_LIMIT`], or no call or reply.
    pub(crate) fn next_frame<T: DeserializeOwned>(&mut self) -> Result<Option<(u64, T)>, FrameError> {
        let Some(length) = self.body_length()? else { return Ok(None) };
        let end = self.from + HEAD + length;
        let Some(frame) = self.buffer.get_mut(self.from..end).filter(|_| end <= self.to) else { return Ok(None) };
        let taken = postcard::from_bytes(frame.get(HEAD..).unwrap_or_default()).map_err(FrameError::Malformed);
        frame.zeroize();
        self.from = end;
        taken.map(Some)
    }

    /// The length of the next frame's body, once its head is there.
    fn body_length(&self) -> Result<Option<usize>, FrameError> {
        let waiting = self.buffer.get(self.from..self.to).unwrap_or_default();
        let Some(head) = waiting.first_chunk::<HEAD>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*head)).unwrap_or(usize::MAX);
        if length > FRAME_LIMIT { Err(FrameError::TooLong(length)) } else { Ok(Some(length)) }
    }
}
