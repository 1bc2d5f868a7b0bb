//! Keeping hosts alive: one task for each, which starts it, waits until it is in trouble,
//! starts its successor, and only then kills it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use super::process::{HostFault, HostProcess};
use super::recovery::{Pause, PinTrace, delay_after};
use super::{Inner, Role, pin};
use crate::lock_file;
use crate::protocol::FailureClass;

/// A host that lived this long has earned an immediate restart.
const GOOD_LIFE: Duration = Duration::from_secs(30);
/// Between tries of a PIN whose source does not change: nothing is asked of the token meanwhile.
const PIN_DELAY: Duration = Duration::from_secs(30);
/// Before a PIN that has worked is tried once more.
const PIN_SECOND_THOUGHT: Duration = Duration::from_secs(60);

/// For a process to end once it is killed.
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
    /// Why another PIN, or time, is waited for; by looks at the token where absent.
    pause: Option<Pause>,
}

/// Supervises one host of `role` for ever.
pub(super) async fn supervise(link: Arc<Inner>, role: Role) {
    let lane = link.lane(role);
    let mut setbacks = 0;
    let mut pause = Pause::Delay(Duration::ZERO);
    let mut old: Option<Arc<HostProcess>> = None;
    loop {
        let seen = link.wait_out(std::mem::replace(&mut pause, Pause::Delay(Duration::ZERO))).await;
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
                link.suspects.host_lost(host.pid());
                tracing::warn!(pid = host.pid(), ?role, trouble = ?fault, "a token host is replaced");
                metrics::counter!("strongroom_token_host_restarts_total").increment(1);
                setbacks = if born.elapsed() > GOOD_LIFE { 1 } else { setbacks + 1 };
                pause = Pause::Delay(delay_after(setbacks));
                old = Some(host).filter(|_| fault != Some(HostFault::Died));
            }
            Err(failed) => {
                end(old.take()).await;
                if lane.set_down(&failed.reason) {
                    tracing::warn!(?role, reason = failed.reason, "a token host did not start");
                }
                // Looks cost the token little; log-ins that fail although it is there become rarer.
                setbacks = if seen { (setbacks + 1).max(2) } else { 2 };
                pause = failed.pause.unwrap_or_else(|| Pause::UntilSeen(delay_after(setbacks)));
            }
        }
    }
}

/// Starts a host; hosts log in one after the other, once those of a former life are gone.
async fn start(link: &Inner, role: Role) -> Result<Arc<HostProcess>, NotStarted> {
    let mut trust = link.pin.lock().await;
    let seen = link.pin_trace();
    if let PinTrust::SecondTry(due) = *trust
        && Instant::now() < due
    {
        let reason = "the PIN is refused; it has worked and will be tried once more".to_owned();
        return Err(NotStarted { reason, pause: Some(Pause::UntilPinChanges { seen, due }) });
    }
    lock_file::end_orphans(&link.options.registrations());
    let begun = Instant::now();
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
            *link.opening_time.lock() = begun.elapsed();
            link.set_fatal_error(None);
            link.set_facts(facts);
            return Ok(Arc::new(host));
        }
        Err(failure) => failure,
    };
    let pause = pause_after(link, failure.class, &mut trust, seen);
    let reason = format!("{}: {}", failure.class.operator_advice(), failure.detail);
    link.set_fatal_error(failure.class.needs_operator().then(|| reason.clone()));
    Err(NotStarted { reason, pause })
}

/// What a failure to open waits for beyond the token itself.
fn pause_after(link: &Inner, class: FailureClass, pin: &mut PinTrust, seen: PinTrace) -> Option<Pause> {
    let delay = match class {
        FailureClass::PinRefused | FailureClass::PinRemembered if *pin == PinTrust::Worked => {
            *pin = PinTrust::SecondTry(Instant::now() + PIN_SECOND_THOUGHT);
            PIN_SECOND_THOUGHT
        }
        FailureClass::PinRefused | FailureClass::PinRemembered | FailureClass::PinLocked => {
            *pin = PinTrust::Refused;
            link.stop_hosts();
            PIN_DELAY
        }
        FailureClass::PinUnreadable => PIN_DELAY,
        _ => return None,
    };
    let seen = seen.refused_now(&link.pin_trace());
    Some(Pause::UntilPinChanges { seen, due: Instant::now() + delay })
}

/// Kills a host that has been replaced, and hears it out.
async fn end(host: Option<Arc<HostProcess>>) {
    if let Some(host) = host {
        host.kill();
        // A process that the kernel will not let go is left behind.
        let _ = timeout(GRACE, host.ended()).await;
    }
}
