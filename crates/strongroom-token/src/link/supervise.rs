//! Keeping hosts alive: one task for each, which starts it, waits until it is in trouble,
//! starts its successor, and only then kills it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::process::{HostFault, HostProcess};
use super::{Inner, Role, pin};
use crate::options::HostCommand;
use crate::protocol::{Call, CallFailure, FailureClass, Reply};

/// A host that lived this long has earned an immediate restart.
const GOOD_LIFE: Duration = Duration::from_secs(30);
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// Between looks for a token that is not there.
const ABSENT_DELAY: Duration = Duration::from_secs(3);
/// Between looks for another PIN, or an operator's word to try again.
const PIN_DELAY: Duration = Duration::from_secs(30);
/// Before a PIN that has worked is tried once more.
const PIN_SECOND_THOUGHT: Duration = Duration::from_secs(60);

/// For a process to begin, or to end once it is killed.
const GRACE: Duration = Duration::from_secs(5);

/// What is known of the PIN; held while a host starts, so that they start in turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum PinTrust {
    #[default]
    Untried,
    Worked,
    /// Refused after it had worked: one more try from then on.
    SecondTry(Instant),
    Refused,
}

/// A host did not start.
struct NotStarted {
    reason: String,
    /// When to try again; by the back-off where absent.
    again: Option<Duration>,
}

/// Supervises one host of `role` for ever.
pub(super) async fn supervise(link: Arc<Inner>, role: Role) {
    let lane = link.lane(role);
    let mut setbacks = 0;
    let mut again = None;
    let mut old: Option<Arc<HostProcess>> = None;
    loop {
        sleep(again.take().unwrap_or_else(|| delay_after(setbacks))).await;
        if link.options.hosts.shared_host {
            // One client process at a time: the old one goes first.
            end(old.take()).await;
        }
        match start(&link, role).await {
            Ok(host) => {
                let born = Instant::now();
                lane.add(Arc::clone(&host));
                end(old.take()).await;
                link.became_ready(role);
                let fault = host.wait_for_fault().await;
                lane.remove(&host);
                tracing::warn!(pid = host.pid(), ?role, trouble = ?fault, "a token host is replaced");
                metrics::counter!("strongroom_token_host_restarts_total").increment(1);
                setbacks = if born.elapsed() > GOOD_LIFE { 1 } else { setbacks + 1 };
                old = Some(host).filter(|_| fault != Some(HostFault::Died));
            }
            Err(failed) => {
                end(old.take()).await;
                if lane.set_down(&failed.reason) {
                    tracing::warn!(?role, reason = failed.reason, "a token host did not start");
                }
                setbacks = (setbacks + 1).max(2);
                again = failed.again;
            }
        }
    }
}

/// Starts a host; hosts log in one after the other.
async fn start(link: &Inner, role: Role) -> Result<Arc<HostProcess>, NotStarted> {
    let mut trust = link.pin.lock().await;
    if let PinTrust::SecondTry(due) = *trust {
        let left = due.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            let reason = "the PIN is refused; it has worked and will be tried once more".to_owned();
            return Err(NotStarted { reason, again: Some(left) });
        }
    }
    let again = matches!(*trust, PinTrust::SecondTry(_));
    let failure = match pin::open(&link.options, link.opening(role), again).await {
        Ok((host, facts)) => {
            tracing::info!(
                pid = host.pid(),
                ?role,
                token = facts.label,
                serial = facts.serial,
                "a token host is ready"
            );
            *trust = PinTrust::Worked;
            link.set_fatal_error(None);
            link.set_facts(facts);
            return Ok(Arc::new(host));
        }
        Err(failure) => failure,
    };
    let again = match failure.class {
        FailureClass::PinRefused | FailureClass::PinRemembered | FailureClass::PinLocked => {
            let locked = failure.class == FailureClass::PinLocked;
            if *trust == PinTrust::Worked && !locked {
                *trust = PinTrust::SecondTry(Instant::now() + PIN_SECOND_THOUGHT);
                Some(PIN_SECOND_THOUGHT)
            } else {
                *trust = PinTrust::Refused;
                link.stop_hosts();
                Some(PIN_DELAY)
            }
        }
        FailureClass::TokenAbsent => Some(ABSENT_DELAY),
        _ => None,
    };
    let reason = format!("{}: {}", failure.class.operator_advice(), failure.detail);
    link.set_fatal_error(failure.class.needs_operator().then(|| reason.clone()));
    Err(NotStarted { reason, again })
}

/// Starts a process and makes its first call.
///
/// # Errors
/// What the host said, or that it did not say anything.
pub(crate) async fn call_new_host(
    command: &HostCommand,
    environment: &BTreeMap<String, String>,
    call: &Call,
    limit: Duration,
) -> Result<(HostProcess, Reply), CallFailure> {
    let host = HostProcess::spawn(command, &whole_environment(environment))
        .map_err(|error| unavailable(format!("{}: {error}", command.program.display())))?;
    // The clock of the call runs from its `Started`; a process that never gets that far
    // is given a little more.
    match timeout(limit + GRACE, host.call(call, limit)).await {
        Ok(Ok(Reply::Failed(failure))) => Err(failure),
        Ok(Ok(reply)) => Ok((host, reply)),
        Ok(Err(_)) if host.fault() == Some(HostFault::Hung) => {
            Err(unavailable(format!("the module did not open the token within {} s", limit.as_secs())))
        }
        Ok(Err(_)) => Err(unavailable("the token host died while it opened the token".to_owned())),
        Err(_) => Err(unavailable("the token host did not begin".to_owned())),
    }
}

/// What a host's environment holds: what the configuration names, and little else.
fn whole_environment(configured: &BTreeMap<String, String>) -> Vec<(OsString, OsString)> {
    let mut environment: Vec<(OsString, OsString)> =
        configured.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let inherited = |name: &str| {
        name == "CREDENTIALS_DIRECTORY"
            || cfg!(feature = "test-hooks")
                && (name.starts_with("STRONGROOM_TEST_") || name == "RUST_LOG" || name == "STRONGROOM_LOG")
    };
    environment.extend(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(inherited)));
    environment
}

/// Kills a host that has been replaced, and hears it out.
async fn end(host: Option<Arc<HostProcess>>) {
    if let Some(host) = host {
        host.kill();
        // A process that the kernel will not let go is left behind.
        let _ = timeout(GRACE, host.ended()).await;
    }
}

/// No delay for the first start and the first restart; then doubling.
pub(super) fn delay_after(setbacks: u32) -> Duration {
    match setbacks {
        0 | 1 => Duration::ZERO,
        more => (FIRST_DELAY * 2u32.pow((more - 2).min(8))).min(LONGEST_DELAY),
    }
}

pub(super) fn unavailable(detail: String) -> CallFailure {
    CallFailure::new(FailureClass::Unavailable, detail)
}
