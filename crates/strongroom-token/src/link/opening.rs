//! What a host is opened with, and where a refused PIN is remembered.

use std::io;
use std::path::Path;

use crate::host;
use crate::options::TokenOptions;
use crate::protocol::OpenCall;

/// The file in the state directory that remembers a refused PIN.
const REFUSED_PIN: &str = "refused-pin";

impl TokenOptions {
    /// The opening of a host with one session that keeps nothing.
    pub(crate) fn opening(&self) -> OpenCall {
        OpenCall {
            module: self.token.module.clone(),
            selector: self.token.selector.clone(),
            pin: self.token.pin.clone(),
            profile: self.token.profile,
            refused_pin: self.state_dir.join(REFUSED_PIN),
            try_refused: false,
            // The one file that all clients of a machine that use the module can open,
            // whatever else they share; no token is known before the module is loaded.
            lock: self.token.module.clone(),
            sessions: 1,
            keeps: false,
            low_priority: false,
        }
    }
}

/// Forgets that a PIN was refused, so that the next host tries it again.
///
/// # Errors
/// When the memory is there and cannot be removed.
pub fn forget_refused_pin(state_dir: &Path) -> io::Result<()> {
    host::forget_refused_pin(&state_dir.join(REFUSED_PIN))
}
