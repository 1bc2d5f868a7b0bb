//! Signatures: one, or several in one call; on a second host if the first is lost.

use super::attempt::{Settled, error_of};
use super::condemned::Suspect;
use super::{Inner, Link, Role};
use crate::error::TokenError;
use crate::key::SignInput;
use crate::protocol::{Call, Outcome, Signing};
use strongroom_domain::key::{KeyAlgorithm, KeyFamily};

/// The most signatures of a batch that go into one call.
const MOST: usize = 16;
/// RSA takes ten times as long.
const MOST_RSA: usize = 4;

/// What came of one input.
pub(crate) type Signed = Result<Vec<u8>, TokenError>;

impl Link {
    /// Signs.
    pub(crate) async fn sign(&self, request: Signing) -> Signed {
        let link = &self.inner;
        link.condemned.pass(&suspect(&request))?;
        let _place = link.signing.enter(1)?;
        let suspected = match link.sign_where_made(&request).await {
            Some(Settled::Outcome(outcome)) => return one(outcome),
            Some(Settled::Refused(error)) => return Err(error),
            Some(Settled::Lost { started: false }) | None => false,
            Some(Settled::Lost { started: true } | Settled::Broken(_)) => true,
        };
        link.sign(request, suspected).await
    }

    /// How many of `count` inputs go into one call: as many for each worker, but not more
    /// than are made before others that wait grow impatient.
    pub(crate) fn batch_size(&self, key: KeyAlgorithm, count: usize) -> usize {
        let hosts = &self.inner.options.hosts;
        let most = match key.family() {
            KeyFamily::Rsa => MOST_RSA,
            KeyFamily::Ec | KeyFamily::Ed25519 => MOST,
        };
        let workers = (hosts.signing_hosts * hosts.workers).max(1);
        let calls = count.div_ceil(most.min(hosts.sign_queue).max(1)).next_multiple_of(workers);
        count.div_ceil(calls.max(1)).max(1)
    }

    /// Signs several inputs in one call; what fails, fails alone.
    pub(crate) async fn sign_batch(&self, first: Signing, rest: Vec<SignInput>) -> Vec<Signed> {
        let count = 1 + rest.len();
        let link = &self.inner;
        let _place = match link.condemned.pass(&suspect(&first)).and_then(|()| link.signing.enter(count)) {
            Ok(place) => place,
            Err(error) => return vec![Err(error); count],
        };
        let call = Call::SignBatch { first, rest };
        match link.once(Role::Sign, &call, link.options.hosts.sign_timeout, false).await {
            Ok(Settled::Outcome(Outcome::SignedBatch(signed))) if signed.len() == count => {
                signed.into_iter().map(|signed| signed.map_err(error_of)).collect()
            }
            Ok(Settled::Outcome(other)) => vec![Err(TokenError::unexpected(&other)); count],
            Ok(Settled::Refused(error)) | Err(error) => vec![Err(error); count],
            Ok(Settled::Lost { started: false }) => link.sign_each(call, false).await,
            // Nobody knows over which.
            Ok(Settled::Lost { started: true } | Settled::Broken(_)) => link.sign_each(call, true).await,
        }
    }
}

impl Inner {
    async fn sign(&self, request: Signing, suspected: bool) -> Signed {
        let (suspect, limit) = (suspect(&request), self.options.hosts.sign_timeout);
        let call = Call::Sign(request);
        let signed = self.repeatable(Role::Sign, &call, limit, suspected, || self.condemned.add(&suspect));
        one(signed.await?)
    }

    /// Signs the inputs of a batch in calls of their own, one after the other.
    async fn sign_each(&self, call: Call, suspected: bool) -> Vec<Signed> {
        let Call::SignBatch { first, rest } = call else { return Vec::new() };
        let mut signed = Vec::with_capacity(1 + rest.len());
        let mut next = first.clone();
        for input in std::iter::once(first.input).chain(rest) {
            next.input = input;
            signed.push(match self.condemned.pass(&suspect(&next)) {
                Ok(()) => self.sign(next.clone(), suspected).await,
                Err(error) => Err(error),
            });
        }
        signed
    }

    /// Signs with a key that was just made in the host that made it: any other would have
    /// to search the whole token for it. Not in the lane's turn, so that it waits for the
    /// generation under way and for no other. `None` when that host is gone.
    async fn sign_where_made(&self, request: &Signing) -> Option<Settled> {
        let host = self.fresh().remove(&request.id)?.upgrade()?;
        let _together = host.turn.read().await;
        let call = Call::Sign(request.clone());
        Some(self.ask(&self.signing, &host, &call, self.options.hosts.sign_timeout).await)
    }
}

/// What is condemned where a signature takes down hosts.
fn suspect(request: &Signing) -> Suspect {
    (request.id.clone(), request.algorithm.jca_name())
}

fn one(outcome: Outcome) -> Signed {
    match outcome {
        Outcome::Signed(raw) => Ok(raw),
        other => Err(TokenError::unexpected(&other)),
    }
}
