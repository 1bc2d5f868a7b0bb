//! What is done with web keys, whatever the wire: create, activate, delete, list.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::Services;
use super::error::{KEY_IS_ACTIVE, NO_SUCH_KEY, Refusal};
use crate::auth::{Caller, IdempotencyKey};
use crate::services::lifecycle::{InitialState, Keyring, KidScheme, NewRingKey, Placement, RingChange, StateChange};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{
    KeyAlgorithm, KeyPair, KeyState, KeyUse, Kid, ProviderKind, RingId, RingKind, SignatureAlgorithm,
};

/// How often a change is tried anew when another daemon changes the ring at the same time.
const ATTEMPTS: u32 = 16;

/// Held by who looks at the ring and changes it: of this process, one after the other.
static TURN: Mutex<()> = Mutex::const_new(());

/// The algorithms of a web key to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NewWebKey {
    pub algorithm: KeyAlgorithm,
    pub signature_algorithm: SignatureAlgorithm,
}

impl NewWebKey {
    /// The member of the ring that it becomes.
    pub(super) fn into_ring_key(self, entry: InitialState, provider: ProviderKind) -> NewRingKey {
        NewRingKey {
            initial_state: entry,
            kid_scheme: KidScheme::Decimal,
            provider,
            key_use: KeyUse::Sign,
            algorithm: self.algorithm,
            signature_algorithm: self.signature_algorithm,
            permitted: vec![self.signature_algorithm],
            certificate: None,
        }
    }
}

/// What became of the wish to delete a key.
pub(super) enum Deletion {
    /// It is deleted, now or since long.
    Deleted(Box<KeyPair>),
    /// There never was one of this id.
    NeverExisted,
}

/// The ring of all web keys.
///
/// # Errors
/// Never.
pub(super) fn ring() -> Result<RingId, Error> {
    RingId::new(RingKind::WebKeys, "")
        .map_err(|fault| Error::new(ErrorKind::Internal, "internal error").with_source(fault))
}

/// When a key last changed.
pub(super) fn change_date(pair: &KeyPair) -> Timestamp {
    [pair.activated_at, pair.deactivated_at, pair.compromised_at, pair.deleted_at]
        .into_iter()
        .flatten()
        .fold(pair.created_at, Ord::max)
}

/// What a creation is remembered by.
pub(super) fn idempotency(services: &Services, key: Option<String>, body: &[u8]) -> Option<IdempotencyKey> {
    services.idempotency(key, || "POST web_keys".to_owned(), body)
}

/// Makes a web key: it signs at once if no other does, else it is published only.
///
/// # Errors
/// Those of [`Keyring::change_ring`].
pub(super) async fn create(services: &Services, who: Caller, new: NewWebKey) -> Result<KeyPair, Error> {
    let change = RingChange {
        keys: vec![new.into_ring_key(InitialState::ActiveIfNone, services.settings.provider)],
        ..blank(services)?
    };
    let keyring = Arc::clone(&services.keyring);
    let changed = services.detached.run(async move { keyring.change_ring(&who, change).await }).await?;
    changed.created.into_iter().next().ok_or_else(lost_row)
}

/// Makes a key the one that signs; nothing happens when it is that already.
///
/// # Errors
/// `NotFound` when there is no key of this id any more, `Conflict`, what the store answers.
pub(super) async fn activate(services: &Services, who: Caller, id: &str) -> Result<KeyPair, Refusal> {
    let (ring, id) = (Arc::new(Ring::of(services, who)?), Arc::<str>::from(id));
    let lead = services.rotation.policy(&ring.blank.ring).await?.lead;
    let led_in = services.clock.now().minus(lead);
    let work = retried(move || {
        let (ring, id) = (Arc::clone(&ring), Arc::clone(&id));
        async move { ring.activate(&id, led_in).await }
    });
    services.detached.run(work).await?.ok_or_else(|| Refusal::of(ErrorKind::NotFound, NO_SUCH_KEY))
}

/// Deletes a key; one that was deleted before stays as it is.
///
/// # Errors
/// `InUse` when it is the one that signs, `Conflict`, what the store answers.
pub(super) async fn delete(services: &Services, who: Caller, id: &str) -> Result<Deletion, Refusal> {
    let ring = Arc::new(Ring::of(services, who)?);
    // What can be no kid is the id of no key.
    let Ok(kid) = Kid::parse(id).map(Arc::new) else { return Ok(Deletion::NeverExisted) };
    let work = retried(move || {
        let (ring, kid) = (Arc::clone(&ring), Arc::clone(&kid));
        async move { ring.delete(&kid).await }
    });
    services.detached.run(work).await?.ok_or_else(|| Refusal::of(ErrorKind::InUse, KEY_IS_ACTIVE))
}

/// All web keys that are not deleted, the oldest first.
///
/// # Errors
/// `Forbidden`, what the store answers.
pub(super) async fn list(services: &Services, who: &Caller) -> Result<Vec<KeyPair>, Error> {
    let mut keys = members(&services.keyring, who, &ring()?).await?;
    keys.sort_by_key(|pair| (pair.created_at, pair.id));
    Ok(keys)
}

/// The ring as one request changes it.
struct Ring {
    keyring: Arc<Keyring>,
    who: Caller,
    /// A change that changes nothing yet.
    blank: RingChange,
}

impl Ring {
    fn of(services: &Services, who: Caller) -> Result<Self, Error> {
        Ok(Self { keyring: Arc::clone(&services.keyring), who, blank: blank(services)? })
    }

    /// One attempt to make a key the one that signs; `None` when there is no such key. What was made after `led_in`
    /// signs before every verifier can know it.
    async fn activate(&self, id: &str, led_in: Timestamp) -> Result<Option<KeyPair>, Error> {
        let keys = members(&self.keyring, &self.who, &self.blank.ring).await?;
        let is_named = |pair: &&KeyPair| pair.kid.as_ref().is_some_and(|kid| kid.as_str() == id);
        let Some(target) = keys.iter().find(is_named) else { return Ok(None) };
        if target.state == KeyState::Active {
            return Ok(Some(target.clone()));
        }
        if target.state == KeyState::Suspended {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this web key is suspended: it signs again once it is reinstated",
            ));
        }
        if target.missing {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the private key of this web key is missing from its provider",
            ));
        }
        let signing = keys.iter().find(|pair| pair.state == KeyState::Active);
        let gives_way = signing.map(|pair| moved(pair, KeyState::Deactivated, format!("{id} is activated")));
        let early = target.state == KeyState::PreActive && target.created_at > led_in;
        let reason = if early { "activation was asked for; early" } else { "activation was asked for" };
        let takes_over = moved(target, KeyState::Active, reason.to_owned());
        self.change(gives_way.into_iter().chain([takes_over]).collect()).await.map(Some)
    }

    /// One attempt to delete a key; `None` when it is the one that signs.
    async fn delete(&self, kid: &Kid) -> Result<Option<Deletion>, Error> {
        let Some(pair) = self.keyring.find_even_deleted(&self.who, &self.blank.ring, kid).await? else {
            return Ok(Some(Deletion::NeverExisted));
        };
        if pair.state == KeyState::Active {
            return Ok(None);
        }
        if !pair.state.is_visible() {
            return Ok(Some(Deletion::Deleted(Box::new(pair))));
        }
        let deleted = self
            .change(vec![moved(&pair, self.keyring.state_after_deletion(&pair), "deletion was asked for".to_owned())])
            .await?;
        Ok(Some(Deletion::Deleted(Box::new(deleted))))
    }

    /// Carries moves out, all or none; the last one's key pair.
    async fn change(&self, moves: Vec<StateChange>) -> Result<KeyPair, Error> {
        let change = RingChange { state_changes: moves, ..self.blank.clone() };
        self.keyring.change_ring(&self.who, change).await?.moved.pop().ok_or_else(lost_row)
    }
}

/// A change of the ring that changes nothing yet.
fn blank(services: &Services) -> Result<RingChange, Error> {
    Ok(RingChange {
        ring: ring()?,
        placement: Placement::Additional,
        keys: Vec::new(),
        state_changes: Vec::new(),
        reason: String::new(),
        fence: None,
        deadline: services.generate_deadline,
    })
}

/// The visible keys of the ring, which is there even when it is empty.
async fn members(keyring: &Keyring, who: &Caller, ring: &RingId) -> Result<Vec<KeyPair>, Error> {
    match keyring.ring(who, ring).await {
        Ok(ring) => Ok(ring.keys),
        Err(failure) if failure.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

fn moved(pair: &KeyPair, to: KeyState, reason: String) -> StateChange {
    StateChange { pair: pair.clone(), to, reason }
}

fn lost_row() -> Error {
    Error::new(ErrorKind::Internal, "internal error").with_source("a web key that was changed has no row")
}

/// Work that looks at the ring and changes it, anew when somebody changed it in between.
async fn retried<T, F: Future<Output = Result<T, Error>>>(mut work: impl FnMut() -> F) -> Result<T, Error> {
    let _turn = TURN.lock().await;
    for _ in 1..ATTEMPTS {
        match work().await {
            Err(failure) if failure.kind() == ErrorKind::Conflict => {}
            outcome => return outcome,
        }
    }
    work().await
}
