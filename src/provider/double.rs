//! A provider for unit tests: P-256 keys in memory, calls counted, faults on request.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::{
    Capabilities, DestroyedObjects, ExistingKey, GeneratedKey, KeyProvider, KeyRef, KeySelector, NewKey, ProviderError,
    ProviderHealth, Providers, SignInput, TokenObject, TokenProvider,
};
use strongroom_domain::key::{
    DecryptionAlgorithm, KeyAlgorithm, Locator, ProviderKind, Signature, SignatureAlgorithm, SpkiDer,
};
use strongroom_domain::secret::Secret;

/// The DER before the uncompressed point of a P-256 SubjectPublicKeyInfo (RFC 5480).
const P256_SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// What shall go wrong with the next call of a kind.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// Nothing is done, for this reason.
    Refuse(ProviderError),
    /// It is done, but the reply is lost.
    LoseReply,
    /// It is done, but one bit of the answer is wrong.
    Corrupt,
    /// It is done, but nobody hears of it.
    Hang,
}

struct Entry {
    label: String,
    pair: EcdsaKeyPair,
}

impl Entry {
    fn spki(&self) -> SpkiDer {
        SpkiDer::parse([&P256_SPKI_PREFIX, self.pair.public_key().as_ref()].concat()).unwrap()
    }
}

/// A token in memory.
#[derive(Default)]
pub(crate) struct ProviderDouble {
    keys: Mutex<BTreeMap<Locator, Entry>>,
    is_local: bool,
    /// Strikes whatever makes a key.
    pub(crate) generate_fault: Mutex<Option<Fault>>,
    pub(crate) sign_fault: Mutex<Option<Fault>>,
    pub(crate) prove_fault: Mutex<Option<Fault>>,
    /// Time since the last request.
    pub(crate) idle: Mutex<Duration>,
    pub(crate) proven: AtomicUsize,
    /// The key that cannot be destroyed.
    pub(crate) indestructible: Mutex<Option<Locator>>,
    /// Whether it has never been ready.
    pub(crate) away: AtomicBool,
    pub(crate) generated: AtomicUsize,
    /// How often it was asked to find a key.
    pub(crate) sought: AtomicUsize,
    pub(crate) signed: AtomicUsize,
    pub(crate) decrypted: AtomicUsize,
    pub(crate) destroyed: AtomicUsize,
}

impl ProviderDouble {
    /// A provider of software keys.
    pub(crate) fn local() -> Self {
        Self { is_local: true, ..Self::default() }
    }

    /// The providers of a daemon that has this one alone.
    pub(crate) fn providers(self: &Arc<Self>) -> Providers {
        match self.kind() {
            ProviderKind::Hsm => Providers::new(Some(Arc::clone(self) as Arc<_>), None),
            ProviderKind::Local => Providers::new(None, Some(Arc::clone(self) as Arc<_>)),
        }
    }

    /// Locators of the keys that it holds.
    pub(crate) fn locators(&self) -> Vec<Locator> {
        self.keys.lock().unwrap().keys().cloned().collect()
    }

    /// Loses a key, as a token that somebody else manages may.
    pub(crate) fn lose(&self, locator: &Locator) {
        self.keys.lock().unwrap().remove(locator);
    }

    /// Holds a key from now on, as its fault says.
    async fn take(&self, key: NewKey, pair: EcdsaKeyPair, fault: Option<Fault>) -> Result<GeneratedKey, ProviderError> {
        let entry = Entry { label: key.label, pair };
        let spki = entry.spki();
        self.keys.lock().unwrap().insert(key.locator, entry);
        match fault {
            Some(Fault::LoseReply) => Err(ProviderError::OutcomeUnknown("asked to".to_owned())),
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Corrupt) => {
                let spki = Entry { label: String::new(), pair: new_pair() }.spki();
                Ok(GeneratedKey { spki, sealed: None, attestation: "of another key".to_owned() })
            }
            _ => Ok(GeneratedKey { spki, sealed: None, attestation: "in memory".to_owned() }),
        }
    }

    fn making(&self) -> Result<Option<Fault>, ProviderError> {
        self.generated.fetch_add(1, Ordering::SeqCst);
        match self.generate_fault.lock().unwrap().take() {
            Some(Fault::Refuse(why)) => Err(why),
            fault => Ok(fault),
        }
    }
}

fn new_pair() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

#[async_trait]
impl KeyProvider for ProviderDouble {
    fn kind(&self) -> ProviderKind {
        if self.is_local { ProviderKind::Local } else { ProviderKind::Hsm }
    }

    fn capabilities(&self) -> Option<Capabilities> {
        if self.away.load(Ordering::SeqCst) {
            return None;
        }
        let ecdsa = vec![SignatureAlgorithm::ECDSA_SHA256];
        let decryptions = vec![DecryptionAlgorithm::RsaOaep];
        Some(Capabilities { algorithms: vec![(KeyAlgorithm::P256, ecdsa)], decryptions })
    }

    fn health(&self) -> ProviderHealth {
        ProviderHealth { ready: true, detail: "in memory".to_owned() }
    }

    async fn generate(&self, key: NewKey) -> Result<GeneratedKey, ProviderError> {
        let fault = self.making()?;
        self.take(key, new_pair(), fault).await
    }

    async fn import(&self, key: NewKey, pkcs8: Secret) -> Result<GeneratedKey, ProviderError> {
        let fault = self.making()?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.expose());
        let pair = pair.map_err(|why| ProviderError::Refused(why.to_string()))?;
        self.take(key, pair, fault).await
    }

    async fn export(&self, key: &KeyRef) -> Result<Secret, ProviderError> {
        let keys = self.keys.lock().unwrap();
        let entry = keys.get(&key.locator).ok_or(ProviderError::KeyMissing)?;
        Ok(Secret::new(entry.pair.to_pkcs8v1().unwrap().as_ref().to_vec()))
    }

    async fn sign(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        input: SignInput,
    ) -> Result<Signature, ProviderError> {
        self.signed.fetch_add(1, Ordering::SeqCst);
        let SignInput::Message(message) = input else {
            return Err(ProviderError::Unsupported("digests".to_owned()));
        };
        let fault = self.sign_fault.lock().unwrap().take();
        match &fault {
            Some(Fault::Refuse(why)) => return Err(why.clone()),
            Some(Fault::Hang) => std::future::pending().await,
            _ => {}
        }
        let keys = self.keys.lock().unwrap();
        let entry = keys.get(&key.locator).ok_or(ProviderError::KeyMissing)?;
        let mut raw = entry.pair.sign(&SystemRandom::new(), &message).unwrap().as_ref().to_vec();
        if matches!(fault, Some(Fault::Corrupt)) {
            raw[7] ^= 1;
        }
        Ok(Signature::from_raw(algorithm, raw))
    }

    /// Reads a ciphertext backwards; one that begins with a zero does not decrypt.
    async fn decrypt(
        &self,
        key: &KeyRef,
        _algorithm: DecryptionAlgorithm,
        ciphertext: Vec<u8>,
    ) -> Result<Secret, ProviderError> {
        self.decrypted.fetch_add(1, Ordering::SeqCst);
        if !self.keys.lock().unwrap().contains_key(&key.locator) {
            return Err(ProviderError::KeyMissing);
        }
        if ciphertext.first() == Some(&0) {
            return Err(ProviderError::NotDecrypted);
        }
        Ok(Secret::new(ciphertext.into_iter().rev().collect()))
    }

    async fn destroy(&self, locator: &Locator, label: &str) -> Result<DestroyedObjects, ProviderError> {
        self.destroyed.fetch_add(1, Ordering::SeqCst);
        if self.indestructible.lock().unwrap().as_ref() == Some(locator) {
            return Err(unavailable());
        }
        let mut keys = self.keys.lock().unwrap();
        let ours = keys.get(locator).is_some_and(|entry| entry.label == label);
        let objects = if ours && keys.remove(locator).is_some() { 2 } else { 0 };
        Ok(DestroyedObjects { objects })
    }
}

#[async_trait]
impl TokenProvider for ProviderDouble {
    async fn generate_ahead(&self, key: NewKey) -> Result<GeneratedKey, ProviderError> {
        self.generate(key).await
    }

    async fn attest(&self, key: &KeyRef, label: &str, _trial: bool) -> Result<String, ProviderError> {
        self.proven.fetch_add(1, Ordering::SeqCst);
        if let Some(Fault::Refuse(why)) = self.prove_fault.lock().unwrap().take() {
            return Err(why);
        }
        let keys = self.keys.lock().unwrap();
        let entry = keys.get(&key.locator).filter(|entry| entry.label == label).ok_or(ProviderError::KeyMissing)?;
        let same = entry.spki() == key.spki;
        same.then(|| "in memory".to_owned()).ok_or_else(|| ProviderError::Refused("another key".to_owned()))
    }

    fn idle_for(&self) -> Duration {
        *self.idle.lock().unwrap()
    }

    async fn find(&self, wanted: &KeySelector) -> Result<ExistingKey, ProviderError> {
        self.sought.fetch_add(1, Ordering::SeqCst);
        let keys = self.keys.lock().unwrap();
        let matches = |(locator, entry): &(&Locator, &Entry)| {
            wanted.locator.as_ref().is_none_or(|wanted| wanted == *locator)
                && wanted.label.as_ref().is_none_or(|wanted| *wanted == entry.label)
        };
        match keys.iter().filter(matches).collect::<Vec<_>>().as_slice() {
            [] => Err(ProviderError::KeyMissing),
            [(locator, entry)] => Ok(ExistingKey {
                locator: (*locator).clone(),
                algorithm: KeyAlgorithm::P256,
                spki: entry.spki(),
                attestation: "found in memory".to_owned(),
            }),
            several => Err(ProviderError::Refused(format!("{} keys match", several.len()))),
        }
    }

    async fn inventory(&self) -> Result<Vec<TokenObject>, ProviderError> {
        let keys = self.keys.lock().unwrap();
        Ok(keys
            .iter()
            .map(|(locator, entry)| TokenObject {
                locator: Some(locator.clone()),
                label: entry.label.clone(),
                has_private: true,
                has_public: true,
                incomplete: false,
            })
            .collect())
    }

    async fn remove_broken(&self) -> Result<DestroyedObjects, ProviderError> {
        Ok(DestroyedObjects::default())
    }
}

/// A failure that says nothing of interest.
pub(crate) fn unavailable() -> ProviderError {
    ProviderError::Unavailable("asked to".to_owned())
}
