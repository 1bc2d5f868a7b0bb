//! The client of one token: calls in, results out, whatever becomes of the hosts between.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use strongroom_domain::key::{DecryptionAlgorithm, KeyUse, Locator, Signature, SignatureAlgorithm, SpkiDer};
use strongroom_domain::secret::Secret;
use tokio::sync::watch;

use crate::SEALING_LABEL;
use crate::activity::Activity;
use crate::error::TokenError;
use crate::key::{DestroyedObjects, ExistingKey, KeyTemplate, ProvenKey, SignInput, TokenKey, TokenObject};
use crate::key_selector::KeySelector;
use crate::link::{Link, Role};
use crate::options::TokenOptions;
use crate::protocol::{
    Call, CallOutcome, DecryptCall, GenerateCall, InventoryObject, SelectedKey, SignCall, TokenFacts,
};

/// How many signatures of one batch are asked of the hosts at a time: enough for all that work, and
/// little of the queue that all callers share.
const BATCH_WINDOW: usize = 64;

/// The client of one token.
pub struct TokenClient {
    link: Link,
    activity: Activity,
}

impl TokenClient {
    /// Starts the token hosts and returns at once; needs a tokio runtime.
    #[must_use]
    pub fn start(options: TokenOptions) -> Self {
        Self { link: Link::start(options), activity: Activity::new() }
    }

    /// Counts the occasions to reconcile: the token became ready, or its keeping host was
    /// replaced and may have left something.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.link.subscribe()
    }

    /// The process ids of the hosts that take calls, those that sign first.
    #[must_use]
    pub fn host_pids(&self) -> Vec<u32> {
        let mut pids = self.link.pids(Role::Sign);
        pids.extend(self.keeping_host_pids());
        // One host may have both roles.
        pids.dedup();
        pids
    }

    /// The process ids of the hosts that make and destroy keys.
    #[must_use]
    pub fn keeping_host_pids(&self) -> Vec<u32> {
        self.link.pids(Role::Keep)
    }

    /// What the token says of itself; `None` until it was open once.
    #[must_use]
    pub fn token_facts(&self) -> Option<Arc<TokenFacts>> {
        self.link.facts()
    }

    /// Seals a secret that is kept outside of the token under the token's key of this label,
    /// `sr-seal:{store id}`, which is made at its first use. It opens in the same context only.
    ///
    /// # Errors
    /// [`TokenError::Unsupported`] when the token has no way to seal, or not one for a
    /// secret as long as this.
    pub async fn seal(&self, label: &str, context: &[u8], secret: Secret) -> Result<Vec<u8>, TokenError> {
        let call = Call::Seal { label: label.to_owned(), context: context.to_vec(), secret: secret.into() };
        match self.requested("seal", self.link.manage(call)).await? {
            CallOutcome::Sealed(sealed) => Ok(sealed),
            other => Err(TokenError::unexpected(&other)),
        }
    }

    /// Opens what [`Self::seal`] sealed.
    ///
    /// # Errors
    /// [`TokenError::KeyMissing`] when the sealing key has gone from the token;
    /// [`TokenError::Refused`] when anything was altered, or in another context.
    pub async fn unseal(&self, label: &str, context: &[u8], sealed: &[u8]) -> Result<Secret, TokenError> {
        let call = Call::Unseal { label: label.to_owned(), context: context.to_vec(), sealed: sealed.to_vec() };
        match self.requested("unseal", self.link.manage(call)).await? {
            CallOutcome::Unsealed(secret) => Ok(secret.into()),
            other => Err(TokenError::unexpected(&other)),
        }
    }

    /// Why the token stays closed until an operator acts; `None` while trying again may help.
    #[must_use]
    pub fn verdict(&self) -> Option<String> {
        self.link.fatal_error()
    }

    /// Refuses generations that wait in the queue; the one under way goes on.
    pub fn refuse_generations(&self) {
        self.link.refuse_generations();
    }

    /// How many keys are refused for a moment because hosts were lost with them while others stayed well.
    #[must_use]
    pub fn suspected_keys(&self) -> usize {
        self.link.suspected_keys()
    }

    /// How many hosts sign; or why none does, or why no host can be had that makes keys.
    ///
    /// # Errors
    /// A sentence for operators.
    pub fn state(&self) -> Result<usize, String> {
        self.link.state()
    }

    /// Makes a key pair and proves it, unless the deadline passes before it is begun. Never
    /// retried: after [`TokenError::Unknown`] the caller looks for the locator.
    ///
    /// # Errors
    /// [`TokenError`]; what was made before a failure is destroyed, [`TokenError::Unknown`] excepted.
    pub async fn generate(&self, key: KeyTemplate, deadline: Instant) -> Result<ProvenKey, TokenError> {
        let id = key.locator.as_bytes().to_vec();
        let call = Call::Generate(generation(key));
        generated(self.requested("generate", self.link.generate(Some(id), &call, deadline)).await?)
    }

    /// [`Self::generate`] for a key that nobody waits for: it counts as no request.
    ///
    /// # Errors
    /// Those of [`Self::generate`].
    pub async fn generate_ahead(&self, key: KeyTemplate, deadline: Instant) -> Result<ProvenKey, TokenError> {
        // Its first signature is far off, and no business of the host that makes keys.
        generated(timed("generate_ahead", self.link.generate(None, &Call::Generate(generation(key)), deadline)).await?)
    }

    /// Proves a signing key anew, in words for the audit trail: that it is there, and as it was
    /// when it was made. With `trial` by a signature too.
    ///
    /// # Errors
    /// [`TokenError::KeyMissing`] or [`TokenError::Refused`] when it is not.
    pub async fn prove(&self, key: &TokenKey, label: &str, trial: bool) -> Result<String, TokenError> {
        let (id, label, algorithm) = (key.locator.as_bytes().to_vec(), label.to_owned(), key.algorithm);
        let made = GenerateCall { id, label, algorithm, key_use: KeyUse::Sign };
        let call = Call::Prove { key: made, spki: key.spki.as_bytes().to_vec(), trial };
        match self.requested("prove", self.link.search(call)).await? {
            CallOutcome::Proven(attestation) => Ok(attestation),
            other => Err(TokenError::unexpected(&other)),
        }
    }

    /// Time since the last request.
    #[must_use]
    pub fn idle(&self) -> Duration {
        self.activity.idle_for()
    }

    /// Brings in a private key (PKCS#8, RFC 5958) and proves it as far as a key that was not born
    /// in the token can be proven. Never retried, like [`Self::generate`].
    ///
    /// # Errors
    /// Those of [`Self::generate`].
    pub async fn import(&self, key: KeyTemplate, pkcs8: Secret, deadline: Instant) -> Result<ProvenKey, TokenError> {
        let id = key.locator.as_bytes().to_vec();
        let call = Call::Import { key: generation(key), pkcs8: pkcs8.into() };
        generated(self.requested("import", self.link.generate(Some(id), &call, deadline)).await?)
    }

    /// Finds the one private key that matches, and proves that it signs for its public half.
    ///
    /// # Errors
    /// [`TokenError::KeyMissing`] when there is none; [`TokenError::Refused`] when there are
    /// several, or it is no key that could be used here.
    pub async fn find(&self, wanted: &KeySelector) -> Result<ExistingKey, TokenError> {
        if let Some(facts) = self.link.facts() {
            require_token(wanted, &facts)?;
        }
        let id = wanted.locator.as_ref().map(|locator| locator.as_bytes().to_vec());
        let call = Call::Find { id, label: wanted.label.clone() };
        match self.requested("find", self.link.search(call)).await? {
            CallOutcome::Found(object) => found(object),
            other => Err(TokenError::unexpected(&other)),
        }
    }

    /// Signs with a key whose public half matches.
    ///
    /// # Errors
    /// [`TokenError`]; a signature that was lost with its host is tried again before.
    pub async fn sign(
        &self,
        key: &TokenKey,
        algorithm: SignatureAlgorithm,
        input: SignInput,
    ) -> Result<Signature, TokenError> {
        let _request = self.activity.begin();
        let raw = self.link.sign(signing(key, algorithm, input)).await?;
        Ok(Signature::from_raw(algorithm, raw))
    }

    /// Signs several inputs, in order; a failing input fails alone.
    pub async fn sign_batch(
        &self,
        key: &TokenKey,
        algorithm: SignatureAlgorithm,
        inputs: Vec<SignInput>,
    ) -> Vec<Result<Signature, TokenError>> {
        let _request = self.activity.begin();
        let size = self.link.batch_size(key.algorithm, inputs.len());
        let mut inputs = inputs.into_iter();
        let calls = std::iter::from_fn(|| {
            let first = signing(key, algorithm, inputs.next()?);
            let rest: Vec<SignInput> = inputs.by_ref().take(size - 1).collect();
            Some(self.link.sign_batch(first, rest))
        });
        let signed: Vec<Vec<_>> = stream::iter(calls).buffered((BATCH_WINDOW / size).max(1)).collect().await;
        signed.into_iter().flatten().map(|signed| signed.map(|raw| Signature::from_raw(algorithm, raw))).collect()
    }

    /// Decrypts with a key whose public half matches.
    ///
    /// # Errors
    /// [`TokenError::NotDecrypted`] for a ciphertext that does not decrypt, whatever is wrong with
    /// it; any other for the reasons of the token.
    pub async fn decrypt(
        &self,
        key: &TokenKey,
        algorithm: DecryptionAlgorithm,
        ciphertext: Vec<u8>,
    ) -> Result<Secret, TokenError> {
        let request = DecryptCall {
            id: key.locator.as_bytes().to_vec(),
            key: key.algorithm,
            spki: key.spki.as_bytes().to_vec(),
            algorithm,
            ciphertext,
        };
        self.requested("decrypt", self.link.decrypt(request)).await
    }

    /// Destroys whatever carries both this locator and this label; done when nothing is left.
    ///
    /// # Errors
    /// [`TokenError::Refused`] for a sealing key; otherwise what the token answered.
    pub async fn destroy(&self, locator: &Locator, label: &str) -> Result<DestroyedObjects, TokenError> {
        if label.starts_with(SEALING_LABEL) {
            return Err(TokenError::Refused("sealing keys are not destroyed".to_owned()));
        }
        let call = Call::Destroy { id: locator.as_bytes().to_vec(), label: label.to_owned() };
        removed(self.requested("destroy", self.link.manage(call)).await?)
    }

    /// Everything in the token whose label begins with `sr:`, and half-made objects.
    ///
    /// # Errors
    /// What the token answered.
    pub async fn inventory(&self) -> Result<Vec<TokenObject>, TokenError> {
        match self.requested("inventory", self.link.manage(Call::Inventory)).await? {
            CallOutcome::Held(objects) => Ok(objects.into_iter().map(held).collect()),
            other => Err(TokenError::unexpected(&other)),
        }
    }

    /// Destroys half-made objects, where the profile says that it is safe.
    ///
    /// # Errors
    /// What the token answered.
    pub async fn remove_broken(&self) -> Result<DestroyedObjects, TokenError> {
        removed(self.requested("remove_broken", self.link.manage(Call::RemoveBroken)).await?)
    }

    /// Makes a call, which counts as a request to the token.
    async fn requested<T>(&self, call: &'static str, work: impl Future<Output = T>) -> T {
        let _request = self.activity.begin();
        timed(call, work).await
    }

    /// Ends the hosts and waits until they are gone; calls are refused from then on.
    pub async fn stop(&self) {
        self.link.stop().await;
    }
}

async fn timed<T>(call: &'static str, work: impl Future<Output = T>) -> T {
    let since = Instant::now();
    let outcome = work.await;
    metrics::histogram!("strongroom_pkcs11_call_duration_seconds", "call" => call)
        .record(since.elapsed().as_secs_f64());
    outcome
}

fn signing(key: &TokenKey, algorithm: SignatureAlgorithm, input: SignInput) -> SignCall {
    let (id, spki) = (key.locator.as_bytes().to_vec(), key.spki.as_bytes().to_vec());
    SignCall { id, key: key.algorithm, spki, algorithm, input }
}

fn generation(key: KeyTemplate) -> GenerateCall {
    let KeyTemplate { locator, label, algorithm, key_use } = key;
    GenerateCall { id: locator.as_bytes().to_vec(), label, algorithm, key_use }
}

fn generated(outcome: CallOutcome) -> Result<ProvenKey, TokenError> {
    match outcome {
        CallOutcome::Generated { spki, attestation } => SpkiDer::parse(spki)
            .map(|spki| ProvenKey { spki, attestation })
            .map_err(|error| TokenError::Unknown(error.to_string())),
        other => Err(TokenError::unexpected(&other)),
    }
}

/// Passes unless the key is wanted in another token (RFC 7512 section 2.4: each attribute must match).
fn require_token(wanted: &KeySelector, facts: &TokenFacts) -> Result<(), TokenError> {
    for (name, wanted, is) in [("token", &wanted.token, &facts.label), ("serial", &wanted.serial, &facts.serial)] {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != is) {
            return Err(TokenError::Refused(format!("the {name} here is {is:?}, not {wanted:?}")));
        }
    }
    Ok(())
}

fn found(object: SelectedKey) -> Result<ExistingKey, TokenError> {
    let SelectedKey { id, algorithm, spki, attestation } = object;
    let refused = |error: strongroom_domain::key::IdError| TokenError::Refused(error.to_string());
    let locator = Locator::from_bytes(&id).map_err(refused)?;
    Ok(ExistingKey { locator, algorithm, spki: SpkiDer::parse(spki).map_err(refused)?, attestation })
}

fn removed(outcome: CallOutcome) -> Result<DestroyedObjects, TokenError> {
    match outcome {
        CallOutcome::Removed(objects) => Ok(DestroyedObjects { objects }),
        other => Err(TokenError::unexpected(&other)),
    }
}

fn held(object: InventoryObject) -> TokenObject {
    let InventoryObject { id, label, has_private, has_public, incomplete: broken } = object;
    TokenObject { locator: Locator::from_bytes(&id).ok(), label, has_private, has_public, incomplete: broken }
}
