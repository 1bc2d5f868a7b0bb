//! When a host is started that could not be, or did not last: soon, and without wearing the token out.
//!
//! A log-in costs a token more than a look: it is counted, audited, and limited. So a token that did not
//! open is looked at every second (`C_Initialize` and token info in a process of its own, no PIN, no
//! session), and logged in to as soon as a look finds it. Supervisors share the looks. A PIN that was
//! refused waits for another PIN in its source, or an operator's word.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use tokio::time::sleep;

use super::Inner;
use super::first_call::call_new_host;
use super::supervise::PinTrust;
use crate::protocol::{Call, LookCall};

/// Between looks at a token that did not open.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How long a look may take where no opening has shown what is usual.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// After so long without a look that succeeds, a log-in is tried all the same.
const LOOKS_TIRED: Duration = Duration::from_secs(30);
/// Between looks at the source of a PIN that was refused.
const PIN_INTERVAL: Duration = Duration::from_millis(500);

/// The first delay of a host that does not last, or of a log-in to a token that a look found, and the longest: short, because service is back no
/// sooner, and long enough for one process to start and end.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// What a supervisor waits for before it starts a host.
#[derive(Debug)]
pub(super) enum Pause {
    /// A host ran before this one.
    Delay(Duration),
    /// The token did not open: until it is seen again, first looked for after this.
    UntilSeen(Duration),
    /// The PIN was refused or not to be had: until its source changes, or this moment comes.
    UntilPinChanges { seen: PinTrace, due: Instant },
}

/// What is known of a PIN's source and of the memory of its refusal, without a look at either's contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PinTrace {
    source: Trace,
    refusal: Trace,
}

/// Time, length and number of a file; `None` while it is absent.
type Trace = Option<(SystemTime, u64, u64)>;

/// The latest look, shared by the supervisors of a token.
#[derive(Default)]
pub(super) struct Looks {
    /// When it ended, and whether the token was there.
    latest: Option<(Instant, bool)>,
}

impl Inner {
    /// Waits until a host may be started; whether a look has found the token.
    pub(super) async fn wait_out(&self, pause: Pause) -> bool {
        match pause {
            Pause::Delay(delay) => sleep(delay).await,
            Pause::UntilSeen(first) => return self.wait_until_seen(first).await,
            Pause::UntilPinChanges { seen, due } => self.wait_for_pin(seen, due).await,
        }
        false
    }

    async fn wait_until_seen(&self, first: Duration) -> bool {
        let since = Instant::now();
        sleep(first).await;
        while since.elapsed() < LOOKS_TIRED {
            if self.sees_token().await {
                return true;
            }
            sleep(LOOK_INTERVAL).await;
        }
        false
    }

    /// Whether the token is there, by a look of less than a second ago or a new one.
    async fn sees_token(&self) -> bool {
        let mut looks = self.looks.lock().await;
        if let Some((when, there)) = looks.latest
            && when.elapsed() < LOOK_INTERVAL / 2
        {
            return there;
        }
        let token = &self.options.token;
        let call = Call::Look(LookCall { module: token.module.clone(), selector: token.selector.clone() });
        let usual = self.facts.lock().is_some().then(|| *self.opening_time.lock() * 3);
        let limit =
            usual.unwrap_or(LOOK_TIMEOUT).clamp(LOOK_TIMEOUT / 2, self.options.hosts.login_timeout.max(LOOK_TIMEOUT));
        let there = call_new_host(&self.options.command, &token.environment, &call, limit).await.is_ok();
        looks.latest = Some((Instant::now(), there));
        there
    }

    async fn wait_for_pin(&self, seen: PinTrace, due: Instant) {
        let mut latest = seen.clone();
        while Instant::now() < due {
            sleep(PIN_INTERVAL).await;
            let now = self.pin_trace();
            // Seen twice the same: nobody is writing it any more.
            if now != seen && now == latest {
                let mut trust = self.pin.lock().await;
                if matches!(*trust, PinTrust::SecondTry(_)) && now.source != seen.source {
                    *trust = PinTrust::Untried;
                }
                tracing::info!("the source of the PIN has changed, or its refusal was forgotten: it is tried");
                return;
            }
            latest = now;
        }
    }

    /// What is to be seen of the PIN's source now.
    pub(super) fn pin_trace(&self) -> PinTrace {
        PinTrace {
            source: self.options.token.pin.path().ok().and_then(|path| trace(&path)),
            refusal: trace(&self.options.refusal()),
        }
    }
}

impl PinTrace {
    /// The same with what is known of the refusal now, which the attempt itself may have written.
    pub(super) fn refused_now(self, now: &Self) -> Self {
        Self { refusal: now.refusal, ..self }
    }
}

fn trace(path: &Path) -> Trace {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

/// No delay for the first start and the first restart; then a little more each time.
pub(super) fn delay_after(setbacks: u32) -> Duration {
    match setbacks {
        0 | 1 => Duration::ZERO,
        more => FIRST_DELAY.saturating_mul(more - 1).min(LONGEST_DELAY),
    }
}
