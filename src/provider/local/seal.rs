//! Sealed blobs: AES-256-GCM under a master key, bound to what the blob belongs to.
//!
//! A blob is an envelope ([`SealedKey::under`]) around `nonce (12) || ciphertext and tag`. Its associated data name its purpose, the store, the master's version and all that
//! the row says of the key, so that a blob does not open once it, the row's locator, algorithm
//! or public half was altered, or it was moved to another row or store.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use crate::provider::KeyRef;
use strongroom_domain::clock::{NoEntropy, random};
use strongroom_domain::key::{HashAlgorithm, SealedKey, StoreId};
use strongroom_domain::secret::Secret;

const PURPOSE: &str = "strongroom local key v1";

/// A key that seals other keys, in memory.
pub(super) struct SealingKey(LessSafeKey);

/// A blob that does not open under this key for this owner, or is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it does not open: it was altered, or belongs elsewhere")]
pub(super) struct SealBroken;

impl SealingKey {
    /// Takes 32 bytes.
    pub(super) fn new(bytes: &Secret) -> Result<Self, SealBroken> {
        UnboundKey::new(&AES_256_GCM, bytes.expose()).map(|key| Self(LessSafeKey::new(key))).map_err(|_| SealBroken)
    }

    /// `nonce || ciphertext and tag`, the nonce random (NIST SP 800-38D section 8.2.2).
    pub(super) fn seal(&self, context: &[u8], secret: &Secret) -> Result<Vec<u8>, NoEntropy> {
        let nonce = random::<NONCE_LEN>()?;
        let mut sealed = [&nonce, secret.expose()].concat();
        let (_, text) = sealed.split_at_mut(NONCE_LEN);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(context), text).map_err(|_| NoEntropy)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// What was sealed in this context.
    pub(super) fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Secret, SealBroken> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealBroken)?;
        let mut room = zeroize::Zeroizing::new(text.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plain = self.0.open_in_place(nonce, Aad::from(context), &mut room).map_err(|_| SealBroken)?;
        Ok(Secret::new(plain.to_vec()))
    }
}

/// Whose blob it is.
pub(super) struct SealContext<'a> {
    pub(super) store: StoreId,
    pub(super) key: &'a KeyRef,
}

impl SealContext<'_> {
    /// Only the last two parts vary in length, and no algorithm's name has a zero byte: no two
    /// owners have the same context.
    fn context(&self, version: i64) -> Vec<u8> {
        let KeyRef { id, locator, algorithm, spki, sealed: _ } = self.key;
        let row = format!("{}{id}", self.store);
        let public = HashAlgorithm::Sha256.digest(spki.as_bytes());
        let algorithm = algorithm.to_string();
        let version = version.to_be_bytes();
        [PURPOSE.as_bytes(), row.as_bytes(), &version, &public, algorithm.as_bytes(), &[0], locator.as_bytes()].concat()
    }

    /// Seals under the master key of a version.
    pub(super) fn seal(&self, version: i64, master: &SealingKey, secret: &Secret) -> Result<SealedKey, NoEntropy> {
        Ok(SealedKey::under(version, &master.seal(&self.context(version), secret)?))
    }

    /// Opens what was sealed under the master key of its version.
    pub(super) fn open(&self, master: &SealingKey, blob: &SealedKey) -> Result<Secret, SealBroken> {
        let (version, sealed) = blob.parts().ok_or(SealBroken)?;
        master.open(&self.context(version), sealed)
    }
}

/// The version of the master key under which a blob was sealed.
pub(super) fn version_of(blob: &SealedKey) -> Result<i64, SealBroken> {
    blob.parts().map(|(version, _)| version).ok_or(SealBroken)
}
