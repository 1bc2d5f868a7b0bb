//! Signing: one input, or a batch.

use std::iter;
use std::pin::pin;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use metrics::counter;

use super::authorise::{SigningMode, check_input};
use super::{SignInput, SignResult, Signing, SigningKey, Target};
use crate::admission::Admission;
use crate::auth::Caller;
use crate::auth::policy::Action;
use crate::provider::{KeyProvider, ProviderError};
use strongroom_domain::audit::Event;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{Signature, SignatureAlgorithm};

/// The longest message, in bytes; of what is longer a digest is signed.
pub const MESSAGE_LIMIT: usize = 64 * 1024;

/// How many items of a batch are one turn at a provider.
pub const INPUTS_PER_PERMIT: usize = 32;

/// How many turns one batch takes or waits for at a time: enough for every worker of every host.
const PERMITS_PER_BATCH: usize = 8;

impl Signing {
    /// Signs one input.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Conflict` (not Active, or an ambiguous kid), `Invalid`,
    /// `Busy`, `Deadline`, `ProviderUnavailable`.
    pub async fn sign(
        &self,
        caller: &Caller,
        target: &Target,
        algorithm: &str,
        input: SignInput,
    ) -> Result<SignResult, Error> {
        let (key, algorithm) = self.authorise(caller, target, Some(algorithm), SigningMode::Raw).await?;
        check_input(algorithm, &input)?;
        let admission = self.admit(caller, &key)?;
        let signature = self.sign_admitted(caller, &admission, &key, algorithm, input).await?;
        Ok(SignResult { key, signature })
    }

    /// Signs inputs with one key; each that fails, or came as a failure, fails alone.
    ///
    /// # Errors
    /// As [`Signing::sign`], where it concerns all of them.
    pub async fn sign_batch(
        &self,
        caller: &Caller,
        target: &Target,
        algorithm: &str,
        inputs: Vec<Result<SignInput, Error>>,
    ) -> Result<(Arc<SigningKey>, Vec<Result<Signature, Error>>), Error> {
        let (key, algorithm) = self.authorise(caller, target, Some(algorithm), SigningMode::Raw).await?;
        let admission = self.admit(caller, &key)?;
        let mut good = Vec::with_capacity(inputs.len());
        let checked: Vec<Result<(), Error>> = inputs
            .into_iter()
            .map(|input| {
                let input = input?;
                check_input(algorithm, &input)?;
                good.push(input);
                Ok(())
            })
            .collect();
        let mut made = self.sign_all_admitted(caller, &admission, &key, algorithm, good).await?.into_iter();
        let lost = || Err(Error::new(ErrorKind::Internal, "internal error"));
        let signatures = checked.into_iter().map(|good| good.and_then(|()| made.next().unwrap_or_else(lost)));
        let signatures = signatures.collect();
        Ok((key, signatures))
    }

    /// The key of a target, if `who` may have it sign in this manner, and the algorithm of
    /// a name, or the key's default.
    pub(super) async fn authorise(
        &self,
        caller: &Caller,
        target: &Target,
        algorithm: Option<&str>,
        mode: SigningMode,
    ) -> Result<(Arc<SigningKey>, SignatureAlgorithm), Error> {
        let key = self.find_allowed(caller, Action::Sign, target).await?;
        key.check_may_sign(mode)?;
        let algorithm = algorithm.map_or(Ok(key.default), |name| key.permitted_algorithm(name))?;
        Ok((key, algorithm))
    }

    /// Signs an authorised and checked input with the provider. This and [`Self::sign_all_admitted`] are
    /// the places where signatures are made, counted and, one day, audited.
    pub(super) async fn sign_admitted(
        &self,
        caller: &Caller,
        admission: &Admission,
        key: &Arc<SigningKey>,
        algorithm: SignatureAlgorithm,
        input: SignInput,
    ) -> Result<Signature, Error> {
        let (provider, own) = (self.provider_of(key)?, Arc::clone(key));
        let permit = admission.acquire(caller.deadline()).await?;
        let work = async move { provider.sign(&own.key, algorithm, input).await };
        let signed = permit.run(caller.deadline(), work).await?;
        count(algorithm, std::slice::from_ref(&signed));
        self.report_missing(key, &signed);
        self.audit_damage(caller, key, &signed).await?;
        Ok(signed?)
    }

    /// [`Self::sign_admitted`] for several inputs, several under each permit; a failing input fails
    /// alone.
    async fn sign_all_admitted(
        &self,
        caller: &Caller,
        admission: &Admission,
        key: &Arc<SigningKey>,
        algorithm: SignatureAlgorithm,
        inputs: Vec<SignInput>,
    ) -> Result<Vec<Result<Signature, Error>>, Error> {
        let provider = self.provider_of(key)?;
        let mut inputs = inputs.into_iter();
        let parts = iter::from_fn(|| {
            Some(inputs.by_ref().take(INPUTS_PER_PERMIT).collect()).filter(|part: &Vec<_>| !part.is_empty())
        });
        let batches = stream::iter(parts).map(async |part| {
            let (provider, own, size) = (Arc::clone(&provider), Arc::clone(key), part.len());
            let work = async move { provider.sign_batch(&own.key, algorithm, part).await };
            let done = match admission.acquire(caller.deadline()).await {
                Ok(permit) => permit.run(caller.deadline(), work).await,
                Err(late) => Err(late),
            };
            done.map_err(|late| (late, size))
        });
        let mut batches = pin!(batches.buffered(PERMITS_PER_BATCH));
        let mut signatures = Vec::new();
        while let Some(permit) = batches.next().await {
            match permit {
                Ok(signed) => {
                    count(algorithm, &signed);
                    for signed in signed.iter().filter(|signed| signed.is_err()) {
                        self.report_missing(key, signed);
                        self.audit_damage(caller, key, signed).await?;
                    }
                    signatures.extend(signed.into_iter().map(|signed| signed.map_err(Error::from)));
                }
                Err((late, size)) => signatures.extend(iter::repeat_with(|| Err(Error::from(late))).take(size)),
            }
        }
        Ok(signatures)
    }

    /// Admits a request.
    pub(super) fn admit(&self, caller: &Caller, key: &SigningKey) -> Result<Admission, Error> {
        Ok(self.queue.admit(key.provider, caller.name())?)
    }

    /// The provider that holds a key.
    pub(super) fn provider_of(&self, key: &SigningKey) -> Result<Arc<dyn KeyProvider>, Error> {
        let holder = self.providers.get(key.provider);
        holder.ok_or_else(|| Error::new(ErrorKind::ProviderUnavailable, "the key's crypto provider is not configured"))
    }

    /// Audits a broken seal the first time that this process sees it.
    pub(super) async fn audit_damage<T: Sync>(
        &self,
        caller: &Caller,
        key: &SigningKey,
        outcome: &Result<T, ProviderError>,
    ) -> Result<(), Error> {
        let Err(damage @ ProviderError::Damaged(_)) = outcome else { return Ok(()) };
        let id = key.key.id;
        if self.damaged.lock().is_ok_and(|damaged| damaged.contains(&id)) {
            return Ok(());
        }
        let event = Event::seal_broken(self.clock.now(), caller.name(), id, Some(key.ring.clone()), damage.to_string());
        self.store.record(&[event]).await?;
        if let Ok(mut damaged) = self.damaged.lock() {
            damaged.insert(id);
        }
        Ok(())
    }
}

/// Counts signatures and failures.
fn count(algorithm: SignatureAlgorithm, signed: &[Result<Signature, ProviderError>]) {
    let outcome = |signed: &Result<Signature, ProviderError>| match signed {
        Ok(_) => "signed",
        Err(ProviderError::Busy) => "busy",
        Err(_) => "failed",
    };
    for word in ["signed", "busy", "failed"] {
        let count = signed.iter().filter(|signed| outcome(signed) == word).count();
        if count > 0 {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            counter!("strongroom_signatures_total", "algorithm" => algorithm.jca_name(), "outcome" => word)
                .increment(count);
        }
    }
}
