//! Signatures: who may have what signed or decrypted by which key, and how it gets to the provider.
//!
//! Owns the policy of signing and decrypting, the cache of keys that do, messages and digests, batches,
//! JWS, certification requests and verification. Does not own a key's life (`lifecycle`, which it never
//! meets), the form in which a dialect answers, or what a token does.
//!
//! Invariants: nothing that policy refuses reaches a provider; a warm key is found without the store; a
//! cached key is used only at the store's revision in this process, and only while the store's epoch
//! was confirmed within [`crate::store::CONFIRMED`]; a kept certification request is given out only for
//! the key and the certificate that it was made of.

mod authorise;
mod certification;
mod decrypt;
mod find;
mod jws;
mod sign;
#[cfg(test)]
mod tests;
mod verify;

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use tokio::sync::mpsc;

use crate::admission::{FairQueue, QueueBounds};
use crate::auth::policy::Resource;
use crate::provider::{KeyRef, ProviderError, Providers};
use crate::store::{EpochCache, Store};
use certification::Requests;
use strongroom_domain::clock::Clock;
use strongroom_domain::key::{
    KeyAlgorithm, KeyId, KeyName, KeyPair, KeyState, KeyUse, Kid, ProviderKind, RingId, Signature, SignatureAlgorithm,
};

pub use crate::provider::SignInput;
pub use jws::{Claims, JwsInput, Payload};
pub use sign::{INPUTS_PER_PERMIT, MESSAGE_LIMIT};
pub use verify::PresentedSignature;

/// What metrics call signatures and decryptions.
const WORK: &str = "sign";

/// Reports of missing keys that may wait.
const MOST_REPORTS: usize = 256;

const BOUNDS: QueueBounds = QueueBounds { concurrency: 128, share: 1024 };

/// What is to sign, verify or decrypt: a key, or whichever key is Active in a ring.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    Key(KeyName),
    Ring(RingId),
}

impl Target {
    /// What policy is asked about: of a key the ring too, once it is known.
    fn resource<'a>(&'a self, ring: Option<&'a RingId>) -> Resource<'a> {
        match self {
            Self::Key(name) => Resource::Key(name, ring),
            Self::Ring(ring) => Resource::Ring(ring),
        }
    }
}

/// What is known of a key that signs, verifies or decrypts.
#[derive(Clone, Debug)]
pub struct SigningKey {
    pub key: KeyRef,
    pub kid: Kid,
    pub ring: RingId,
    pub state: KeyState,
    /// Whether a suspended key is left out of the key sets.
    pub unpublished: bool,
    pub key_use: KeyUse,
    /// The algorithm used where none is asked for.
    pub default: SignatureAlgorithm,
    pub permitted: Vec<SignatureAlgorithm>,
    pub provider: ProviderKind,
    pub missing: bool,
    /// Whether it signs what callers bring, and not only JWS.
    pub signs_raw: bool,
}

impl SigningKey {
    /// The key of a pair that is in a ring; `None` for a reservation or stock.
    fn of(pair: &KeyPair, signs_raw: bool) -> Option<Self> {
        Some(Self {
            key: KeyRef::of(pair)?,
            kid: pair.kid.clone()?,
            ring: pair.ring.clone()?,
            state: pair.state,
            unpublished: pair.unpublished,
            key_use: pair.key_use,
            default: pair.signature_algorithm,
            permitted: pair.permitted.clone(),
            provider: pair.provider,
            missing: pair.missing,
            signs_raw,
        })
    }

    /// Key algorithm and size.
    #[must_use]
    pub const fn algorithm(&self) -> KeyAlgorithm {
        self.key.algorithm
    }
}

/// A signature and the key that made it.
#[derive(Clone, Debug)]
pub struct SignResult {
    pub key: Arc<SigningKey>,
    pub signature: Signature,
}

/// The service that signs.
pub struct Signing {
    store: Arc<Store>,
    providers: Providers,
    clock: Arc<dyn Clock>,
    cache: EpochCache<Target, Arc<SigningKey>>,
    queue: FairQueue,
    requests: Requests,
    /// Keys whose broken seal this process has audited.
    damaged: Mutex<HashSet<KeyId>>,
    /// Keys that their provider did not find, for whoever marks them.
    missing: MissingReports,
}

/// Reports of keys that were not found; dropped where nobody reads them, since the next signature reports again.
struct MissingReports {
    sender: mpsc::Sender<KeyId>,
    receiver: Mutex<Option<mpsc::Receiver<KeyId>>>,
}

impl Default for MissingReports {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(MOST_REPORTS);
        Self { sender, receiver: Mutex::new(Some(receiver)) }
    }
}

impl Signing {
    /// A service over a store and providers; see [`Signing::observe_epoch`].
    #[must_use]
    pub fn new(store: Arc<Store>, providers: Providers, clock: Arc<dyn Clock>) -> Self {
        let turns = FairQueue::new(WORK, BOUNDS);
        let (cache, requests) = (EpochCache::default(), Requests::default());
        Self {
            store,
            providers,
            clock,
            cache,
            queue: turns,
            requests,
            damaged: Mutex::default(),
            missing: MissingReports::default(),
        }
    }

    /// The keys that providers did not find when they were to sign or decrypt; given once.
    pub fn take_missing_reports(&self) -> Option<mpsc::Receiver<KeyId>> {
        self.missing.receiver.lock().ok()?.take()
    }

    /// Reports a key if its provider did not find it.
    fn report_missing<T>(&self, key: &SigningKey, outcome: &Result<T, ProviderError>) {
        if matches!(outcome, Err(ProviderError::KeyMissing)) {
            let _ = self.missing.sender.try_send(key.key.id);
        }
    }

    /// The same within other bounds.
    #[must_use]
    pub fn with_bounds(self, bounds: QueueBounds) -> Self {
        Self { queue: FairQueue::new(WORK, bounds), ..self }
    }
}
