//! The first call to a new host: it opens or initialises the token, or looks at it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use tokio::time::timeout;

use super::process::{HostFault, HostProcess};
use crate::options::HostCommand;
use crate::protocol::{Call, CallFailure, FailureClass, Reply};

/// For a process to begin.
const GRACE: Duration = Duration::from_secs(5);

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
        Ok(Err(_)) if host.fault() == Some(HostFault::Silent) => {
            Err(unavailable("the token host stood still while it opened the token".to_owned()))
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

pub(super) fn unavailable(detail: String) -> CallFailure {
    CallFailure::new(FailureClass::Unavailable, detail)
}
