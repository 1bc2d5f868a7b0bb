//! Keys in a PKCS#11 token, reached through child processes.
//!
//! Owns both ends of the link to token hosts and the contract between them: `host` runs
//! inside the child and alone meets the vendor's module; `link` starts, watches and
//! replaces children; `protocol` is all that they say to each other. Does not own what a
//! key is for, nor any row about it.
//!
//! Invariants: the daemon's own process never loads a module and never reads a PIN; the
//! rest of the daemon cannot tell a process from a thread; after
//! [`ProviderError::Unavailable`] nothing was made.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use super::{
    BATCH_WINDOW, Capabilities, Destroyed, ForeignKey, FoundKey, GeneratedKey, Health, Held, KeyProvider, KeyRef,
    NewKey, ProviderError, SignInput,
};
use crate::config::{Hosts, Token};
use activity::Activity;
use link::{Link, Role};
use protocol::{Call, Decryption, FoundObject, Generation, HeldObject, Input, Opening, Outcome, Signing};
use strongroom_domain::key::{
    DecryptionAlgorithm, KeyUse, Locator, ProviderKind, Signature, SignatureAlgorithm, SpkiDer,
};
use strongroom_domain::secret::Secret;

mod activity;
mod carried;
mod frames;
pub mod host;
mod link;
mod probe;
mod protocol;
#[cfg(test)]
mod tests;

pub use probe::{Initialised, ProbeReport, initialise_token, probe, probe_sealing_key};
pub use protocol::{SealingScheme, TokenFacts};

/// The file in the state directory that remembers a refused PIN.
const REFUSED_PIN: &str = "refused-pin";

/// What the labels of sealing keys begin with.
const SEALING_LABEL: &str = "sr-seal:";

/// What a provider over a token needs to know.
#[derive(Clone, Debug)]
pub struct Pkcs11Options {
    /// The program whose command `token-host` is a host: this one.
    pub executable: PathBuf,
    pub token: Token,
    pub hosts: Hosts,
    /// Where a refused PIN is remembered.
    pub state_dir: PathBuf,
}

impl Pkcs11Options {
    /// The opening of a host with one session that keeps nothing.
    fn opening(&self) -> Opening {
        Opening {
            module: self.token.module.clone(),
            selector: self.token.selector.clone(),
            pin: self.token.pin.clone(),
            profile: self.token.profile,
            refused_pin: self.state_dir.join(REFUSED_PIN),
            try_refused: false,
            // The one file that all daemons of a machine that use the module can open,
            // whatever else they share; no token is known before the module is loaded.
            lock: self.token.module.clone(),
            sessions: 1,
            keeps: false,
            low_priority: false,
        }
    }
}

/// Forgets that a PIN was refused, so that the next host tries it again.
///
/// # Errors
/// When the memory is there and cannot be removed.
pub fn forget_refused_pin(state_dir: &Path) -> io::Result<()> {
    host::forget_refused_pin(&state_dir.join(REFUSED_PIN))
}

/// The provider over one token.
pub struct Pkcs11Provider {
    link: Link,
    activity: Activity,
}

impl Pkcs11Provider {
    /// Starts the token hosts and returns at once; needs a tokio runtime.
    #[must_use]
    pub fn start(options: Pkcs11Options) -> Arc<Self> {
        Arc::new(Self { link: Link::start(options), activity: Activity::new() })
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
    /// [`ProviderError::Unsupported`] when the token has no way to seal, or not one for a
    /// secret as long as this.
    pub async fn seal(&self, label: &str, context: &[u8], secret: Secret) -> Result<Vec<u8>, ProviderError> {
        let call = Call::Seal { label: label.to_owned(), context: context.to_vec(), secret: secret.into() };
        match self.requested("seal", self.link.keep(call)).await? {
            Outcome::Sealed(sealed) => Ok(sealed),
            other => Err(unexpected(&other)),
        }
    }

    /// Opens what [`Self::seal`] sealed.
    ///
    /// # Errors
    /// [`ProviderError::KeyMissing`] when the sealing key has gone from the token;
    /// [`ProviderError::Refused`] when anything was altered, or in another context.
    pub async fn unseal(&self, label: &str, context: &[u8], sealed: &[u8]) -> Result<Secret, ProviderError> {
        let call = Call::Unseal { label: label.to_owned(), context: context.to_vec(), sealed: sealed.to_vec() };
        match self.requested("unseal", self.link.keep(call)).await? {
            Outcome::Unsealed(secret) => Ok(secret.into()),
            other => Err(unexpected(&other)),
        }
    }

    /// Why the token stays closed until an operator acts; `None` while trying again may help.
    #[must_use]
    pub fn verdict(&self) -> Option<String> {
        self.link.verdict()
    }

    /// Refuses generations that wait in the queue; the one under way goes on.
    pub fn refuse_generations(&self) {
        self.link.refuse_generations();
    }

    /// Makes a call, which counts as a request to the token.
    async fn requested<T>(&self, call: &'static str, work: impl Future<Output = T>) -> T {
        let _request = self.activity.begin();
        timed(call, work).await
    }

    /// Ends the hosts; calls are refused from then on.
    pub async fn stop(&self) {
        self.link.stop().await;
    }
}

#[async_trait]
impl KeyProvider for Pkcs11Provider {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Hsm
    }

    fn capabilities(&self) -> Option<Capabilities> {
        self.link
            .facts()
            .map(|facts| Capabilities { algorithms: facts.algorithms.clone(), decryptions: facts.decryptions.clone() })
    }

    fn health(&self) -> Health {
        match (self.link.state(), self.link.facts()) {
            (Ok(hosts), Some(facts)) => Health {
                ready: true,
                detail: format!("token {:?} serial {:?}: {hosts} signing hosts", facts.label, facts.serial),
            },
            (Ok(_), None) => Health { ready: false, detail: "its token hosts are starting".to_owned() },
            (Err(detail), _) => Health { ready: false, detail },
        }
    }

    async fn generate(&self, key: NewKey) -> Result<GeneratedKey, ProviderError> {
        let (id, deadline) = (key.locator.as_bytes().to_vec(), key.deadline);
        let call = Call::Generate(generation(key));
        generated(self.requested("generate", self.link.make(Some(id), &call, deadline)).await?)
    }

    async fn generate_ahead(&self, key: NewKey) -> Result<GeneratedKey, ProviderError> {
        let deadline = key.deadline;
        // Its first signature is far off, and no business of the host that makes keys.
        generated(timed("generate_ahead", self.link.make(None, &Call::Generate(generation(key)), deadline)).await?)
    }

    async fn prove(&self, key: &KeyRef, label: &str, trial: bool) -> Result<String, ProviderError> {
        let (id, label, algorithm) = (key.locator.as_bytes().to_vec(), label.to_owned(), key.algorithm);
        let made = Generation { id, label, algorithm, key_use: KeyUse::Sign };
        let call = Call::Prove { key: made, spki: key.spki.as_bytes().to_vec(), trial };
        match self.requested("prove", self.link.search(call)).await? {
            Outcome::Proven(proof) => Ok(proof),
            other => Err(unexpected(&other)),
        }
    }

    fn idle(&self) -> Duration {
        self.activity.idle()
    }

    async fn import(&self, key: NewKey, pkcs8: Secret) -> Result<GeneratedKey, ProviderError> {
        let (id, deadline) = (key.locator.as_bytes().to_vec(), key.deadline);
        let call = Call::Import { key: generation(key), pkcs8: pkcs8.into() };
        generated(self.requested("import", self.link.make(Some(id), &call, deadline)).await?)
    }

    async fn find(&self, wanted: &ForeignKey) -> Result<FoundKey, ProviderError> {
        if let Some(facts) = self.link.facts() {
            require_token(wanted, &facts)?;
        }
        let id = wanted.locator.as_ref().map(|locator| locator.as_bytes().to_vec());
        let call = Call::Find { id, label: wanted.label.clone() };
        match self.requested("find", self.link.search(call)).await? {
            Outcome::Found(object) => found(object),
            other => Err(unexpected(&other)),
        }
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
        let _request = self.activity.begin();
        let raw = self.link.sign(signing(key, algorithm, input.into())).await?;
        Ok(Signature::from_raw(algorithm, raw))
    }

    async fn sign_batch(
        &self,
        key: &KeyRef,
        algorithm: SignatureAlgorithm,
        inputs: Vec<SignInput>,
    ) -> Vec<Result<Signature, ProviderError>> {
        let _request = self.activity.begin();
        let size = self.link.batch_size(key.algorithm, inputs.len());
        let mut inputs = inputs.into_iter().map(Input::from);
        let calls = std::iter::from_fn(|| {
            let first = signing(key, algorithm, inputs.next()?);
            let rest: Vec<Input> = inputs.by_ref().take(size - 1).collect();
            Some(self.link.sign_batch(first, rest))
        });
        let signed: Vec<Vec<_>> = stream::iter(calls).buffered((BATCH_WINDOW / size).max(1)).collect().await;
        signed.into_iter().flatten().map(|signed| signed.map(|raw| Signature::from_raw(algorithm, raw))).collect()
    }

    async fn decrypt(
        &self,
        key: &KeyRef,
        algorithm: DecryptionAlgorithm,
        ciphertext: Vec<u8>,
    ) -> Result<Secret, ProviderError> {
        let request = Decryption {
            id: key.locator.as_bytes().to_vec(),
            key: key.algorithm,
            spki: key.spki.as_bytes().to_vec(),
            algorithm,
            ciphertext,
        };
        self.requested("decrypt", self.link.decrypt(request)).await
    }

    async fn destroy(&self, locator: &Locator, label: &str) -> Result<Destroyed, ProviderError> {
        if label.starts_with(SEALING_LABEL) {
            return Err(ProviderError::Refused("sealing keys are not destroyed".to_owned()));
        }
        let call = Call::Destroy { id: locator.as_bytes().to_vec(), label: label.to_owned() };
        removed(self.requested("destroy", self.link.keep(call)).await?)
    }

    async fn inventory(&self) -> Result<Vec<Held>, ProviderError> {
        match self.requested("inventory", self.link.keep(Call::Inventory)).await? {
            Outcome::Held(objects) => Ok(objects.into_iter().map(held).collect()),
            other => Err(unexpected(&other)),
        }
    }

    async fn remove_broken(&self) -> Result<Destroyed, ProviderError> {
        removed(self.requested("remove_broken", self.link.keep(Call::RemoveBroken)).await?)
    }
}

async fn timed<T>(call: &'static str, work: impl Future<Output = T>) -> T {
    let since = Instant::now();
    let outcome = work.await;
    metrics::histogram!("strongroom_pkcs11_call_duration_seconds", "call" => call)
        .record(since.elapsed().as_secs_f64());
    outcome
}

fn signing(key: &KeyRef, algorithm: SignatureAlgorithm, input: Input) -> Signing {
    let (id, spki) = (key.locator.as_bytes().to_vec(), key.spki.as_bytes().to_vec());
    Signing { id, key: key.algorithm, spki, algorithm, input }
}

impl From<SignInput> for Input {
    fn from(input: SignInput) -> Self {
        match input {
            SignInput::Message(message) => Self::Message(message),
            SignInput::Digest(digest) => Self::Digest(digest),
        }
    }
}

fn generation(key: NewKey) -> Generation {
    let NewKey { id: _, locator, label, algorithm, key_use, deadline: _ } = key;
    Generation { id: locator.as_bytes().to_vec(), label, algorithm, key_use }
}

fn generated(outcome: Outcome) -> Result<GeneratedKey, ProviderError> {
    match outcome {
        Outcome::Generated { spki, proof } => SpkiDer::parse(spki)
            .map(|spki| GeneratedKey { spki, sealed: None, proof })
            .map_err(|error| ProviderError::Unknown(error.to_string())),
        other => Err(unexpected(&other)),
    }
}

/// Passes unless the key is wanted in another token (RFC 7512 section 2.4: each attribute must match).
fn require_token(wanted: &ForeignKey, facts: &TokenFacts) -> Result<(), ProviderError> {
    for (name, wanted, is) in [("token", &wanted.token, &facts.label), ("serial", &wanted.serial, &facts.serial)] {
        if let Some(wanted) = wanted.as_ref().filter(|wanted| *wanted != is) {
            return Err(ProviderError::Refused(format!("the {name} here is {is:?}, not {wanted:?}")));
        }
    }
    Ok(())
}

fn found(object: FoundObject) -> Result<FoundKey, ProviderError> {
    let FoundObject { id, algorithm, spki, proof } = object;
    let refused = |error: strongroom_domain::key::IdError| ProviderError::Refused(error.to_string());
    let locator = Locator::from_bytes(&id).map_err(refused)?;
    Ok(FoundKey { locator, algorithm, spki: SpkiDer::parse(spki).map_err(refused)?, proof })
}

fn removed(outcome: Outcome) -> Result<Destroyed, ProviderError> {
    match outcome {
        Outcome::Removed(objects) => Ok(Destroyed { objects }),
        other => Err(unexpected(&other)),
    }
}

fn held(object: HeldObject) -> Held {
    let HeldObject { id, label, has_private, has_public, broken } = object;
    Held { locator: Locator::from_bytes(&id).ok(), label, has_private, has_public, broken }
}

/// A host of this very program answers what it was asked; if not, nobody knows what it did.
fn unexpected(outcome: &Outcome) -> ProviderError {
    ProviderError::Unknown(format!("the token host answered with {outcome:?}"))
}
