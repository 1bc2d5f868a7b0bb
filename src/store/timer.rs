//! How long methods take.

use std::time::Instant;

/// Measures a method from its call, its wait for a connection included, to its end.
pub(super) struct MethodTimer {
    method: &'static str,
    started: Instant,
}

impl MethodTimer {
    /// Starts with the call of a method.
    pub(super) fn start(method: &'static str) -> Self {
        Self { method, started: Instant::now() }
    }
}

impl Drop for MethodTimer {
    fn drop(&mut self) {
        metrics::histogram!("strongroom_store_transaction_duration_seconds", "method" => self.method)
            .record(self.started.elapsed());
    }
}
