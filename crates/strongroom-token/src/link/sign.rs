//! Signatures: one, or several in one call; on a second host if the first is lost.

use super::retry::{AttemptOutcome, error_of};
use super::suspects::KeyAndAlgorithm;
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
        let _place = link.signing.reserve_slots(1)?;
        let alone = match link.sign_where_made(&request).await {
            Some((_, AttemptOutcome::Outcome(outcome))) => return one(outcome),
            Some((_, AttemptOutcome::Refused(error))) => return Err(error),
            Some((_, AttemptOutcome::Lost { started: false } | AttemptOutcome::Mismatched(_))) | None => false,
            Some((host, AttemptOutcome::Lost { started: true })) => {
                link.suspects.lost(&suspect(&request), host);
                true
            }
            Some((_, AttemptOutcome::Broken(_))) => true,
        };
        link.sign(request, alone).await
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
        let key = suspect(&first);
        let _place = match link.signing.reserve_slots(count) {
            Ok(place) => place,
            Err(error) => return vec![Err(error); count],
        };
        let call = Call::SignBatch { first, rest };
        if link.suspects.suspects(&key) {
            return link.sign_each(call, false).await;
        }
        match link.send_once(Role::Sign, &call, link.options.hosts.sign_timeout, false, None).await {
            Ok((host, AttemptOutcome::Outcome(CallOutcome::SignedBatch(signed)))) if signed.len() == count => {
                link.suspects.answered(Some(&key), host.pid());
                signed.into_iter().map(|signed| signed.map_err(error_of)).collect()
            }
            Ok((_, AttemptOutcome::Outcome(other))) => vec![Err(TokenError::unexpected(&other)); count],
            Ok((_, AttemptOutcome::Refused(error))) | Err(error) => vec![Err(error); count],
            Ok((_, AttemptOutcome::Lost { started: false } | AttemptOutcome::Mismatched(_))) => {
                link.sign_each(call, false).await
            }
            // Nobody knows over which.
            Ok((host, AttemptOutcome::Lost { started: true })) => {
                link.suspects.lost(&key, host.pid());
                link.sign_each(call, true).await
            }
            Ok((_, AttemptOutcome::Broken(_))) => link.sign_each(call, true).await,
        }
    }
}

impl Inner {
    async fn sign(&self, request: SignCall, alone: bool) -> SignReply {
        let key = suspect(&request);
        one(self.send_with_key(&Call::Sign(request), &key, alone).await?)
    }

    /// Signs the inputs of a batch in calls of their own, one after the other.
    async fn sign_each(&self, call: Call, alone: bool) -> Vec<SignReply> {
        let Call::SignBatch { first, rest } = call else { return Vec::new() };
        let mut signed = Vec::with_capacity(1 + rest.len());
        let mut next = first.clone();
        for input in std::iter::once(first.input).chain(rest) {
            next.input = input;
            signed.push(self.sign(next.clone(), alone).await);
        }
        signed
    }

    /// Signs with a key that was just made in the host that made it: any other would have
    /// to search the whole token for it. Not in the lane's turn, so that it waits for the
    /// generation under way and for no other. `None` when that host is gone.
    async fn sign_where_made(&self, request: &SignCall) -> Option<(u32, AttemptOutcome)> {
        let host = self.new_keys().remove(&request.id)?.upgrade()?;
        let _together = host.exclusive.read().await;
        let call = Call::Sign(request.clone());
        Some((host.pid(), self.send_to(&self.signing, &host, &call, self.options.hosts.sign_timeout).await))
    }
}

/// What is suspected where hosts are lost with signatures.
fn suspect(request: &SignCall) -> KeyAndAlgorithm {
    (request.id.clone(), request.algorithm.jca_name())
}

fn one(outcome: CallOutcome) -> SignReply {
    match outcome {
        CallOutcome::Signed(raw) => Ok(raw),
        other => Err(TokenError::unexpected(&other)),
    }
}
