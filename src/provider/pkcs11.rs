//! The provider `HSM`: keys in a PKCS#11 token.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use strongroom_domain::key::{DecryptionAlgorithm, Locator, ProviderKind, Signature, SignatureAlgorithm};
use strongroom_domain::secret::Secret;
use strongroom_token::{KeyTemplate, ProvenKey, TokenClient, TokenKey, TokenOptions};

use super::{
    Capabilities, DestroyedObjects, ExistingKey, GeneratedKey, KeyProvider, KeyRef, KeySelector, NewKey, ProviderError,
    ProviderHealth, SignInput, TokenObject, TokenProvider,
};

/// The provider over one token.
pub struct Pkcs11Provider(TokenClient);

impl Pkcs11Provider {
    /// Starts the token hosts and returns at once; needs a tokio runtime.
    #[must_use]
    pub fn start(options: TokenOptions) -> Arc<Self> {
        Arc::new(Self(TokenClient::start(options)))
    }

    /// The token itself, for what no other provider can do.
    #[must_use]
    pub const fn client(&self) -> &TokenClient {
        &self.0
    }
}

#[async_trait]
impl KeyProvider for Pkcs11Provider {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Hsm
    }

    fn capabilities(&self) -> Option<Capabilities> {
        self.0.token_facts().map(|facts| facts.capabilities())
    }

    fn health(&self) -> ProviderHealth {
        match (self.0.state(), self.0.token_facts()) {
            (Ok(hosts), Some(facts)) => ProviderHealth {
                ready: true,
                detail: format!(
                    "token {:?} serial {:?}: {hosts} signing hosts{}",
                    facts.label,
                    facts.serial,
                    suspected(self.0.suspected_keys())
                ),
            },
            (Ok(_), None) => ProviderHealth { ready: false, detail: "its token hosts are starting".to_owned() },
            (Err(detail), _) => ProviderHealth { ready: false, detail },
        }
    }

    async fn generate(&self, key: NewKey) -> Result<GeneratedKey, ProviderError> {
        let deadline = key.deadline;
        Ok(self.0.generate(key.into(), deadline).await?.into())
    }

    async fn import(&self, key: NewKey, pkcs8: Secret) -> Result<GeneratedKey, ProviderError> {
        let deadline = key.deadline;
        Ok(self.0.import(key.into(), pkcs8, deadline).await?.into())
    }

    async fn export(&self, _key: &KeyRef) -> Result<Secret, ProviderError> {
        Err(ProviderError::Unsupported("no private key leaves the token".to_owned()))
    }

    async fn sign(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        input: SignInput,
    ) -> Result<Signature, ProviderError> {
        Ok(self.0.sign(&token_key(key), algorithm, input).await?)
    }

    async fn sign_batch(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        inputs: Vec<SignInput>,
    ) -> Vec<Result<Signature, ProviderError>> {
        let signed = self.0.sign_batch(&token_key(key), algorithm, inputs).await;
        signed.into_iter().map(|signed| Ok(signed?)).collect()
    }

    async fn decrypt(
        &self,
        key: &KeyRef,
        algorithm: DecryptionAlgorithm,
        ciphertext: Vec<u8>,
    ) -> Result<Secret, ProviderError> {
        Ok(self.0.decrypt(&token_key(key), algorithm, ciphertext).await?)
    }

    async fn destroy(&self, locator: &Locator, label: &str) -> Result<DestroyedObjects, ProviderError> {
        Ok(self.0.destroy(locator, label).await?)
    }
}

#[async_trait]
impl TokenProvider for Pkcs11Provider {
    async fn generate_ahead(&self, key: NewKey) -> Result<GeneratedKey, ProviderError> {
        let deadline = key.deadline;
        Ok(self.0.generate_ahead(key.into(), deadline).await?.into())
    }

    async fn attest(&self, key: &KeyRef, label: &str, trial: bool) -> Result<String, ProviderError> {
        Ok(self.0.prove(&token_key(key), label, trial).await?)
    }

    fn idle_for(&self) -> Duration {
        self.0.idle()
    }

    async fn find(&self, wanted: &KeySelector) -> Result<ExistingKey, ProviderError> {
        Ok(self.0.find(wanted).await?)
    }

    async fn inventory(&self) -> Result<Vec<TokenObject>, ProviderError> {
        Ok(self.0.inventory().await?)
    }

    async fn remove_broken(&self) -> Result<DestroyedObjects, ProviderError> {
        Ok(self.0.remove_broken().await?)
    }
}

impl From<NewKey> for KeyTemplate {
    fn from(key: NewKey) -> Self {
        let NewKey { id: _, locator, label, algorithm, key_use, deadline: _ } = key;
        Self { locator, label, algorithm, key_use }
    }
}

impl From<ProvenKey> for GeneratedKey {
    fn from(key: ProvenKey) -> Self {
        Self { spki: key.spki, sealed: None, attestation: key.attestation }
    }
}

fn suspected(keys: usize) -> String {
    if keys == 0 { String::new() } else { format!(", {keys} keys suspected of taking hosts down") }
}

fn token_key(key: &KeyRef) -> TokenKey {
    TokenKey { locator: key.locator.clone(), algorithm: key.algorithm, spki: key.spki.clone() }
}
