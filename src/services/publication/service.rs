//! The service over key sets: each from memory while that is known to be right.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde_json::json;

use super::key_set::{KeySet, KeySetId};
use super::key_set_builder::{CertificateDisplay, KeySetBuilder};
use crate::provider::{KeyProvider, Providers};
use crate::services::rotation::Policies;
use crate::services::settings::Catalog;
use crate::store::{EpochCache, EpochReading, Store};
use strongroom_domain::clock::{Clock, Timestamp};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{DecryptionAlgorithm, HashAlgorithm, KeyPair, KeyState, ProviderKind, RingId, RingKind};

/// The service over key sets.
pub struct Publication {
    store: Arc<Store>,
    providers: Providers,
    catalog: Arc<Catalog>,
    policies: Policies,
    clock: Arc<dyn Clock>,
    cache: EpochCache<KeySetId, CachedKeySet>,
}

/// A cached key set with the time of its next change.
#[derive(Clone)]
struct CachedKeySet {
    set: Arc<KeySet>,
    until: Option<Timestamp>,
}

impl Publication {
    /// A service over store, providers, catalog and the policies of rings.
    #[must_use]
    pub fn new(
        store: Arc<Store>,
        providers: Providers,
        catalog: Arc<Catalog>,
        policies: Policies,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, providers, catalog, policies, clock, cache: EpochCache::default() }
    }

    /// Takes note of the store's epoch: see [`crate::store::follow_epoch`].
    pub fn observe_epoch(&self, seen: EpochReading) {
        self.cache.observe_epoch(seen);
    }

    /// The key set of a place; anybody may ask. From memory while that is known to be right.
    ///
    /// # Errors
    /// `NotFound` when there is nothing at that place.
    pub async fn key_set(&self, id: &KeySetId) -> Result<Arc<KeySet>, Error> {
        let (revision, now) = (self.store.revision(), self.clock.now());
        let cached = self.cache.get(id, revision);
        if let Some(cached) = cached.filter(|cached| cached.until.is_none_or(|until| now < until)) {
            return Ok(cached.set);
        }
        let begun = self.cache.snapshot(revision);
        let mut builder = KeySetBuilder::new(now, self.decryptions());
        match id {
            KeySetId::Ring(ring) => self.add_ring(ring, &mut builder).await?,
            KeySetId::ConnectionNamed(name) => self.add_connection(name, &mut builder).await?,
            KeySetId::Oidc => self.add_oidc(&mut builder).await?,
        }
        let cached = CachedKeySet::of(&builder)?;
        self.cache.insert_if_unchanged(id.clone(), cached.clone(), begun);
        Ok(cached.set)
    }

    /// How long a verifier may keep a key set from now on.
    #[must_use]
    pub fn max_age(&self, set: &KeySet) -> Duration {
        set.max_age(self.clock.now(), self.policies.max_age())
    }

    /// How each provider that was ready once decrypts best.
    fn decryptions(&self) -> Vec<(ProviderKind, Option<DecryptionAlgorithm>)> {
        let best = |provider: Arc<dyn KeyProvider>| {
            Some((provider.kind(), provider.capabilities()?.decryptions.into_iter().max()))
        };
        self.providers.iter().filter_map(best).collect()
    }

    async fn add_ring(&self, ring: &RingId, builder: &mut KeySetBuilder) -> Result<(), Error> {
        let pairs = self.read_ring(ring, builder).await?;
        // Web keys have a place of their own, also before there is one.
        if pairs.is_empty() && ring.kind() != RingKind::WebKeys && !self.withholds(ring).await? {
            return Err(Error::new(ErrorKind::NotFound, format!("there is no key ring {ring}")));
        }
        for pair in &pairs {
            builder.add(pair, CertificateDisplay::Shown)?;
        }
        Ok(())
    }

    /// Whether a ring is there whose key is suspended or compromised: verifiers are given an empty set rather than a
    /// refusal, after which they might keep the set that they have.
    async fn withholds(&self, ring: &RingId) -> Result<bool, Error> {
        let pairs = self.store.ring_to_plan(ring).await?;
        Ok(pairs.iter().any(|pair| pair.state == KeyState::Suspended || pair.awaits_successor))
    }

    async fn add_connection(&self, name: &str, builder: &mut KeySetBuilder) -> Result<(), Error> {
        let missing = || Error::new(ErrorKind::NotFound, format!("there is no connection {name}"));
        let ring = self.catalog.connection_by_name(name).await?.ok_or_else(missing)?;
        self.add_ring(&ring, builder).await
    }

    /// The settings that key sets follow.
    pub(super) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The key pairs of a ring that are published, while the draft's time is watched for changes of the ring.
    pub(super) async fn read_ring(&self, ring: &RingId, builder: &mut KeySetBuilder) -> Result<Vec<KeyPair>, Error> {
        let mut pairs = self.store.ring_to_plan(ring).await?;
        pairs.retain(|pair| pair.state != KeyState::PendingDestruction);
        let policy = self.policies.of(ring).await?;
        Ok(builder.publish_ring(ring, pairs, &policy))
    }
}

impl CachedKeySet {
    fn of(builder: &KeySetBuilder) -> Result<Self, Error> {
        let body = serde_json::to_vec(&json!({"keys": builder.keys()}))
            .map_err(|failure| Error::new(ErrorKind::Internal, "internal error").with_source(failure))?;
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(HashAlgorithm::Sha256.digest(&body)));
        let set = KeySet { body: Bytes::from(body), etag, changes_at: builder.changes_at() };
        Ok(Self { set: Arc::new(set), until: builder.holds_until() })
    }
}
