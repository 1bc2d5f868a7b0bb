//! Signatures: one, or several in one call; on a second host if the first is lost.

use super::poisoned_keys::KeyAndAlgorithm;
use super::retry::{AttemptOutcome, error_of};
use super::{Inner, Link, Role};
use crate::error::TokenError;
use crate::key::SignInput;
use crate::protocol::{Call, CallOutcome, SignCall};
use strongroom_domain::key::{KeyAlgorithm, KeyFamily};

/// The most signatures of a batch that go into one call.
const MOST: usize = 16;
/// RSA takes ten times as long.
const MOST_RSA: usize = 4;

/// What came of one input.
pub(crate) type SignReply = Result<Vec<u8>, TokenError>;

impl Link {
    /// Signs.
    pub(crate) async fn sign(&self, request: SignCall) -> SignReply {
        let link = &self.inner;
        link.poisoned.check(&suspect(&request))?;
        let _place = link.signing.reserve_slots(1)?;
        let retrying_alone = match link.sign_where_made(&request).await {
            Some(AttemptOutcome::Outcome(outcome)) => return one(outcome),
            Some(AttemptOutcome::Refused(error)) => return Err(error),
            Some(AttemptOutcome::Lost { started: false }) | None => false,
            Some(AttemptOutcome::Lost { started: true } | AttemptOutcome::Broken(_)) => true,
        };
        link.sign(request, retrying_alone).await
    }

    /// How many of `count` inputs go into one call: as many for each worker, but not more
    /// than are made before others that wait grow impatient.
    pub(crate) fn batch_size(&self, key: KeyAlgorithm, count: usize) -> usize {
        let hosts = &self.inner.options.hosts;
        let most = match key.family() {
            KeyFamily::Rsa => MOST_RSA,
            KeyFamily::Ec | KeyFamily::EdDsa => MOST,
        };
        let workers = (hosts.signing_hosts * hosts.workers).max(1);
        let calls = count.div_ceil(most.min(hosts.sign_queue).max(1)).next_multiple_of(workers);
        count.div_ceil(calls.max(1)).max(1)
    }

    /// Signs several inputs in one call; what fails, fails alone.
    pub(crate) async fn sign_batch(&self, first: SignCall, rest: Vec<SignInput>) -> Vec<SignReply> {
        let count = 1 + rest.len();
        let link = &self.inner;
        let _place = match link.poisoned.check(&suspect(&first)).and_then(|()| link.signing.reserve_slots(count)) {
            Ok(place) => place,
            Err(error) => return vec![Err(error); count],
        };
        let call = Call::SignBatch { first, rest };
        match link.send_once(Role::Sign, &call, link.options.hosts.sign_timeout, false).await {
            Ok(AttemptOutcome::Outcome(CallOutcome::SignedBatch(signed))) if signed.len() == count => {
                signed.into_iter().map(|signed| signed.map_err(error_of)).collect()
            }
            Ok(AttemptOutcome::Outcome(other)) => vec![Err(TokenError::unexpected(&other)); count],
            Ok(AttemptOutcome::Refused(error)) | Err(error) => vec![Err(error); count],
            Ok(AttemptOutcome::Lost { started: false }) => link.sign_each(call, false).await,
            // Nobody knows over which.
            Ok(AttemptOutcome::Lost { started: true } | AttemptOutcome::Broken(_)) => link.sign_each(call, true).await,
        }
    }
}

impl Inner {
    async fn sign(&self, request: SignCall, retrying_alone: bool) -> SignReply {
        let (suspect, limit) = (suspect(&request), self.options.hosts.sign_timeout);
        let call = Call::Sign(request);
        let signed = self.send_repeatable(Role::Sign, &call, limit, retrying_alone, || self.poisoned.add(&suspect));
        one(signed.await?)
    }

    /// Signs the inputs of a batch in calls of their own, one after the other.
    async fn sign_each(&self, call: Call, retrying_alone: bool) -> Vec<SignReply> {
        let Call::SignBatch { first, rest } = call else { return Vec::new() };
        let mut signed = Vec::with_capacity(1 + rest.len());
        let mut next = first.clone();
        for input in std::iter::once(first.input).chain(rest) {
            next.input = input;
            signed.push(match self.poisoned.check(&suspect(&next)) {
                Ok(()) => self.sign(next.clone(), retrying_alone).await,
                Err(error) => Err(error),
            });
        }
        signed
    }

    /// Signs with a key that was just made in the host that made it: any other would have
    /// to search the whole token for it. Not in the lane's turn, so that it waits for the
    /// generation under way and for no other. `None` when that host is gone.
    async fn sign_where_made(&self, request: &SignCall) -> Option<AttemptOutcome> {
        let host = self.new_keys().remove(&request.id)?.upgrade()?;
        let _together = host.exclusive.read().await;
        let call = Call::Sign(request.clone());
        Some(self.send_to(&self.signing, &host, &call, self.options.hosts.sign_timeout).await)
    }
}

/// What is condemned where a signature takes down hosts.
fn suspect(request: &SignCall) -> KeyAndAlgorithm {
    (request.id.clone(), request.algorithm.jca_name())
}

fn one(outcome: CallOutcome) -> SignReply {
    match outcome {
        CallOutcome::Signed(raw) => Ok(raw),
        other => Err(TokenError::unexpected(&other)),
    }
}
