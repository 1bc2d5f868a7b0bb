//! Publication: which public keys verifiers are given, and for how long they may keep them.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::json;

use super::Rotation;
use super::members::{Certificates, Draft};
use crate::auth::Principal;
use crate::store::SeenEpoch;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, Kind};
use strongroom_domain::key::{DecryptionAlgorithm, Hash, KeyPair, ProviderKind, RingId, RingKind};

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
    /// When the schedule changes it, or who signs, next; a moment that has passed is overdue.
    pub changes_at: Option<Timestamp>,
}

/// A key set that was read, and the moment from which on it is another.
#[derive(Clone)]
pub(super) struct Kept {
    set: Arc<KeySet>,
    until: Option<Timestamp>,
}

impl KeySet {
    /// How long a verifier may keep it from `now` on: `max_age` at most, and never past the next change.
    #[must_use]
    pub fn max_age(&self, now: Timestamp, max_age: Duration) -> Duration {
        self.changes_at.map_or(max_age, |change| max_age.min(change.since(now)))
    }
}

impl Rotation {
    /// Takes note of the store's epoch: see [`crate::store::follow_epoch`].
    pub fn confirm(&self, seen: SeenEpoch) {
        self.published.confirm(seen);
    }

    /// The key set of a place; anybody may ask. From memory while that is known to be right.
    ///
    /// # Errors
    /// `NotFound` when there is nothing at that place.
    pub async fn key_set(&self, place: &Published) -> Result<Arc<KeySet>, Error> {
        let (revision, now) = (self.store.revision(), self.clock.now());
        let kept = self.published.get(place, revision);
        if let Some(kept) = kept.filter(|kept| kept.until.is_none_or(|until| now < until)) {
            return Ok(kept.set);
        }
        let begun = self.published.begin(revision);
        let mut draft = Draft::new(now, self.decryptions()?);
        match place {
            Published::Ring(ring) => self.add_ring(ring, &mut draft).await?,
            Published::ConnectionNamed(name) => self.add_connection(name, &mut draft).await?,
            Published::Oidc => self.add_oidc(&mut draft).await?,
        }
        let kept = Kept::of(&draft)?;
        self.published.put(place.clone(), kept.clone(), begun);
        Ok(kept.set)
    }

    /// How long a verifier may keep a key set from now on.
    #[must_use]
    pub fn max_age(&self, set: &KeySet) -> Duration {
        set.max_age(self.clock.now(), self.defaults.max_age)
    }

    /// How each provider that was ready once decrypts best.
    fn decryptions(&self) -> Result<Vec<(ProviderKind, Option<DecryptionAlgorithm>)>, Error> {
        let able = self.keyring.capabilities(&Principal::strongroom())?;
        Ok(able.into_iter().filter_map(|(kind, able)| Some((kind, able?.decryptions.into_iter().max()))).collect())
    }

    async fn add_ring(&self, ring: &RingId, draft: &mut Draft) -> Result<(), Error> {
        let pairs = self.read_ring(ring, draft).await?;
        // Web keys have a place of their own, also before there is one.
        if pairs.is_empty() && ring.kind() != RingKind::WebKeys {
            return Err(Error::new(Kind::NotFound, format!("there is no key ring {ring}")));
        }
        for pair in &pairs {
            draft.add(pair, Certificates::Shown)?;
        }
        Ok(())
    }

    async fn add_connection(&self, name: &str, draft: &mut Draft) -> Result<(), Error> {
        let missing = || Error::new(Kind::NotFound, format!("there is no connection {name}"));
        let ring = self.catalog.connection_by_name(name).await?.ok_or_else(missing)?;
        self.add_ring(&ring, draft).await
    }

    /// The key pairs of a ring that are published, while the draft's time is watched for changes of the ring.
    pub(super) async fn read_ring(&self, ring: &RingId, draft: &mut Draft) -> Result<Vec<KeyPair>, Error> {
        let pairs = self.store.ring(ring).await?;
        let policy = self.policy(ring).await?;
        Ok(draft.watch(ring, pairs, &policy))
    }
}

impl Kept {
    fn of(draft: &Draft) -> Result<Self, Error> {
        let body = serde_json::to_vec(&json!({"keys": draft.keys()}))
            .map_err(|failure| Error::new(Kind::Internal, "internal error").because(failure))?;
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(Hash::Sha256.digest(&body)));
        let set = KeySet { body: Bytes::from(body), etag, changes_at: draft.changes_at() };
        Ok(Self { set: Arc::new(set), until: draft.holds_until() })
    }
}
