//! One call on one host: its outcome, and whether it is retried.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::lane::Lane;
use super::process::{CallLost, HostFault, HostProcess};
use super::suspects::{KeyAndAlgorithm, Trust};
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
    /// The host's first signature with a key does not verify.
    Mismatched(String),
}

/// How a call is sent that may be sent twice.
pub(super) struct Repeatable<'a> {
    pub(super) role: Role,
    pub(super) call: &'a Call,
    pub(super) limit: Duration,
    /// The key that the call uses, where hosts that are lost may be lost to it.
    pub(super) key: Option<&'a KeyAndAlgorithm>,
    /// Whether it already goes to a host that does nothing else.
    pub(super) alone: bool,
}

impl<'a> Repeatable<'a> {
    /// A call that uses no key to which hosts may be lost.
    pub(super) const fn without_key(role: Role, call: &'a Call, limit: Duration) -> Self {
        Self { role, call, limit, key: None, alone: false }
    }
}

impl Inner {
    /// Sends a call up to `ATTEMPTS` times. After one lost host the call runs alone; after a second it is
    /// given up.
    pub(super) async fn send_repeatable(&self, sending: Repeatable<'_>) -> Result<CallOutcome, TokenError> {
        let Repeatable { role, call, limit, key, mut alone } = sending;
        let mut detail = "token hosts were lost before they took the call up".to_owned();
        let mut doubted: Option<(Arc<HostProcess>, String)> = None;
        for _ in 0..ATTEMPTS {
            let avoided = doubted.as_ref().map(|(host, _)| host.pid());
            let (host, attempt) = self.send_once(role, call, limit, alone, avoided).await?;
            match attempt {
                AttemptOutcome::Outcome(outcome) => {
                    if key.is_some() {
                        self.suspects.answered(key, host.pid());
                    }
                    if let Some((host, detail)) = doubted {
                        // The key is the right one, then: it was the host that erred.
                        wrong_signature(&host, &detail);
                    }
                    return Ok(outcome);
                }
                AttemptOutcome::Mismatched(detail) if doubted.is_some() => return Err(TokenError::Refused(detail)),
                AttemptOutcome::Mismatched(detail) => doubted = Some((host, detail)),
                AttemptOutcome::Refused(error) => return Err(error),
                AttemptOutcome::Lost { started: false } => {}
                AttemptOutcome::Lost { started: true } if alone => {
                    if let Some(key) = key {
                        self.suspects.lost_alone(key, host.pid(), &self.hosts_well());
                    }
                    return Err(TokenError::Unavailable("the call was lost with two token hosts".to_owned()));
                }
                AttemptOutcome::Lost { started: true } => {
                    if let Some(key) = key {
                        self.suspects.lost(key, host.pid());
                    }
                    alone = true;
                }
                AttemptOutcome::Broken(reason) if alone => return Err(TokenError::Unavailable(reason)),
                AttemptOutcome::Broken(reason) => {
                    alone = true;
                    detail = reason;
                }
            }
        }
        Err(TokenError::Unavailable(detail))
    }

    /// Makes a call with a key that may be on trial.
    ///
    /// # Errors
    /// Those of the call, and [`TokenError::Unavailable`] while the key is suspected.
    pub(super) async fn send_with_key(
        &self,
        call: &Call,
        key: &KeyAndAlgorithm,
        alone: bool,
    ) -> Result<CallOutcome, TokenError> {
        let limit = self.options.hosts.sign_timeout;
        let on_trial = self.suspects.check(key, limit)? == Trust::OnTrial;
        let sending = Repeatable { role: Role::Sign, call, limit, key: Some(key), alone: alone || on_trial };
        let done = self.send_repeatable(sending).await;
        if on_trial && done.is_err() {
            self.suspects.undecided(key);
        }
        done
    }

    /// The process ids of the hosts that run and are well.
    fn hosts_well(&self) -> Vec<u32> {
        let lanes = [&self.signing, &self.managing];
        let running = lanes.into_iter().flat_map(|lane| lane.hosts().running);
        running.filter(|host| host.fault().is_none()).map(|host| host.pid()).collect()
    }

    /// Sends a call once, to the least busy host, if possible not the one to be avoided, and says which it
    /// was; a call that goes alone waits until the host is empty.
    ///
    /// # Errors
    /// When there is no host, and none soon.
    pub(super) async fn send_once(
        &self,
        role: Role,
        call: &Call,
        limit: Duration,
        alone: bool,
        avoided: Option<u32>,
    ) -> Result<(Arc<HostProcess>, AttemptOutcome), TokenError> {
        let lane = self.lane(role);
        let host = lane.host(self.patience(), avoided).await?;
        let attempt = if alone {
            let _alone = host.exclusive.write().await;
            self.send_to(lane, &host, call, limit).await
        } else {
            let _together = host.exclusive.read().await;
            self.send_to(lane, &host, call, limit).await
        };
        Ok((host, attempt))
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
            Ok(Reply::Failed(failure)) if failure.class == FailureClass::WrongSignature => {
                wrong_signature(host, &failure.detail);
                AttemptOutcome::Broken(failure.detail)
            }
            Ok(Reply::Failed(failure)) if failure.class == FailureClass::Mismatched => {
                AttemptOutcome::Mismatched(failure.detail)
            }
            Ok(Reply::Failed(failure)) => AttemptOutcome::Refused(error_of(failure)),
            Ok(Reply::Ready(..) | Reply::Started | Reply::Alive) => {
                host.set_fault(HostFault::Broken);
                AttemptOutcome::Broken("the token host answered what was not asked".to_owned())
            }
            Err(CallLost { started }) => AttemptOutcome::Lost { started },
        }
    }
}

/// A host made a signature that does not verify with a key of which it had made one that does: it is
/// counted, and nothing more is believed of that host.
pub(super) fn wrong_signature(host: &HostProcess, detail: &str) {
    tracing::error!(pid = host.pid(), detail, "a token host made a wrong signature and is replaced");
    metrics::counter!("strongroom_wrong_signatures_total").increment(1);
    host.set_fault(HostFault::Broken);
}

/// Maps a call's failure to a provider error.
pub(super) fn error_of(failure: CallFailure) -> TokenError {
    match failure.class {
        FailureClass::Unsupported => TokenError::Unsupported(failure.detail),
        FailureClass::KeyMissing => TokenError::KeyMissing,
        FailureClass::NotDecrypted => TokenError::NotDecrypted,
        FailureClass::Refused | FailureClass::Mismatched => TokenError::Refused(failure.detail),
        FailureClass::Broken | FailureClass::WrongSignature => TokenError::Unknown(failure.detail),
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
