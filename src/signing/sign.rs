//! Signing: one input, or a batch.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use metrics::counter;

use super::authorise::{Manner, check_input};
use super::{Client, SignInput, Signed, Signing, SigningKey, Target};
use crate::audit::Event;
use crate::auth::{Principal, Scope};
use crate::error::{Error, Kind};
use crate::key::{Signature, SignatureAlgorithm};
use crate::provider::{KeyProvider, ProviderError};
use crate::turns::Place;

/// The longest message, in bytes; of what is longer a digest is signed.
pub const MESSAGE_LIMIT: usize = 64 * 1024;

/// How many items of one batch are with providers at a time: enough for every worker of
/// every host, and little of the queue that all callers share.
const BATCH_WINDOW: usize = 64;

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
        let signed = stream::iter(inputs).map(|input| {
            let (key, place) = (&key, &place);
            async move {
                let input = input?;
                check_input(algorithm, &input)?;
                self.made_by(client, place, key, algorithm, input).await
            }
        });
        let signatures = signed.buffered(BATCH_WINDOW).collect().await;
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

    /// Has the provider sign what was authorised and checked: the one place where
    /// signatures are made, counted and, one day, audited.
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
        let outcome = match &signed {
            Ok(_) => "signed",
            Err(ProviderError::Busy) => "busy",
            Err(_) => "failed",
        };
        counter!("strongroom_signatures_total", "algorithm" => algorithm.jca_name(), "outcome" => outcome).increment(1);
        self.audited(&client.who, key, &signed).await?;
        Ok(signed?)
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
