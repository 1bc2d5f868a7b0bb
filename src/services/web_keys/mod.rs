//! Web keys: the members of the one ring `web-keys`, each known by its kid.
//!
//! Owns what is done with them as a whole ring: creation, activation, deletion, the order of their list, and the
//! two keys that a new instance begins with. Does not own how a key pair is made (`lifecycle`) or when it is
//! succeeded by itself (`rotation`).
//!
//! Invariants: an activation or a deletion is one transaction of the store, which looks at the ring and changes
//! it, so that there is one active key at every moment once there was one, however many daemons change the
//! ring at once; daemons that start together make one set of first keys.

mod first_keys;

use std::sync::Arc;
use std::time::Duration;

use crate::auth::{Caller, policy};
use crate::failpoint::{self, Failpoint};
use crate::services::lifecycle::{InitialState, Keyring, KidScheme, NewRingKey, Placement, RingChange};
use crate::services::rotation::Rotation;
use crate::store::{Activation, MemberDeletion, Store, StoreError};
use strongroom_domain::audit::Action;
use strongroom_domain::clock::{Clock, Timestamp};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{
    KeyAlgorithm, KeyPair, KeyState, KeyUse, Kid, ProviderKind, RingId, RingKind, SignatureAlgorithm,
};

/// Waits before a change whose outcome is unknown is made again, in milliseconds.
const WAITS: [u64; 4] = [100, 400, 1600, 6400];

/// A web key to be made.
#[derive(Clone, Copy, Debug)]
pub struct NewWebKey {
    pub provider: ProviderKind,
    pub algorithm: KeyAlgorithm,
    pub signature_algorithm: SignatureAlgorithm,
    /// Time allowed until the commit begins.
    pub deadline: Duration,
}

/// Outcome of the deletion of a web key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WebKeyDeletion {
    /// It is deleted, now or since before.
    Deleted(Box<KeyPair>),
    /// It signs, and stays.
    Active,
    /// There never was one of this id.
    NeverExisted,
}

/// The service over web keys.
pub struct WebKeys {
    store: Arc<Store>,
    keyring: Arc<Keyring>,
    rotation: Arc<Rotation>,
    clock: Arc<dyn Clock>,
}

impl WebKeys {
    /// A service over a store, the keyring over it, and its rotation.
    #[must_use]
    pub fn new(store: Arc<Store>, keyring: Arc<Keyring>, rotation: Arc<Rotation>, clock: Arc<dyn Clock>) -> Self {
        Self { store, keyring, rotation, clock }
    }

    /// Makes a web key: it signs at once if no other does, else it is published only.
    ///
    /// # Errors
    /// Those of [`Keyring::change_ring`].
    pub async fn create(&self, who: &Caller, new: NewWebKey) -> Result<KeyPair, Error> {
        let change = ring_change(Placement::Additional, vec![new.member(InitialState::ActiveIfNone)], new.deadline)?;
        let changed = self.keyring.change_ring(who, change).await?;
        let lost = || Error::new(ErrorKind::Internal, "internal error").with_source("a web key was made without a row");
        changed.created.into_iter().next().ok_or_else(lost)
    }

    /// Makes a key the one that signs; nothing happens when it is that already. `None` when there is no key of
    /// this id any more.
    ///
    /// # Errors
    /// `Forbidden`; `Unsupported` for a key that cannot sign now; what the store answers.
    pub async fn activate(self: &Arc<Self>, who: &Caller, id: &str) -> Result<Option<KeyPair>, Error> {
        let ring = ring()?;
        policy::allow(who, policy::Action::ChangeRing, &ring)?;
        let Ok(kid) = Kid::parse(id) else { return Ok(None) };
        let lead = self.rotation.policy(&ring).await?.lead;
        let work = |keys: Arc<Self>, who| async move { keys.activate_here(&who, &ring, &kid, lead).await };
        match self.keyring.detached.run_for(self, who, work).await? {
            Activation::Done(pair) => Ok(Some(*pair)),
            Activation::NotFound => Ok(None),
            Activation::Unfit(pair) => Err(unfit(&pair)),
        }
    }

    /// Deletes a key that does not sign; one that was deleted before stays as it is.
    ///
    /// # Errors
    /// `Forbidden`, what the store answers.
    pub async fn delete(self: &Arc<Self>, who: &Caller, id: &str) -> Result<WebKeyDeletion, Error> {
        let ring = ring()?;
        policy::allow(who, policy::Action::ChangeRing, &ring)?;
        // A text that is no kid is the id of no key.
        let Ok(kid) = Kid::parse(id) else { return Ok(WebKeyDeletion::NeverExisted) };
        let work = |keys: Arc<Self>, who| async move { keys.delete_here(&who, &ring, &kid).await };
        Ok(match self.keyring.detached.run_for(self, who, work).await? {
            MemberDeletion::Done(pair) => WebKeyDeletion::Deleted(pair),
            MemberDeletion::Active => WebKeyDeletion::Active,
            MemberDeletion::NotFound => WebKeyDeletion::NeverExisted,
        })
    }

    /// All web keys that are not deleted, the oldest first.
    ///
    /// # Errors
    /// `Forbidden`, what the store answers.
    pub async fn list(&self, who: &Caller) -> Result<Vec<KeyPair>, Error> {
        let ring = ring()?;
        policy::allow(who, policy::Action::ReadKey, &ring)?;
        let mut keys = self.store.ring(&ring).await?;
        keys.sort_by_key(|pair| (pair.created_at, pair.id));
        Ok(keys)
    }

    /// [`Self::activate`] in the task of its caller. A key that was made less than `lead` ago signs before every
    /// verifier can know it.
    async fn activate_here(&self, who: &Caller, ring: &RingId, kid: &Kid, lead: Duration) -> Result<Activation, Error> {
        failpoint::hit(Failpoint::ActivateBegin).await?;
        let now = self.clock.now();
        let event = |pair: &KeyPair, to| match to {
            KeyState::Active => {
                let early = pair.state == KeyState::PreActive && pair.created_at > now.minus(lead);
                let detail = if early { "activation was asked for; early" } else { "activation was asked for" };
                self.keyring.event(who, Action::Activated, pair, detail.to_owned())
            }
            _ => self.keyring.event(who, Action::Deactivated, pair, format!("{kid} is activated")),
        };
        let activation = settled(|| self.store.activate_member(ring, kid, now, event)).await?;
        // A crash from here on loses nothing; a failure can no longer be answered.
        let _ = failpoint::hit(Failpoint::ActivateCommit).await;
        Ok(activation)
    }

    /// [`Self::delete`] in the task of its caller.
    async fn delete_here(&self, who: &Caller, ring: &RingId, kid: &Kid) -> Result<MemberDeletion, Error> {
        let now = self.clock.now();
        let removal = |pair: &KeyPair| self.keyring.deletion(who, pair, now);
        let deletion = settled(|| self.store.delete_member(ring, kid, removal)).await?;
        if let MemberDeletion::Done(_) = &deletion {
            self.keyring.reconcile_soon(false);
        }
        Ok(deletion)
    }
}

impl NewWebKey {
    /// The member of the ring that it becomes.
    fn member(self, initial_state: InitialState) -> NewRingKey {
        NewRingKey {
            initial_state,
            kid_scheme: KidScheme::Decimal,
            provider: self.provider,
            key_use: KeyUse::Sign,
            algorithm: self.algorithm,
            signature_algorithm: self.signature_algorithm,
            permitted: vec![self.signature_algorithm],
            certificate: None,
        }
    }
}

/// When a key last changed.
#[must_use]
pub fn change_date(pair: &KeyPair) -> Timestamp {
    [pair.activated_at, pair.deactivated_at, pair.compromised_at, pair.deleted_at]
        .into_iter()
        .flatten()
        .fold(pair.created_at, Ord::max)
}

/// Makes a change that may be made twice, again while its outcome is unknown.
async fn settled<T, W: Future<Output = Result<T, StoreError>>>(change: impl Fn() -> W) -> Result<T, StoreError> {
    for wait in WAITS {
        match change().await {
            Err(StoreError::Unknown(_)) => tokio::time::sleep(Duration::from_millis(wait)).await,
            outcome => return outcome,
        }
    }
    change().await
}

/// The ring of all web keys.
///
/// # Errors
/// Never.
pub fn ring() -> Result<RingId, Error> {
    RingId::new(RingKind::WebKeys, "")
        .map_err(|fault| Error::new(ErrorKind::Internal, "internal error").with_source(fault))
}

/// The change of the ring that adds keys.
fn ring_change(placement: Placement, keys: Vec<NewRingKey>, deadline: Duration) -> Result<RingChange, Error> {
    let (state_changes, reason) = (Vec::new(), String::new());
    Ok(RingChange { ring: ring()?, placement, keys, state_changes, reason, fence: None, deadline })
}

/// Why a key cannot become Active.
fn unfit(pair: &KeyPair) -> Error {
    if pair.missing {
        return Error::new(ErrorKind::Unsupported, "the private key of this web key is missing from its provider");
    }
    let why = match pair.state {
        KeyState::Suspended => "suspended: it signs again once it is reinstated".to_owned(),
        state => format!("{state}: it cannot sign"),
    };
    Error::new(ErrorKind::Unsupported, format!("this web key is {why}"))
}
