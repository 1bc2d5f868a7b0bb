//! Finding key pairs, and what providers can do.

use super::Keyring;
use super::creation::ring_id_in_use;
use crate::auth::{Caller, policy};
use crate::provider::Capabilities;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyId, KeyName, KeyPair, Kid, ProviderKind, RingId, RingKind};

/// A ring with its visible key pairs, the Active one first.
#[derive(Clone, Debug)]
pub struct KeyRing {
    pub id: RingId,
    pub keys: Vec<KeyPair>,
}

impl Keyring {
    /// The key pair of a ring that signs, or would if it were not suspended.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn active(&self, who: &Caller, ring: &RingId) -> Result<KeyPair, Error> {
        let ring = self.ring(who, ring).await?;
        let current = ring.keys.into_iter().find(KeyPair::is_current);
        current.ok_or_else(|| not_found(&ring.id))
    }

    /// The current key pairs of every ring of a kind, suspended ones too, by creation time, then id.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn active_of_kind(&self, who: &Caller, kind: RingKind) -> Result<Vec<KeyPair>, Error> {
        policy::allow(who, policy::Action::ListKeys, policy::Resource::Daemon)?;
        Ok(self.store.active_of_kind(kind).await?)
    }

    /// A ring and its visible key pairs.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound` when it has none.
    pub async fn ring(&self, who: &Caller, ring: &RingId) -> Result<KeyRing, Error> {
        policy::allow(who, policy::Action::ReadKey, ring)?;
        let keys = self.store.ring(ring).await?;
        if keys.is_empty() { Err(not_found(ring)) } else { Ok(KeyRing { id: ring.clone(), keys }) }
    }

    /// Prepends a `NotUnique` violation if the ring exists. The store checks uniqueness only after all
    /// other rules have passed, and callers want all findings at once.
    pub async fn with_ring_conflict(&self, ring: Option<&RingId>, refused: Error) -> Error {
        let (Some(ring), ErrorKind::Invalid) = (ring, refused.kind()) else { return refused };
        match self.store.ring(ring).await {
            Ok(keys) if !keys.is_empty() => refused.preceded_by(ring_id_in_use(ring)),
            Ok(_) => refused,
            Err(failure) => failure.into(),
        }
    }

    /// The key pair of a kid in a ring, also after its deletion.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn find_even_deleted(&self, who: &Caller, ring: &RingId, kid: &Kid) -> Result<Option<KeyPair>, Error> {
        policy::allow(who, policy::Action::ReadKey, ring)?;
        Ok(self.store.find_even_deleted(ring, kid).await?)
    }

    /// Rings with a visible key pair by id, after `after`; and where the next page begins, if there is one.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn rings(
        &self,
        who: &Caller,
        after: Option<&RingId>,
        limit: u32,
    ) -> Result<(Vec<RingId>, Option<RingId>), Error> {
        policy::allow(who, policy::Action::ListKeys, policy::Resource::Daemon)?;
        let rings = self.store.rings(after, limit).await?;
        let next = rings.last().filter(|_| u32::try_from(rings.len()) == Ok(limit)).cloned();
        Ok((rings, next))
    }

    /// The key pair of an id or a kid, compromised ones and those about to be destroyed included.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Conflict` when the kid is that of several.
    pub async fn find_by_name(&self, who: &Caller, name: &KeyName) -> Result<KeyPair, Error> {
        self.named_for(who, policy::Action::ReadKey, name).await
    }

    /// HMAC-SHA-256 of a request's body under the store's key, by which an `Idempotency-Key` remembers it.
    #[must_use]
    pub fn fingerprint(&self, body: &[u8]) -> [u8; 32] {
        self.store.fingerprint(body)
    }

    /// The key pair of an id or a kid, for a caller who may do `action` with it.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Conflict` when the kid is that of several.
    pub(in crate::services) async fn named_for(
        &self,
        who: &Caller,
        action: policy::Action,
        name: &KeyName,
    ) -> Result<KeyPair, Error> {
        policy::may(who, action, Some(policy::Resource::Key(name, None)))?;
        let pair = self.store.find_by_name(name).await?;
        let pair = pair.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no key {name}")))?;
        policy::allow(who, action, policy::Resource::Key(name, pair.ring.as_ref()))?;
        Ok(pair)
    }

    /// Key pairs by id, after `after`, compromised ones and those about to be destroyed included; and where the next
    /// page begins, if there is one.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn page(
        &self,
        who: &Caller,
        after: Option<KeyId>,
        limit: u32,
    ) -> Result<(Vec<KeyPair>, Option<KeyId>), Error> {
        policy::allow(who, policy::Action::ListKeys, policy::Resource::Daemon)?;
        let (wanted, mut after) = (usize::try_from(limit).unwrap_or(usize::MAX), after);
        let mut pairs = Vec::new();
        loop {
            let rows = self.store.page(after, self.clock.now(), limit).await?;
            let full = rows.len() >= wanted;
            for pair in rows {
                after = Some(pair.id);
                if pair.state.is_named() {
                    pairs.push(pair);
                }
                if pairs.len() == wanted {
                    return Ok((pairs, after));
                }
            }
            if !full {
                return Ok((pairs, None));
            }
        }
    }

    /// Capabilities of each configured provider; `None` for a provider that was never ready.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn capabilities(&self, who: &Caller) -> Result<Vec<(ProviderKind, Option<Capabilities>)>, Error> {
        policy::allow(who, policy::Action::ReadCapabilities, policy::Resource::Daemon)?;
        Ok(self.providers.iter().map(|provider| (provider.kind(), provider.capabilities())).collect())
    }
}

pub(super) fn not_found(ring: &RingId) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no key ring {ring}"))
}
