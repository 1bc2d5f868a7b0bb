//! A provider of one software key.

use super::*;

/// A key in this process behind the trait of a provider, which counts its signatures.
pub(super) struct SoftwareKey {
    pub(super) algorithm: KeyAlgorithm,
    private: Private,
    pub(super) spki: SpkiDer,
    pub(super) signatures: AtomicUsize,
}

enum Private {
    Rsa(RsaKeyPair),
    Ec(EcdsaKeyPair, &'static digest::Algorithm),
    Ed25519(Ed25519KeyPair),
}

impl SoftwareKey {
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Self {
        let ec = |signing: &'static EcdsaSigningAlgorithm, digest| {
            Private::Ec(EcdsaKeyPair::generate(signing).unwrap(), digest)
        };
        let private = match algorithm {
            KeyAlgorithm::Rsa2048 => Private::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
            KeyAlgorithm::Rsa3072 => Private::Rsa(RsaKeyPair::generate(KeySize::Rsa3072).unwrap()),
            KeyAlgorithm::Rsa4096 => Private::Rsa(RsaKeyPair::generate(KeySize::Rsa4096).unwrap()),
            KeyAlgorithm::P256 => ec(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, &digest::SHA256),
            KeyAlgorithm::P384 => ec(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, &digest::SHA384),
            KeyAlgorithm::P521 => ec(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, &digest::SHA512),
            KeyAlgorithm::Ed25519 => Private::Ed25519(Ed25519KeyPair::generate().unwrap()),
        };
        let spki = match &private {
            Private::Rsa(pair) => pair.public_key().as_der().unwrap(),
            Private::Ec(pair, _) => pair.public_key().as_der().unwrap(),
            Private::Ed25519(pair) => pair.public_key().as_der().unwrap(),
        };
        let spki = SpkiDer::parse(spki.as_ref().to_vec()).unwrap();
        Self { algorithm, private, spki, signatures: AtomicUsize::new(0) }
    }

    pub(super) fn reference(&self) -> KeyRef {
        let (id, locator) = (KeyId::new(NOW).unwrap(), Locator::new().unwrap());
        KeyRef { id, locator, algorithm: self.algorithm, spki: self.spki.clone(), sealed: None }
    }

    pub(super) fn raw_signature(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
        match (&self.private, algorithm) {
            (Private::Rsa(pair), _) => {
                let encoding: &signature::RsaSignatureEncoding = match algorithm {
                    SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha256) => &signature::RSA_PKCS1_SHA256,
                    SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha384) => &signature::RSA_PKCS1_SHA384,
                    SignatureAlgorithm::RsaPkcs1(HashAlgorithm::Sha512) => &signature::RSA_PKCS1_SHA512,
                    SignatureAlgorithm::RsaPss(HashAlgorithm::Sha256) => &signature::RSA_PSS_SHA256,
                    SignatureAlgorithm::RsaPss(HashAlgorithm::Sha384) => &signature::RSA_PSS_SHA384,
                    SignatureAlgorithm::RsaPss(HashAlgorithm::Sha512) => &signature::RSA_PSS_SHA512,
                    SignatureAlgorithm::Ecdsa(_) | SignatureAlgorithm::Ed25519 => panic!("an RSA key"),
                };
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut bytes).unwrap();
                bytes
            }
            (Private::Ec(pair, own), SignatureAlgorithm::Ecdsa(hash)) => {
                // A curve has but one hash in aws-lc-rs. ECDSA takes a digest as an integer of its leftmost
                // bits, at most as many as the order has: so another hash's digest, cut or padded to the
                // length of that one's, is signed all the same (FIPS 186-5 section 6.4.1).
                let mut digest = hash.digest(message);
                digest.truncate(own.output_len());
                let padded = [vec![0; own.output_len() - digest.len()], digest].concat();
                pair.sign_digest(&Digest::import_less_safe(&padded, own).unwrap()).unwrap().as_ref().to_vec()
            }
            (Private::Ed25519(pair), SignatureAlgorithm::Ed25519) => pair.sign(message).as_ref().to_vec(),
            (_, other) => panic!("{other} with {}", self.algorithm),
        }
    }
}

#[async_trait]
impl KeyProvider for SoftwareKey {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Local
    }

    fn capabilities(&self) -> Option<Capabilities> {
        None
    }

    fn health(&self) -> ProviderHealth {
        ProviderHealth { ready: true, detail: String::new() }
    }

    async fn generate(&self, _key: NewKey) -> Result<GeneratedKey, ProviderError> {
        Err(ProviderError::Unsupported("one key only".to_owned()))
    }

    async fn import(&self, _key: NewKey, _pkcs8: Secret) -> Result<GeneratedKey, ProviderError> {
        Err(ProviderError::Unsupported("import".to_owned()))
    }

    async fn find(&self, _wanted: &KeySelector) -> Result<ExistingKey, ProviderError> {
        Err(ProviderError::Unsupported("finding keys by name".to_owned()))
    }

    async fn export(&self, _key: &KeyRef) -> Result<Secret, ProviderError> {
        Err(ProviderError::Unsupported("export".to_owned()))
    }

    async fn sign(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        input: SignInput,
    ) -> Result<Signature, ProviderError> {
        self.signatures.fetch_add(1, Ordering::Relaxed);
        if key.algorithm != self.algorithm {
            return Err(ProviderError::KeyMissing);
        }
        let SignInput::Message(message) = input else { panic!("certificates are signed as messages") };
        Ok(Signature::from_raw(algorithm, self.raw_signature(algorithm, &message)))
    }

    async fn decrypt(
        &self,
        _key: &KeyRef,
        _algorithm: DecryptionAlgorithm,
        _ciphertext: Vec<u8>,
    ) -> Result<Secret, ProviderError> {
        Err(ProviderError::Unsupported("decryption".to_owned()))
    }

    async fn destroy(&self, _locator: &Locator, _label: &str) -> Result<DestroyedObjects, ProviderError> {
        Ok(DestroyedObjects::default())
    }

    async fn inventory(&self) -> Result<Vec<TokenObject>, ProviderError> {
        Ok(Vec::new())
    }

    async fn remove_broken(&self) -> Result<DestroyedObjects, ProviderError> {
        Ok(DestroyedObjects::default())
    }
}
