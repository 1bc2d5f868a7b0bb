//! RSA-OAEP with a software key (RFC 8017 section 7.1).

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use zeroize::Zeroizing;

use super::another_key;
use crate::provider::ProviderError;
use strongroom_domain::key::{DecryptionAlgorithm, KeyAlgorithm, KeyFamily, SpkiDer};
use strongroom_domain::secret::Secret;

/// Passes for keys that decrypt.
///
/// # Errors
/// [`ProviderError::Unsupported`] for all but RSA.
pub(super) fn check(algorithm: KeyAlgorithm) -> Result<(), ProviderError> {
    match algorithm.family() {
        KeyFamily::Rsa => Ok(()),
        KeyFamily::Ec | KeyFamily::EdDsa => {
            Err(ProviderError::Unsupported(format!("a key {algorithm} does not decrypt")))
        }
    }
}

/// Decrypts with a key in PKCS#8 whose public half must be `spki`.
///
/// # Errors
/// [`ProviderError::Damaged`] when it is another key; [`ProviderError::NotDecrypted`].
pub(super) fn decrypt(
    pkcs8: &Secret,
    spki: &SpkiDer,
    algorithm: DecryptionAlgorithm,
    ciphertext: &[u8],
) -> Result<Secret, ProviderError> {
    let key = PrivateDecryptingKey::from_pkcs8(pkcs8.expose()).map_err(|_| another_key())?;
    let public: PublicKeyX509Der<'_> = key.public_key().as_der().map_err(|_| another_key())?;
    if public.as_ref() != spki.as_bytes() {
        return Err(another_key());
    }
    let key = OaepPrivateDecryptingKey::new(key).map_err(|_| another_key())?;
    let mut buffer = Zeroizing::new(vec![0; key.min_output_size()]);
    let opened = key.decrypt(oaep(algorithm), ciphertext, &mut buffer, None);
    opened.map(|plaintext| Secret::new(plaintext.to_vec())).map_err(|_| ProviderError::NotDecrypted)
}

const fn oaep(algorithm: DecryptionAlgorithm) -> &'static OaepAlgorithm {
    match algorithm {
        DecryptionAlgorithm::RsaOaep => &OAEP_SHA1_MGF1SHA1,
        DecryptionAlgorithm::RsaOaep256 => &OAEP_SHA256_MGF1SHA256,
    }
}
