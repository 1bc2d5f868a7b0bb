//! A provider of one software key.

use strongroom_domain::key::{EcCurve, KeyParameters, SignatureScheme};

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
    Ec(EcdsaKeyPair, &'static EcCurve),
    Ed25519(Ed25519KeyPair),
}

impl SoftwareKey {
    pub(super) fn generate(algorithm: KeyAlgorithm) -> Self {
        let private = match algorithm.parameters() {
            KeyParameters::Rsa(size) => Private::Rsa(RsaKeyPair::generate(size).unwrap()),
            KeyParameters::Ec(curve) => Private::Ec(EcdsaKeyPair::generate(curve.signing).unwrap(), curve),
            KeyParameters::EdDsa(_) => Private::Ed25519(Ed25519KeyPair::generate().unwrap()),
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
        match (&self.private, algorithm.scheme()) {
            (Private::Rsa(pair), _) => {
                let encoding = algorithm.rsa_encoding().unwrap();
                let mut bytes = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &SystemRandom::new(), message, &mut bytes).unwrap();
                bytes
            }
            (Private::Ec(pair, curve), SignatureScheme::Ecdsa(hash)) => {
                // A curve has but one hash in aws-lc-rs. ECDSA takes a digest as an integer of its leftmost
                // bits, at most as many as the order has: so another hash's digest, cut or padded to the
                // length of that one's, is signed all the same (FIPS 186-5 section 6.4.1).
                let own = curve.hash;
                let mut digest = hash.digest(message);
                digest.truncate(own.output_len());
                let padded = [vec![0; own.output_len() - digest.len()], digest].concat();
                pair.sign_digest(&Digest::import_less_safe(&padded, own.implementation()).unwrap())
                    .unwrap()
                    .as_ref()
                    .to_vec()
            }
            (Private::Ed25519(pair), SignatureScheme::EdDsa) => pair.sign(message).as_ref().to_vec(),
            _ => panic!("{algorithm} with {}", self.algorithm),
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
