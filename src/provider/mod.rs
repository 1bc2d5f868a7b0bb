//! Providers: the traits over tokens and software keys, which hold private halves.
//!
//! Owns generation, signing, decryption, destruction and inventory of private keys, and the health
//! of whoever does it. Does not know rows, rings, certificates or principals, and never
//! meets the store: services bring the two together.
//!
//! Invariants: a private half leaves no provider; a generated key is proven (read back)
//! before its public half is returned; a provider answers [`ProviderError::Unavailable`]
//! only when nothing was made, and [`ProviderError::OutcomeUnknown`] when it cannot tell.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};

use strongroom_domain::key::{
    DecryptionAlgorithm, KeyAlgorithm, KeyId, KeyPair, KeyUse, Locator, ProviderKind, SealedKey, Signature,
    SignatureAlgorithm, SpkiDer,
};
use strongroom_domain::secret::Secret;

#[cfg(test)]
pub(crate) mod double;
mod error;
pub mod local;
pub mod pkcs11;

pub use error::ProviderError;
pub use strongroom_token::{
    Capabilities, DestroyedObjects, ExistingKey, InvalidKeySelector, KeySelector, SignInput, TokenObject,
};

/// How many signatures of one batch a provider makes at a time: enough for all that work in
/// it, and little of the queue that all callers share.
const BATCH_WINDOW: usize = 64;

/// A key to be made.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub id: KeyId,
    /// What the key will be found by (`CKA_ID`).
    pub locator: Locator,
    /// `CKA_LABEL`, `sr:{store id}:{key id}`.
    pub label: String,
    pub algorithm: KeyAlgorithm,
    pub key_use: KeyUse,
    /// Past it the key is not begun ([`ProviderError::DeadlinePassed`]).
    pub deadline: Instant,
}

/// A key that was made and read back.
#[derive(Clone, Debug)]
pub struct GeneratedKey {
    pub spki: SpkiDer,
    /// The private half, where the provider has no place of its own for it.
    pub sealed: Option<SealedKey>,
    /// Proven attributes of the private half, as text for the audit trail: `local, always-sensitive,
    /// never-extractable, sign`.
    pub attestation: String,
}

/// An existing key: its locator and its expected public half.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyRef {
    pub id: KeyId,
    pub locator: Locator,
    pub algorithm: KeyAlgorithm,
    pub spki: SpkiDer,
    pub sealed: Option<SealedKey>,
}

impl KeyRef {
    /// The key of a pair; `None` while it may not exist yet.
    #[must_use]
    pub fn of(pair: &KeyPair) -> Option<Self> {
        Some(Self {
            id: pair.id,
            locator: pair.locator.clone(),
            algorithm: pair.algorithm,
            spki: pair.spki.clone()?,
            sealed: pair.sealed.clone(),
        })
    }
}

/// Health of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderHealth {
    pub ready: bool,
    /// One sentence for operators: what is wrong and what would help, or what it holds.
    pub detail: String,
}

/// A holder of private halves: what tokens and software keys have in common.
#[async_trait]
pub trait KeyProvider: Send + Sync {
    /// Which kind it is.
    fn kind(&self) -> ProviderKind;

    /// What it can do, as last seen; `None` until it was ready once.
    fn capabilities(&self) -> Option<Capabilities>;

    /// How it is now.
    fn health(&self) -> ProviderHealth;

    /// Makes a key and proves it. Never retried: after [`ProviderError::OutcomeUnknown`] the
    /// caller reconciles by the locator.
    async fn generate(&self, key: NewKey) -> Result<GeneratedKey, ProviderError>;

    /// Brings in a private key (PKCS#8, RFC 5958) and proves it as far as a key that was
    /// not born there can be proven. Never retried, like [`KeyProvider::generate`].
    async fn import(&self, key: NewKey, pkcs8: Secret) -> Result<GeneratedKey, ProviderError>;

    /// Gives out a private key as PKCS#8; [`ProviderError::Unsupported`] where none leaves.
    async fn export(&self, key: &KeyRef) -> Result<Secret, ProviderError>;

    /// Signs with a key whose public half matches.
    async fn sign(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        input: SignInput,
    ) -> Result<Signature, ProviderError>;

    /// Signs several inputs, in order; a failing input fails alone.
    async fn sign_batch(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        inputs: Vec<SignInput>,
    ) -> Vec<Result<Signature, ProviderError>> {
        let signed = stream::iter(inputs).map(|input| self.sign(key, algorithm, input));
        signed.buffered(BATCH_WINDOW).collect().await
    }

    /// Decrypts with a key whose public half matches. A ciphertext that does not decrypt is
    /// [`ProviderError::NotDecrypted`], whatever is wrong with it.
    async fn decrypt(
        &self,
        key: &KeyRef,
        algorithm: DecryptionAlgorithm,
        ciphertext: Vec<u8>,
    ) -> Result<Secret, ProviderError>;

    /// Destroys whatever carries both this locator and this label; done when nothing is left.
    async fn destroy(&self, locator: &Locator, label: &str) -> Result<DestroyedObjects, ProviderError>;
}

/// A token: a provider that holds objects of its own, which others may have made or removed.
#[async_trait]
pub trait TokenProvider: KeyProvider {
    /// [`KeyProvider::generate`] at low priority, for the stock; it does not end
    /// [`TokenProvider::idle_for`].
    async fn generate_ahead(&self, key: NewKey) -> Result<GeneratedKey, ProviderError>;

    /// Attests a signing key again: it exists and has the attributes that it was generated with. Returns
    /// text for the audit trail. With `trial` a test signature is made and verified; without, the caller
    /// verifies the next signature.
    ///
    /// [`ProviderError::KeyMissing`] or [`ProviderError::Refused`] when it is not.
    async fn attest(&self, key: &KeyRef, label: &str, trial: bool) -> Result<String, ProviderError>;

    /// Time since the last request.
    fn idle_for(&self) -> Duration;

    /// Finds the one private key that matches, and proves that it signs for its public half.
    ///
    /// [`ProviderError::KeyMissing`] when there is none; [`ProviderError::Refused`] when there
    /// are several, or it is no key that could be used here.
    async fn find(&self, wanted: &KeySelector) -> Result<ExistingKey, ProviderError>;

    /// Everything that it holds whose label begins with `sr:`, and half-made objects.
    async fn inventory(&self) -> Result<Vec<TokenObject>, ProviderError>;

    /// Destroys half-made objects, where the profile says that it is safe.
    async fn remove_broken(&self) -> Result<DestroyedObjects, ProviderError>;
}

/// The providers that this daemon has.
#[derive(Clone, Default)]
pub struct Providers {
    token: Option<Arc<dyn TokenProvider>>,
    local: Option<Arc<dyn KeyProvider>>,
}

impl Providers {
    /// The providers `HSM` and `LOCAL`, as far as they are configured.
    #[must_use]
    pub fn new(token: Option<Arc<dyn TokenProvider>>, local: Option<Arc<dyn KeyProvider>>) -> Self {
        Self { token, local }
    }

    /// The provider of a kind.
    #[must_use]
    pub fn get(&self, kind: ProviderKind) -> Option<Arc<dyn KeyProvider>> {
        match kind {
            ProviderKind::Hsm => self.token.clone().map(|token| token as Arc<_>),
            ProviderKind::Local => self.local.clone(),
        }
    }

    /// The token.
    #[must_use]
    pub const fn token(&self) -> Option<&Arc<dyn TokenProvider>> {
        self.token.as_ref()
    }

    /// Every provider.
    pub fn iter(&self) -> impl Iterator<Item = Arc<dyn KeyProvider>> {
        [ProviderKind::Hsm, ProviderKind::Local].into_iter().filter_map(|kind| self.get(kind))
    }
}
