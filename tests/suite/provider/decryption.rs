//! RSA-OAEP in the token and in software, against what is encrypted outside of both.

use std::sync::Arc;

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPublicEncryptingKey, PublicEncryptingKey,
};
use strongroom::provider::pkcs11::Pkcs11Provider;
use strongroom::provider::{KeyProvider, KeyRef, NewKey, ProviderError};
use strongroom_domain::key::{DecryptionAlgorithm, KeyAlgorithm, KeyUse, SignatureAlgorithm};

use super::bench::{Bench, kill, message, new_key, started, until};

const RSA_OAEP: DecryptionAlgorithm = DecryptionAlgorithm::RsaOaep;

async fn decrypting(provider: &Pkcs11Provider) -> KeyRef {
    let (id, key) = new_key(KeyAlgorithm::RSA_2048);
    let key = NewKey { key_use: KeyUse::Decrypt, ..key };
    let made = provider.generate(key.clone()).await.unwrap();
    assert_eq!(made.attestation, "local, always-sensitive, never-extractable, decrypt");
    KeyRef { id, locator: key.locator, algorithm: key.algorithm, spki: made.spki, sealed: None }
}

fn encrypted(key: &KeyRef, oaep: &'static OaepAlgorithm, plaintext: &[u8]) -> Vec<u8> {
    let public = PublicEncryptingKey::from_der(key.spki.as_bytes()).unwrap();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let mut ciphertext = vec![0; public.ciphertext_size()];
    public.encrypt(oaep, plaintext, &mut ciphertext, None).unwrap().to_vec()
}

async fn refused(provider: &Arc<Pkcs11Provider>, key: &KeyRef, ciphertext: Vec<u8>) -> ProviderError {
    provider.decrypt(key, RSA_OAEP, ciphertext).await.map(drop).unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decryption_key_decrypts_and_does_nothing_else() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let key = decrypting(&provider).await;
    for plaintext in [&b""[..], b"a secret", &[9; 214]] {
        let ciphertext = encrypted(&key, &OAEP_SHA1_MGF1SHA1, plaintext);
        assert_eq!(provider.decrypt(&key, RSA_OAEP, ciphertext).await.unwrap().expose(), plaintext);
    }
    let signed = provider.sign(&key, SignatureAlgorithm::RSA_PKCS1_SHA256, message("x")).await;
    assert!(signed.is_err(), "{signed:?}");
    let (listed, text) = bench.tool(&["--list-objects", "--type", "privkey"]);
    assert!(listed && text.contains("Usage:      decrypt\n"), "{text}");
    assert!(text.contains("sensitive, always sensitive, never extractable, local"), "{text}");
    provider.client().stop().await;
}

/// SoftHSM 2.6.1 has RSA-OAEP with SHA-1 alone; its list of mechanisms does not say so.
#[tokio::test(flavor = "multi_thread")]
async fn a_hash_that_the_token_lacks_is_known_before_it_is_asked_for() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    assert_eq!(provider.capabilities().unwrap().decryptions, [RSA_OAEP]);
    let key = decrypting(&provider).await;
    let ciphertext = encrypted(&key, &OAEP_SHA256_MGF1SHA256, b"a secret");
    let asked = provider.decrypt(&key, DecryptionAlgorithm::RsaOaep256, ciphertext).await;
    assert!(matches!(asked, Err(ProviderError::Unsupported(_))), "{asked:?}");
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_ciphertext_that_does_not_decrypt_is_one_and_the_same_failure() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let pids = provider.client().host_pids();
    let (key, other) = (decrypting(&provider).await, decrypting(&provider).await);
    let good = encrypted(&key, &OAEP_SHA1_MGF1SHA1, b"a secret");
    let mut flipped = good.clone();
    flipped[100] ^= 1;
    let bad = [
        flipped,
        encrypted(&other, &OAEP_SHA1_MGF1SHA1, b"a secret"),
        encrypted(&key, &OAEP_SHA256_MGF1SHA256, b"a secret"),
        vec![0xff; 256],
        vec![0; 256],
        vec![1; 255],
        Vec::new(),
    ];
    for ciphertext in bad {
        let failure = refused(&provider, &key, ciphertext.clone()).await;
        assert!(matches!(failure, ProviderError::NotDecrypted), "{failure:?} of {ciphertext:02x?}");
    }
    assert_eq!(provider.decrypt(&key, RSA_OAEP, good.clone()).await.unwrap().expose(), b"a secret");
    // The row claims another key's public half.
    let swapped = KeyRef { spki: other.spki.clone(), ..key.clone() };
    let failure = refused(&provider, &swapped, good.clone()).await;
    assert!(matches!(failure, ProviderError::Refused(_)), "{failure:?}");
    let elliptic = KeyRef { algorithm: KeyAlgorithm::P256, ..key.clone() };
    let failure = refused(&provider, &elliptic, good).await;
    assert!(matches!(failure, ProviderError::Unsupported(_)), "{failure:?}");
    assert_eq!(provider.client().host_pids(), pids, "no host was lost");
    provider.client().stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_host_costs_no_decryption() {
    let bench = Bench::with_token().await;
    let provider = started(bench.options()).await;
    let key = decrypting(&provider).await;
    let ciphertext = encrypted(&key, &OAEP_SHA1_MGF1SHA1, b"a secret");
    provider.decrypt(&key, RSA_OAEP, ciphertext.clone()).await.unwrap();
    let pids = provider.client().host_pids();
    kill(pids[0]);
    assert_eq!(provider.decrypt(&key, RSA_OAEP, ciphertext).await.unwrap().expose(), b"a secret");
    until("the host is replaced", || {
        provider.client().host_pids().len() == pids.len() && provider.client().host_pids() != pids
    })
    .await;
    provider.client().stop().await;
}
