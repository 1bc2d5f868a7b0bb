//! One call on one host: its outcome, and whether it is retried.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lane::Lane;
use super::process::{CallLost, HostFault, HostProcess};
use super::{Inner, Role};
use crate::error::TokenError;
use crate::protocol::{Call, CallFailure, CallOutcome, FailureClass, Reply};

/// How often a call is sent that no worker has taken up yet.
const ATTEMPTS: u32 = 5;

/// Outcome of one call on one host.
pub(super) enum AttemptOutcome {
    Outcome(CallOutcome),
    Refused(TokenError),
    Lost {
        started: bool,
    },
    /// The host said that it cannot go on.
    Broken(String),
}

impl Inner {
    /// Sends a call up to `ATTEMPTS` times. After one lost host the call runs alone; after a second loss
    /// the key and algorithm are refused for ten minutes.
    pub(super) async fn send_repeatable(
        &self,
        role: Role,
        call: &Call,
        limit: Duration,
        mut retrying_alone: bool,
        poison: impl Fn(),
    ) -> Result<CallOutcome, TokenError> {
        let mut detail = "token hosts were lost before they took the call up".to_owned();
        for _ in 0..ATTEMPTS {
            match self.send_once(role, call, limit, retrying_alone).await? {
                AttemptOutcome::Outcome(outcome) => return Ok(outcome),
                AttemptOutcome::Refused(error) => return Err(error),
                AttemptOutcome::Lost { started: false } => {}
                AttemptOutcome::Lost { started: true } if retrying_alone => {
                    poison();
                    return Err(TokenError::Unavailable("the call took down two token hosts".to_owned()));
                }
                AttemptOutcome::Broken(reason) if retrying_alone => return Err(TokenError::Unavailable(reason)),
                AttemptOutcome::Broken(reason) => {
                    retrying_alone = true;
                    detail = reason;
                }
                AttemptOutcome::Lost { started: true } => retrying_alone = true,
            }
        }
        Err(TokenError::Unavailable(detail))
    }

    /// Sends a call once, to the least busy host; a call that is retried alone waits until the host is
    /// empty.
    ///
    /// # Errors
    /// When there is no host, and none soon.
    pub(super) async fn send_once(
        &self,
        role: Role,
        call: &Call,
        limit: Duration,
        retrying_alone: bool,
    ) -> Result<AttemptOutcome, TokenError> {
        let lane = self.lane(role);
        let host = lane.host(self.patience()).await?;
        if retrying_alone {
            let _alone = host.exclusive.write().await;
            Ok(self.send_to(lane, &host, call, limit).await)
        } else {
            let _together = host.exclusive.read().await;
            Ok(self.send_to(lane, &host, call, limit).await)
        }
    }

    /// Sends a call to a host whose lock the caller holds; a faulty host is replaced.
    pub(super) async fn send_to(
        &self,
        lane: &Lane,
        host: &Arc<HostProcess>,
        call: &Call,
        limit: Duration,
    ) -> AttemptOutcome {
        let asked = Instant::now();
        match host.call(call, limit).await {
            Ok(Reply::Done(outcome, time)) => {
                lane.record_durations(asked.elapsed(), time.into());
                AttemptOutcome::Outcome(outcome)
            }
            Ok(Reply::Failed(failure)) if failure.class == FailureClass::Broken => {
                host.set_fault(HostFault::Broken);
                AttemptOutcome::Broken(failure.detail)
            }
            Ok(Reply::Failed(failure)) => AttemptOutcome::Refused(error_of(failure)),
            Ok(Reply::Ready(..) | Reply::Started) => {
                host.set_fault(HostFault::Broken);
                AttemptOutcome::Broken("the token host answered what was not asked".to_owned())
            }
            Err(CallLost { started }) => AttemptOutcome::Lost { started },
        }
    }
}

/// Maps a call's failure to a provider error.
pub(super) fn error_of(failure: CallFailure) -> TokenError {
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
        | FailureClass::PinUntried
        | FailureClass::PinLocked
        | FailureClass::PinUnreadable
        | FailureClass::ModuleUnloadable
        | FailureClass::Unavailable => TokenError::Unavailable(failure.detail),
    }
}
