//! One call on one host, what it came to, and whether it is tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lane::Lane;
use super::process::{HostProcess, Lost, Trouble};
use super::{Inner, Role};
use crate::error::TokenError;
use crate::protocol::{Call, Failure, FailureClass, Outcome, Reply};

/// How often a call is sent that no worker has taken up yet.
const ATTEMPTS: u32 = 5;

/// What a call came to on one host.
pub(super) enum Settled {
    Outcome(Outcome),
    Refused(TokenError),
    Lost {
        started: bool,
    },
    /// The host said that it cannot go on.
    Broken(String),
}

impl Inner {
    /// Sends a call until it is answered, a worker has been lost over it twice (`suspected`:
    /// once before), or no host takes it up.
    pub(super) async fn repeatable(
        &self,
        role: Role,
        call: &Call,
        limit: Duration,
        mut suspected: bool,
        condemn: impl Fn(),
    ) -> Result<Outcome, TokenError> {
        let mut detail = "token hosts were lost before they took the call up".to_owned();
        for _ in 0..ATTEMPTS {
            match self.once(role, call, limit, suspected).await? {
                Settled::Outcome(outcome) => return Ok(outcome),
                Settled::Refused(error) => return Err(error),
                Settled::Lost { started: false } => {}
                Settled::Lost { started: true } if suspected => {
                    condemn();
                    return Err(TokenError::Unavailable("the call took down two token hosts".to_owned()));
                }
                Settled::Broken(reason) if suspected => return Err(TokenError::Unavailable(reason)),
                Settled::Broken(reason) => {
                    suspected = true;
                    detail = reason;
                }
                Settled::Lost { started: true } => suspected = true,
            }
        }
        Err(TokenError::Unavailable(detail))
    }

    /// Sends a call once, to the least busy host; a suspect when nothing else is in it.
    ///
    /// # Errors
    /// When there is no host, and none soon.
    pub(super) async fn once(
        &self,
        role: Role,
        call: &Call,
        limit: Duration,
        suspected: bool,
    ) -> Result<Settled, TokenError> {
        let lane = self.lane(role);
        let host = lane.host(self.patience()).await?;
        if suspected {
            let _alone = host.turn.write().await;
            Ok(self.ask(lane, &host, call, limit).await)
        } else {
            let _together = host.turn.read().await;
            Ok(self.ask(lane, &host, call, limit).await)
        }
    }

    /// Sends a call to a host in whose turn the caller is; a host that errs is given up.
    pub(super) async fn ask(&self, lane: &Lane, host: &Arc<HostProcess>, call: &Call, limit: Duration) -> Settled {
        let asked = Instant::now();
        match host.call(call, limit).await {
            Ok(Reply::Done(outcome, time)) => {
                lane.note(asked.elapsed(), time.into());
                Settled::Outcome(outcome)
            }
            Ok(Reply::Failed(failure)) if failure.class == FailureClass::Broken => {
                host.give_up(Trouble::Broken);
                Settled::Broken(failure.detail)
            }
            Ok(Reply::Failed(failure)) => Settled::Refused(error_of(failure)),
            Ok(Reply::Ready(..) | Reply::Started) => {
                host.give_up(Trouble::Broken);
                Settled::Broken("the token host answered what was not asked".to_owned())
            }
            Err(Lost { started }) => Settled::Lost { started },
        }
    }
}

/// What a failure of a call means outside of this room.
pub(super) fn error_of(failure: Failure) -> TokenError {
    match failure.class {
        FailureClass::Unsupported => TokenError::Unsupported(failure.detail),
        FailureClass::KeyMissing => TokenError::KeyMissing,
        FailureClass::NotDecrypted => TokenError::NotDecrypted,
        FailureClass::Refused => TokenError::Refused(failure.detail),
        FailureClass::Broken => TokenError::Unknown(failure.detail),
        FailureClass::TokenAbsent
        | FailureClass::TokenAmbiguous
        | FailureClass::PinRefused
        | FailureClass::PinRemembered
        | FailureClass::PinLocked
        | FailureClass::PinUnreadable
        | FailureClass::ModuleUnloadable
        | FailureClass::Unavailable => TokenError::Unavailable(failure.detail),
    }
}
