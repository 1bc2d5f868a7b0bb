//! Points at which a test can stop a process: `STRONGROOM_TEST_AT=point[#n]=action`.
//!
//! Actions: `abort` ends the process at once as a crash would; `hold` waits until the
//! process is killed, `hold:MS` for that many milliseconds; `fail` makes the step
//! fail. `#n` means the n-th passage (1 where absent); several rules are separated by
//! commas. Without the feature `test-hooks` a point costs nothing and always passes.
//!
//! The points themselves are an enum of each crate that has some, which waits in its own way.

use std::time::Duration;

use crate::error::{Error, ErrorKind};

/// The failure that a test asked a step for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a test asked the step {0} to fail")]
pub struct Injected(pub &'static str);

impl From<Injected> for Error {
    fn from(injected: Injected) -> Self {
        Self::new(ErrorKind::ProviderUnavailable, "the crypto provider is unavailable").with_source(injected)
    }
}

/// Passes the point `name`: how long a test wants it to hold.
///
/// # Errors
/// When a test asked this passage to fail.
#[cfg(not(feature = "test-hooks"))]
pub const fn passage(_name: &'static str) -> Result<Duration, Injected> {
    Ok(Duration::ZERO)
}

/// Passes the point `name`: how long a test wants it to hold. Ends the process where it shall abort.
///
/// # Errors
/// When a test asked this passage to fail.
#[cfg(feature = "test-hooks")]
pub fn passage(name: &'static str) -> Result<Duration, Injected> {
    match hooks::due(name) {
        None => Ok(Duration::ZERO),
        Some(hooks::Action::Abort) => std::process::abort(),
        Some(hooks::Action::Hold(wait)) => Ok(wait),
        Some(hooks::Action::Fail) => Err(Injected(name)),
    }
}

#[cfg(feature = "test-hooks")]
mod hooks {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    #[derive(Clone, Copy)]
    pub(super) enum Action {
        Abort,
        Hold(Duration),
        Fail,
    }

    struct Rule {
        point: String,
        passage: u64,
        passed: AtomicU64,
        action: Action,
    }

    pub(super) fn due(name: &str) -> Option<Action> {
        static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
        let rules = RULES.get_or_init(|| {
            let text = std::env::var("STRONGROOM_TEST_AT").unwrap_or_default();
            text.split(',').filter_map(parse).collect()
        });
        rules
            .iter()
            .filter(|rule| rule.point == name)
            .find(|rule| rule.passed.fetch_add(1, Ordering::Relaxed) + 1 == rule.passage)
            .map(|rule| rule.action)
    }

    fn parse(text: &str) -> Option<Rule> {
        let (place, action) = text.trim().split_once('=')?;
        let (point, passage) = match place.split_once('#') {
            Some((point, n)) => (point, n.parse().ok()?),
            None => (place, 1),
        };
        let action = match action.split_once(':') {
            Some(("hold", ms)) => Action::Hold(Duration::from_millis(ms.parse().ok()?)),
            None if action == "hold" => Action::Hold(Duration::from_secs(86_400)),
            None if action == "abort" => Action::Abort,
            None if action == "fail" => Action::Fail,
            _ => return None,
        };
        Some(Rule { point: point.to_owned(), passage, passed: AtomicU64::new(0), action })
    }
}
