//! One host for one question: what is this token like, and make me a new one.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use crate::error::TokenError;
use crate::link::{first_call, log_in_lock, pin};
use crate::options::{HostCommand, PinSource, Profile, TokenAccess, TokenOptions};
use crate::protocol::{Call, CallOutcome, FailureClass, InitialiseCall, LockName, Reply, TokenFacts};
use crate::selector::TokenSelector;

/// For a token to be initialised.
const INITIALISE_TIMEOUT: Duration = Duration::from_secs(60);

/// What `strongroom check` tells of a token.
#[derive(Clone, Debug)]
pub struct ProbeReport {
    /// Absent when the token was not found.
    pub facts: Option<TokenFacts>,
    pub logged_in: bool,
    /// What an operator should know or mend, in sentences.
    pub findings: Vec<String>,
}

/// A token that is initialised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Initialised {
    /// It has just been, and has this serial number.
    Now(String),
    /// It was before, and was not touched.
    Before(String),
}

/// Opens the token once, as a host would, and says how that went.
pub async fn probe(options: &TokenOptions) -> ProbeReport {
    let (facts, failure) = match pin::open(options, options.opening(), false).await {
        Ok((_host, facts)) => (Some(facts), None),
        Err(failure) => (failure.facts.map(|facts| *facts), Some((failure.class, failure.detail))),
    };
    ProbeReport { logged_in: failure.is_none(), findings: findings(options, facts.as_ref(), failure), facts }
}

/// Whether the token has a sealing key of this label: without it, what was sealed is lost.
///
/// # Errors
/// When the token does not open or does not answer.
pub async fn probe_sealing_key(options: &TokenOptions, label: &str) -> Result<bool, TokenError> {
    let unavailable = |detail: String| TokenError::Unavailable(detail);
    let (host, _) =
        pin::open(options, options.opening(), false).await.map_err(|failure| unavailable(failure.detail))?;
    let call = Call::FindSealingKey { label: label.to_owned() };
    match host.call(&call, options.hosts.generate_timeout).await {
        Ok(Reply::Done(CallOutcome::SealingKey(there), _)) => Ok(there),
        Ok(Reply::Failed(failure)) => Err(unavailable(failure.detail)),
        Ok(other) => Err(TokenError::Unknown(format!("the token host answered with {other:?}"))),
        Err(_) => Err(unavailable("the token host was lost".to_owned())),
    }
}

/// Initialises a token with this label, and its user's PIN, in a host of its own; both
/// PINs are read there.
///
/// # Errors
/// When module, PINs or token do not allow it.
pub async fn initialise_token(
    command: &HostCommand,
    module: &Path,
    environment: &BTreeMap<String, String>,
    label: &str,
    so_pin_file: &Path,
    pin_file: &Path,
) -> Result<Initialised, TokenError> {
    let file = |path: &Path| PinSource::File(path.to_owned());
    let token = TokenAccess {
        module: module.to_owned(),
        selector: TokenSelector::Label(label.to_owned()),
        pin: file(pin_file),
        profile: Profile::Generic,
        environment: environment.clone(),
    };
    let path = log_in_lock(None, &std::env::temp_dir(), &token);
    let call = Call::InitToken(InitialiseCall {
        module: module.to_owned(),
        label: label.to_owned(),
        so_pin: file(so_pin_file),
        pin: file(pin_file),
        lock: LockName { path, of: "a token that is initialised".to_owned() },
    });
    match first_call::call_new_host(command, environment, &call, INITIALISE_TIMEOUT).await {
        Ok((_, Reply::Done(CallOutcome::Initialised { serial, now }, _))) => {
            Ok(if now { Initialised::Now(serial) } else { Initialised::Before(serial) })
        }
        Ok((_, other)) => Err(TokenError::Unknown(format!("the token host answered with {other:?}"))),
        Err(failure) => Err(TokenError::Unavailable(failure.detail)),
    }
}

fn findings(
    options: &TokenOptions,
    facts: Option<&TokenFacts>,
    failure: Option<(FailureClass, String)>,
) -> Vec<String> {
    let mut findings: Vec<String> =
        failure.into_iter().map(|(class, detail)| format!("{}: {detail}", class.operator_advice())).collect();
    let Some(facts) = facts else { return findings };
    if facts.pin_count_low {
        findings.push("the token has seen a wrong PIN since the last right one".to_owned());
    }
    let hosts = &options.hosts;
    let sessions = if hosts.shared_host {
        hosts.workers.max(2) + 1
    } else {
        // One idle session in each host; the keeping host has one worker.
        hosts.signing_hosts.max(1) * (hosts.workers.max(1) + 1) + 2
    };
    if let Some(most) = facts.max_sessions.filter(|most| u64::try_from(sessions).is_ok_and(|wanted| wanted > *most)) {
        findings.push(format!("the token allows {most} sessions, the configuration wants {sessions}"));
    }
    findings
}
