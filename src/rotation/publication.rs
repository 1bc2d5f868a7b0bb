//! Publication: which public keys verifiers are given, and for how long they may keep them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Rotation;
use crate::clock::Timestamp;
use crate::error::{Error, Kind};
use crate::key::RingId;

/// A set of public keys that is published at one place.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Published {
    /// Those of one ring.
    Ring(RingId),
    /// Those of the connection of a name.
    ConnectionNamed(String),
    /// Those that sign OAuth and `OpenID` Connect tokens.
    Oidc,
}

/// A key set (RFC 7517 section 5) as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySet {
    /// The JSON document.
    pub body: Bytes,
    /// A strong entity tag, quotes included.
    pub etag: String,
    /// When the schedule changes it next.
    pub changes_at: Option<Timestamp>,
}

impl KeySet {
    /// How long a verifier may keep it from `now` on: `max_age` at most, and never past the next change.
    #[must_use]
    pub fn max_age(&self, now: Timestamp, max_age: Duration) -> Duration {
        self.changes_at.map_or(max_age, |change| max_age.min(change.since(now)))
    }
}

impl Rotation {
    /// The key set of a place; anybody may ask.
    ///
    /// # Errors
    /// `NotFound` when there is nothing at that place.
    #[allow(clippy::unused_async, reason = "reads the store once it is built")]
    pub async fn key_set(&self, _place: &Published) -> Result<Arc<KeySet>, Error> {
        Err(Error::new(Kind::NotFound, "nothing is published here"))
    }
}
