//! Software keys, sealed at rest.
//!
//! Owns generation, import and use of private keys by aws-lc-rs, the sealing of each under
//! a master key, and the unsealing of master keys by a token or a key file. Keeps nothing:
//! sealed keys travel in [`super::KeyRef::sealed`], master keys come from the keyring, so
//! that the store need not be met.
//!
//! Invariants: no private key is ever written in clear; a blob that was swapped, altered or
//! replayed does not open (AES-256-GCM, purpose, store and all of the row's key as associated
//! data; never under a master key that is retired); what was opened is wiped after use.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, watch};

use super::{
    Capabilities, DestroyedObjects, GeneratedKey, KeyProvider, KeyRef, NewKey, ProviderError, ProviderHealth, SignInput,
};
use masters::{UnsealedMasterKey, UnsealedMasters};
use seal::{SealContext, SealingKey};
use software::SoftwareKey;
use strongroom_domain::key::{
    DecryptionAlgorithm, KeyAlgorithm, KeyUse, Locator, ProviderKind, SealedKey, Signature, SignatureAlgorithm,
    SpkiDer, StoreId,
};
use strongroom_domain::secret::Secret;

mod decrypt;
pub mod key_file;
mod masters;
mod seal;
mod software;
#[cfg(test)]
mod tests;

pub use masters::MasterSealer;

/// How long a call waits for a master key that another daemon has made.
const PATIENCE: Duration = Duration::from_secs(3);

/// The provider of software keys of one store.
pub struct LocalProvider {
    store: StoreId,
    sealer: MasterSealer,
    masters: RwLock<UnsealedMasters>,
    /// Asks for the store's master keys.
    wanted: Notify,
    /// Counts the times that they came.
    loads: watch::Sender<u64>,
}

impl LocalProvider {
    /// A provider that is locked until [`LocalProvider::unlock`].
    #[must_use]
    pub fn new(store: StoreId, sealer: MasterSealer) -> Arc<Self> {
        let (masters, wanted, loads) = (RwLock::default(), Notify::new(), watch::channel(0).0);
        Arc::new(Self { store, sealer, masters, wanted, loads })
    }

    /// What seals the master keys, for operators.
    #[must_use]
    pub fn sealed_by(&self) -> String {
        self.sealer.describe()
    }

    /// Makes a master key and gives it sealed; it is used once it comes back by [`LocalProvider::unlock`].
    ///
    /// # Errors
    /// What the sealing key's holder answers.
    pub async fn new_master(&self, version: i64) -> Result<Vec<u8>, ProviderError> {
        self.sealer.new_master(self.store, version).await
    }

    /// Unseals those of the store's master keys, version and sealed bytes, that are not yet known.
    ///
    /// # Errors
    /// The first failure, after every one was tried: that of one which the store lost or
    /// altered since it was unsealed, or does not open.
    pub async fn unlock(&self, sealed: &[(i64, Vec<u8>)]) -> Result<(), ProviderError> {
        let first = self.unlock_each(sealed).await.into_iter().next();
        first.map_or(Ok(()), |(_, failure)| Err(failure))
    }

    /// Does what [`LocalProvider::unlock`] does, and gives every failure with the version that it is about.
    pub async fn unlock_each(&self, sealed: &[(i64, Vec<u8>)]) -> Vec<(i64, ProviderError)> {
        let mut failures = self.with_masters(|masters| masters.altered(sealed));
        let altered = !failures.is_empty();
        for (version, sealed) in sealed {
            if self.unsealed(*version).is_some() {
                continue;
            }
            match self.sealer.unseal(self.store, *version, sealed).await {
                Ok(key) => {
                    let unsealed = UnsealedMasterKey { key: Arc::new(key), sealed: sealed.clone() };
                    self.with_masters_mut(|masters| masters.unsealed.insert(*version, unsealed));
                }
                Err(failure) => failures.push((*version, failure)),
            }
        }
        self.with_masters_mut(|masters| {
            masters.altered = altered;
            masters.latest = sealed.iter().map(|(version, _)| *version).max();
            masters.ailments = failures.iter().map(|(_, failure)| failure.to_string()).collect();
        });
        self.loads.send_modify(|loads| *loads += 1);
        failures
    }

    /// Refuses from now on what is sealed under a master key that is older than this version.
    pub fn retire_below(&self, oldest: i64) {
        self.with_masters_mut(|masters| masters.oldest = masters.oldest.max(oldest));
    }

    /// The version of the master key that a key is sealed under; `None` for what was never sealed so.
    #[must_use]
    pub fn master_of(key: &KeyRef) -> Option<i64> {
        blob(key).ok().and_then(|blob| seal::version_of(blob).ok())
    }

    /// Opens a key and compares its public half, for nothing but to see that it can be.
    ///
    /// # Errors
    /// [`ProviderError::Damaged`] when it does not open, [`ProviderError::Unavailable`] while its master key is locked.
    pub async fn attest(&self, key: &KeyRef) -> Result<(), ProviderError> {
        let secret = self.open(key).await?;
        use_key(key.algorithm, secret, key.spki.clone(), |_| Ok(())).await
    }

    /// Passes when a key came under a master key that is not known.
    pub async fn wait_for_master_request(&self) {
        self.wanted.notified().await;
    }

    /// Seals a key anew under the latest master key that is known; `None` when it is already, or under a later one.
    ///
    /// # Errors
    /// [`ProviderError::Damaged`] when it does not open, [`ProviderError::Unavailable`] while locked.
    pub async fn reseal(&self, key: &KeyRef) -> Result<Option<SealedKey>, ProviderError> {
        let (latest, _) = self.current()?;
        if seal::version_of(blob(key)?).map_err(|broken| damaged(key, broken))? >= latest {
            return Ok(None);
        }
        let secret = self.open(key).await?;
        self.seal(key, &secret).map(|(_, sealed)| Some(sealed))
    }

    fn with_masters_mut<T>(&self, change: impl FnOnce(&mut UnsealedMasters) -> T) -> T {
        change(&mut self.masters.write().unwrap_or_else(PoisonError::into_inner))
    }

    fn with_masters<T>(&self, look: impl FnOnce(&UnsealedMasters) -> T) -> T {
        look(&self.masters.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn unsealed(&self, version: i64) -> Option<Arc<SealingKey>> {
        self.with_masters(|masters| masters.unsealed.get(&version).map(|master| Arc::clone(&master.key)))
    }

    fn current(&self) -> Result<(i64, Arc<SealingKey>), ProviderError> {
        self.with_masters(UnsealedMasters::current).ok_or_else(|| ProviderError::Unavailable(self.health().detail))
    }

    /// The master key of a version, which another daemon may have made a moment ago.
    async fn master(&self, version: i64) -> Result<Arc<SealingKey>, ProviderError> {
        if let Some(master) = self.unsealed(version) {
            return Ok(master);
        }
        let mut loads = self.loads.subscribe();
        self.wanted.notify_one();
        let loaded = tokio::time::timeout(PATIENCE, loads.changed()).await.is_ok();
        self.unsealed(version).ok_or_else(|| {
            let ailments = self.with_masters(|masters| masters.ailments.join("; "));
            if loaded && ailments.is_empty() {
                ProviderError::Damaged(format!("sealed under master key {version}, which the store does not have"))
            } else {
                ProviderError::Unavailable(format!("master key {version} is not unsealed: {ailments}"))
            }
        })
    }

    fn seal(&self, key: &KeyRef, secret: &Secret) -> Result<(i64, SealedKey), ProviderError> {
        let (version, master) = self.current()?;
        let sealed = SealContext { store: self.store, key }.seal(version, &master, secret);
        let sealed = sealed.map_err(|failure| ProviderError::Unavailable(failure.to_string()))?;
        Ok((version, sealed))
    }

    /// The private key in PKCS#8.
    async fn open(&self, key: &KeyRef) -> Result<Secret, ProviderError> {
        let blob = blob(key)?;
        let version = seal::version_of(blob).map_err(|broken| damaged(key, broken))?;
        if version < self.with_masters(|masters| masters.oldest) {
            let why = format!("it is an older copy, put back: master key {version}, which sealed it, is retired");
            return Err(ProviderError::Damaged(format!("the sealed key {}: {why}", key.id)));
        }
        let master = self.master(version).await?;
        SealContext { store: self.store, key }.open(&master, blob).map_err(|broken| damaged(key, broken))
    }

    /// Seals a key and proves that what was sealed opens as the same key.
    async fn seal_new(&self, new: &NewKey, origin: &str, key: SoftwareKey) -> Result<GeneratedKey, ProviderError> {
        let spki = key.spki().ok().and_then(|spki| SpkiDer::parse(spki).ok());
        let spki = spki.ok_or_else(|| ProviderError::Refused("the key has no public half".to_owned()))?;
        let secret = key.to_pkcs8().map_err(|_| ProviderError::Refused("the key cannot be written".to_owned()))?;
        let NewKey { id, locator, algorithm, .. } = new.clone();
        let mut kept = KeyRef { id, locator, algorithm, spki, sealed: None };
        let (version, sealed) = self.seal(&kept, &secret)?;
        kept.sealed = Some(sealed);
        self.attest(&kept).await?;
        let attestation = format!("{origin}, software, sealed under master key {version}, read back");
        Ok(GeneratedKey { spki: kept.spki, sealed: kept.sealed, attestation })
    }
}

#[async_trait]
impl KeyProvider for LocalProvider {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Local
    }

    fn capabilities(&self) -> Option<Capabilities> {
        let algorithms = KeyAlgorithm::all().map(|algorithm| (algorithm, algorithm.signature_algorithms()));
        Some(Capabilities { algorithms: algorithms.collect(), decryptions: DecryptionAlgorithm::ALL.to_vec() })
    }

    fn health(&self) -> ProviderHealth {
        self.with_masters(|masters| match (masters.current(), masters.latest) {
            (Some((version, _)), _) => ProviderHealth {
                ready: true,
                detail: format!("master key {version}, sealed by {}", self.sealer.describe()),
            },
            (None, None) if masters.ailments.is_empty() => ProviderHealth {
                ready: false,
                detail: format!("locked: there is no master key yet; it will be sealed by {}", self.sealer.describe()),
            },
            (None, _) => ProviderHealth { ready: false, detail: format!("locked: {}", masters.ailments.join("; ")) },
        })
    }

    async fn generate(&self, key: NewKey) -> Result<GeneratedKey, ProviderError> {
        // Before the work: what cannot be sealed need not be made.
        self.current()?;
        let algorithm = key.algorithm;
        if key.key_use == KeyUse::Decrypt {
            decrypt::check(algorithm)?;
        }
        let made = blocking(move || SoftwareKey::generate(algorithm)).await?;
        let made = made.map_err(|_| ProviderError::Unavailable("no key could be made".to_owned()))?;
        self.seal_new(&key, "generated here", made).await
    }

    async fn import(&self, key: NewKey, pkcs8: Secret) -> Result<GeneratedKey, ProviderError> {
        self.current()?;
        let algorithm = key.algorithm;
        let read = blocking(move || SoftwareKey::from_pkcs8(algorithm, &pkcs8)).await?;
        let read = read.map_err(|why| ProviderError::Refused(format!("no {algorithm} key: {why}")))?;
        self.seal_new(&key, "imported", read).await
    }

    async fn export(&self, key: &KeyRef) -> Result<Secret, ProviderError> {
        let secret = self.open(key).await?;
        let exported = use_key(key.algorithm, secret, key.spki.clone(), |key| {
            key.to_pkcs8().map_err(|_| ProviderError::Unavailable("the key could not be written".to_owned()))
        });
        exported.await
    }

    async fn sign(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        input: SignInput,
    ) -> Result<Signature, ProviderError> {
        let secret = self.open(key).await?;
        let raw = use_key(key.algorithm, secret, key.spki.clone(), move |key| key.sign(algorithm, &input)).await?;
        Ok(Signature::from_raw(algorithm, raw))
    }

    async fn decrypt(
        &self,
        key: &KeyRef,
        algorithm: DecryptionAlgorithm,
        ciphertext: Vec<u8>,
    ) -> Result<Secret, ProviderError> {
        decrypt::check(key.algorithm)?;
        let secret = self.open(key).await?;
        let spki = key.spki.clone();
        blocking(move || decrypt::decrypt(&secret, &spki, algorithm, &ciphertext)).await?
    }

    /// There is nothing here to destroy: the store erases the sealed key, which has no other copy.
    async fn destroy(&self, _locator: &Locator, _label: &str) -> Result<DestroyedObjects, ProviderError> {
        Ok(DestroyedObjects::default())
    }
}

fn blob(key: &KeyRef) -> Result<&SealedKey, ProviderError> {
    key.sealed
        .as_ref()
        .ok_or_else(|| ProviderError::Damaged(format!("the sealed key {} is gone from the store", key.id)))
}

/// Reads a key, compares its public half, uses it, and wipes it.
async fn use_key<T: Send + 'static>(
    algorithm: KeyAlgorithm,
    pkcs8: Secret,
    spki: SpkiDer,
    using: impl FnOnce(&SoftwareKey) -> Result<T, ProviderError> + Send + 'static,
) -> Result<T, ProviderError> {
    blocking(move || {
        let key = SoftwareKey::from_pkcs8(algorithm, &pkcs8).map_err(|_| another_key())?;
        if key.spki().ok().as_deref() != Some(spki.as_bytes()) {
            return Err(another_key());
        }
        using(&key)
    })
    .await?
}

/// Computes off the runtime's own threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ProviderError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|failure| ProviderError::Unavailable(format!("the computation ended early: {failure}")))
}

fn another_key() -> ProviderError {
    ProviderError::Damaged("the sealed key is not the key of this public half".to_owned())
}

fn damaged(key: &KeyRef, broken: seal::SealBroken) -> ProviderError {
    ProviderError::Damaged(format!("the sealed key {}: {broken}", key.id))
}
