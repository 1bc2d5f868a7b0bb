//! Suspension: a key that signs and decrypts nothing until it is reinstated.

use std::sync::Arc;

use super::Keyring;
use super::reservation::transition;
use crate::auth::{Caller, policy};
use crate::failpoint::{self, Failpoint};
use crate::store::Transition;
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyName, KeyPair, KeyState};

impl Keyring {
    /// Suspends a key pair: it signs and decrypts nothing, and stays in the key sets only if `published`. No other key
    /// takes its place. A key that is suspended already, in the same way, stays as it is.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Conflict` for a key that is compromised, about to be destroyed, suspended in the
    /// other way or changed meanwhile, and for the kid of several.
    pub async fn suspend(self: &Arc<Self>, who: &Caller, name: &KeyName, published: bool) -> Result<KeyPair, Error> {
        let pair = self.named_for(who, policy::Action::SuspendKey, name).await?;
        if pair.state == KeyState::Suspended && pair.unpublished != published {
            return Ok(pair);
        }
        if !pair.state.may_become(KeyState::Suspended, false) || pair.state == KeyState::PendingDestruction {
            let remedy = if pair.state == KeyState::Suspended { "; reinstate it first" } else { "" };
            return Err(Error::new(ErrorKind::Conflict, format!("the key is {}{remedy}", pair.state)));
        }
        let sets = if published { "stays in the key sets" } else { "leaves the key sets" };
        let event = self.event(who, Action::Suspended, &pair, format!("{}; {sets}", pair.state));
        let step = transition(&pair, KeyState::Suspended, self.clock.now());
        self.move_suspended(Transition { unpublished: !published, ..step }, event).await
    }

    /// Returns a suspended key pair to the state that it came from; a key that was Active is Deactivated where another
    /// key became Active meanwhile.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`; `Conflict` for a key that is not suspended or changed meanwhile, and for the kid of
    /// several.
    pub async fn reinstate(self: &Arc<Self>, who: &Caller, name: &KeyName) -> Result<KeyPair, Error> {
        let pair = self.named_for(who, policy::Action::ReinstateKey, name).await?;
        let Some(origin) = pair.suspended_from.filter(|_| pair.state == KeyState::Suspended) else {
            let message = format!("the key is {}: only a Suspended key can be reinstated", pair.state);
            return Err(Error::new(ErrorKind::Conflict, message));
        };
        let event = self.event(who, Action::Reinstated, &pair, format!("{origin} again"));
        self.move_suspended(transition(&pair, origin, self.clock.now()), event).await
    }

    async fn move_suspended(self: &Arc<Self>, step: Transition, event: Event) -> Result<KeyPair, Error> {
        let moved = self.move_one(step, event).await?;
        // What is committed stays, whatever a test wants here.
        let _ = failpoint::hit(Failpoint::SuspendCommit).await;
        Ok(moved)
    }
}
