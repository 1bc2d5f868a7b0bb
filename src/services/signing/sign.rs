//! Signing: one input, or a batch.

use std::iter;
use std::pin::pin;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use metrics::counter;

use super::authorise::{Manner, check_input};
use super::{Client, SignInput, Signed, Signing, SigningKey, Target};
use crate::admission::Place;
use crate::auth::{Principal, Scope};
use crate::provider::{KeyProvider, ProviderError};
use strongroom_domain::audit::Event;
use strongroom_domain::error::{Error, Kind};
use strongroom_domain::key::{Signature, SignatureAlgorithm};

/// The longest message, in bytes; of what is longer a digest is signed.
pub const MESSAGE_LIMIT: usize = 64 * 1024;

/// How many items of a batch are one turn at a provider.
pub const IN_A_TURN: usize = 32;

/// How many turns one batch takes or waits for at a time: enough for every worker of every host.
const TURNS_OF_A_BATCH: usize = 8;

impl Signing {
    /// Signs one input.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`, `Conflict` (not Active, or an ambiguous kid), `Invalid`,
    /// `Busy`, `Deadline`, `ProviderUnavailable`.
    pub async fn sign(
        &self,
        client: &Client,
        target: &Target,
        algorithm: &str,
        input: SignInput,
    ) -> Result<Signed, Error> {
        let (key, algorithm) = self.authorise(&client.who, target, Some(algorithm), Manner::Raw).await?;
        check_input(algorithm, &input)?;
        let place = self.admit(client, &key)?;
        let signature = self.made_by(client, &place, &key, algorithm, input).await?;
        Ok(Signed { key, signature })
    }

    /// Signs inputs with one key; each that fails, or came as a failure, fails alone.
    ///
    /// # Errors
    /// As [`Signing::sign`], where it concerns all of them.
    pub async fn sign_batch(
        &self,
        client: &Client,
        target: &Target,
        algorithm: &str,
        inputs: Vec<Result<SignInput, Error>>,
    ) -> Result<(Arc<SigningKey>, Vec<Result<Signature, Error>>), Error> {
        let (key, algorithm) = self.authorise(&client.who, target, Some(algorithm), Manner::Raw).await?;
        let place = self.admit(client, &key)?;
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
        let mut made = self.all_made_by(client, &place, &key, algorithm, good).await?.into_iter();
        let lost = || Err(Error::new(Kind::Internal, "internal error"));
        let signatures = checked.into_iter().map(|good| good.and_then(|()| made.next().unwrap_or_else(lost)));
        let signatures = signatures.collect();
        Ok((key, signatures))
    }

    /// The key of a target, if `who` may have it sign in this manner, and the algorithm of
    /// a name, or the key's default.
    pub(super) async fn authorise(
        &self,
        who: &Principal,
        target: &Target,
        algorithm: Option<&str>,
        manner: Manner,
    ) -> Result<(Arc<SigningKey>, SignatureAlgorithm), Error> {
        who.require(Scope::Sign)?;
        let key = self.find(target).await?;
        key.may_sign(manner)?;
        let algorithm = algorithm.map_or(Ok(key.default), |name| key.permitted(name))?;
        Ok((key, algorithm))
    }

    /// Has the provider sign what was authorised and checked. This and [`Self::all_made_by`] are
    /// the places where signatures are made, counted and, one day, audited.
    pub(super) async fn made_by(
        &self,
        client: &Client,
        place: &Place,
        key: &Arc<SigningKey>,
        algorithm: SignatureAlgorithm,
        input: SignInput,
    ) -> Result<Signature, Error> {
        let (provider, own) = (Arc::clone(self.holder(key)?), Arc::clone(key));
        let turn = place.turn(client.deadline).await?;
        let work = async move { provider.sign(&own.key, algorithm, input).await };
        let signed = turn.work(client.deadline, work).await?;
        count(algorithm, std::slice::from_ref(&signed));
        self.audited(&client.who, key, &signed).await?;
        Ok(signed?)
    }

    /// [`Self::made_by`] for several inputs, some of them in each turn; one that fails, fails alone.
    async fn all_made_by(
        &self,
        client: &Client,
        place: &Place,
        key: &Arc<SigningKey>,
        algorithm: SignatureAlgorithm,
        inputs: Vec<SignInput>,
    ) -> Result<Vec<Result<Signature, Error>>, Error> {
        let provider = self.holder(key)?;
        let mut inputs = inputs.into_iter();
        let parts =
            iter::from_fn(|| Some(inputs.by_ref().take(IN_A_TURN).collect()).filter(|part: &Vec<_>| !part.is_empty()));
        let turns = stream::iter(parts).map(async |part| {
            let (provider, own, size) = (Arc::clone(provider), Arc::clone(key), part.len());
            let work = async move { provider.sign_batch(&own.key, algorithm, part).await };
            let done = match place.turn(client.deadline).await {
                Ok(turn) => turn.work(client.deadline, work).await,
                Err(late) => Err(late),
            };
            done.map_err(|late| (late, size))
        });
        let mut turns = pin!(turns.buffered(TURNS_OF_A_BATCH));
        let mut signatures = Vec::new();
        while let Some(turn) = turns.next().await {
            match turn {
                Ok(signed) => {
                    count(algorithm, &signed);
                    for signed in signed.iter().filter(|signed| signed.is_err()) {
                        self.audited(&client.who, key, signed).await?;
                    }
                    signatures.extend(signed.into_iter().map(|signed| signed.map_err(Error::from)));
                }
                Err((late, size)) => signatures.extend(iter::repeat_with(|| Err(Error::from(late))).take(size)),
            }
        }
        Ok(signatures)
    }

    /// Counts a request in.
    pub(super) fn admit(&self, client: &Client, key: &SigningKey) -> Result<Place, Error> {
        Ok(self.turns.admit(key.provider, client.who.name())?)
    }

    /// The provider that holds a key.
    pub(super) fn holder(&self, key: &SigningKey) -> Result<&Arc<dyn KeyProvider>, Error> {
        let holder = self.providers.get(key.provider);
        holder.ok_or_else(|| Error::new(Kind::ProviderUnavailable, "the key's crypto provider is not configured"))
    }

    /// Audits a broken seal the first time that this process sees it.
    pub(super) async fn audited<T: Sync>(
        &self,
        who: &Principal,
        key: &SigningKey,
        outcome: &Result<T, ProviderError>,
    ) -> Result<(), Error> {
        let Err(damage @ ProviderError::Damaged(_)) = outcome else { return Ok(()) };
        let id = key.key.id;
        if self.damaged.lock().is_ok_and(|damaged| damaged.contains(&id)) {
            return Ok(());
        }
        let event = Event::seal_broken(self.clock.now(), who.name(), id, Some(key.ring.clone()), damage.to_string());
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
