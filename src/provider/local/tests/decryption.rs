//! RSA-OAEP with software keys.

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPublicEncryptingKey, PublicEncryptingKey,
};

use super::*;

async fn decrypting(provider: &LocalProvider, algorithm: KeyAlgorithm) -> Result<KeyRef, ProviderError> {
    let new = NewKey { key_use: KeyUse::Decrypt, ..new_key(algorithm) };
    let GeneratedKey { spki, sealed, .. } = provider.generate(new.clone()).await?;
    Ok(KeyRef { id: new.id, locator: new.locator, algorithm, spki, sealed })
}

fn encrypted(key: &KeyRef, oaep: &'static OaepAlgorithm) -> Vec<u8> {
    let public = PublicEncryptingKey::from_der(key.spki.as_bytes()).unwrap();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let mut ciphertext = vec![0; public.ciphertext_size()];
    public.encrypt(oaep, b"a secret", &mut ciphertext, None).unwrap().to_vec()
}

#[tokio::test]
async fn both_hashes_decrypt_and_everything_else_fails_alike() {
    let Bench { provider, .. } = &Bench::new().await;
    let key = decrypting(provider, KeyAlgorithm::RSA_2048).await.unwrap();
    let schemes = [
        (DecryptionAlgorithm::RsaOaep, &OAEP_SHA1_MGF1SHA1),
        (DecryptionAlgorithm::RsaOaep256, &OAEP_SHA256_MGF1SHA256),
    ];
    for ((algorithm, oaep), (_, wrong)) in schemes.iter().zip(schemes.iter().rev()) {
        let good = encrypted(&key, oaep);
        assert_eq!(provider.decrypt(&key, *algorithm, good.clone()).await.unwrap().expose(), b"a secret");
        let mut flipped = good.clone();
        flipped[7] ^= 1;
        for bad in [encrypted(&key, wrong), flipped, vec![0xff; 256], vec![0; 256], good[1..].to_vec(), Vec::new()] {
            let failure = provider.decrypt(&key, *algorithm, bad).await.map(drop);
            assert!(matches!(failure, Err(ProviderError::NotDecrypted)), "{failure:?}");
        }
    }
    let other = decrypting(provider, KeyAlgorithm::RSA_2048).await.unwrap();
    let swapped = KeyRef { spki: other.spki, ..key.clone() };
    assert!(is_damaged(&provider.decrypt(&swapped, DecryptionAlgorithm::RsaOaep, vec![0; 256]).await));
}

#[tokio::test]
async fn only_rsa_decrypts() {
    let Bench { provider, .. } = &Bench::new().await;
    let refused = decrypting(provider, KeyAlgorithm::P256).await.map(drop);
    assert!(matches!(refused, Err(ProviderError::Unsupported(_))), "{refused:?}");
    let key = made(provider, KeyAlgorithm::P256).await;
    let refused = provider.decrypt(&key, DecryptionAlgorithm::RsaOaep, vec![0; 256]).await.map(drop);
    assert!(matches!(refused, Err(ProviderError::Unsupported(_))), "{refused:?}");
}
