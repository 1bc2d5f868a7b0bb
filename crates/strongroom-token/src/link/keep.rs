//! Calls that make, destroy, list and look for keys.

use std::time::Instant;

use super::retry::{AttemptOutcome, Repeatable};
use super::{Link, Role};
use crate::error::TokenError;
use crate::protocol::{Call, CallOutcome};

impl Link {
    /// Makes or imports a key; sent once. One with this `CKA_ID` is expected to sign soon.
    pub(crate) async fn generate(
        &self,
        id: Option<Vec<u8>>,
        call: &Call,
        deadline: Instant,
    ) -> Result<CallOutcome, TokenError> {
        let link = &self.inner;
        let _place = link.managing.reserve_slots(1)?;
        let mut ending = link.ending.subscribe();
        let ready = async {
            let turn = link.manage_lock.lock().await;
            Ok((turn, link.lane(Role::Keep).host(link.patience(), None).await?))
        };
        let (_turn, host) = tokio::select! {
            biased;
            _ = ending.wait_for(|ending| *ending) => {
                return Err(TokenError::Unavailable("the client is stopping".to_owned()));
            }
            ready = tokio::time::timeout_at(deadline.into(), ready) => ready.map_err(|_| TokenError::Late)??
        };
        let _together = host.exclusive.read().await;
        match link.send_to(&link.managing, &host, call, link.options.hosts.generate_timeout).await {
            AttemptOutcome::Outcome(outcome) => {
                link.suspects.answered(None, host.pid());
                link.remember_new_key(id, &host);
                Ok(outcome)
            }
            AttemptOutcome::Refused(error) => Err(error),
            AttemptOutcome::Lost { started: false } => {
                Err(TokenError::Unavailable("the token host was lost before it began".to_owned()))
            }
            AttemptOutcome::Lost { started: true } => {
                Err(TokenError::Unknown("the token host was lost while it made the key".to_owned()))
            }
            AttemptOutcome::Broken(detail) | AttemptOutcome::Mismatched(detail) => Err(TokenError::Unknown(detail)),
        }
    }

    /// Lists or destroys; done twice it does no harm.
    pub(crate) async fn manage(&self, call: Call) -> Result<CallOutcome, TokenError> {
        let link = &self.inner;
        let _place = link.managing.reserve_slots(1)?;
        let _turn = link.manage_lock.lock().await;
        link.send_repeatable(Repeatable::without_key(Role::Keep, &call, link.options.hosts.generate_timeout)).await
    }

    /// Looks for a key that another host or somebody else made, in a host that makes none itself:
    /// what was there before its own last write, SoftHSM (2.6.1) never shows to a process.
    pub(crate) async fn search(&self, call: Call) -> Result<CallOutcome, TokenError> {
        let link = &self.inner;
        let _place = link.signing.reserve_slots(1)?;
        link.send_repeatable(Repeatable::without_key(Role::Sign, &call, link.options.hosts.sign_timeout)).await
    }
}
