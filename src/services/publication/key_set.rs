//! Key sets (RFC 7517) and their names.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::RingId;

/// Which key set.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeySetId {
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
    /// When the schedule changes it, or who signs, next; a moment that has passed is overdue.
    pub changes_at: Option<Timestamp>,
}

/// A key set that is answered with.
#[derive(Clone, Debug)]
pub struct PublishedKeySet {
    pub set: Arc<KeySet>,
    /// It is from memory, and the store could not be asked whether it still holds.
    pub stale: bool,
}

impl KeySet {
    /// How long a verifier may keep it from `now` on: `max_age` at most, and never past the next change.
    #[must_use]
    pub fn max_age(&self, now: Timestamp, max_age: Duration) -> Duration {
        self.changes_at.map_or(max_age, |change| max_age.min(change.since(now)))
    }
}
