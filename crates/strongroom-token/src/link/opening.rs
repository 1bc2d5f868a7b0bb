//! What a host is opened with.

use crate::options::TokenOptions;
use crate::protocol::OpenCall;

impl TokenOptions {
    /// The opening of a host with one session that keeps nothing.
    pub(crate) fn opening(&self) -> OpenCall {
        OpenCall {
            module: self.token.module.clone(),
            selector: self.token.selector.clone(),
            pin: self.token.pin.clone(),
            profile: self.token.profile,
            known_pins: Vec::new(),
            // The one file that all clients of a machine that use the module can open,
            // whatever else they share; no token is known before the module is loaded.
            lock: self.token.module.clone(),
            sessions: 1,
            keeps: false,
            low_priority: false,
        }
    }
}
