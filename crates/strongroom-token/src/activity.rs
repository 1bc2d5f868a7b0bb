//! Whether anybody asks anything of a token, and since when nobody has.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Requests under way, and the end of the last one.
pub(crate) struct Activity {
    began: Instant,
    under_way: AtomicUsize,
    /// Microseconds since `began`.
    last_end: AtomicU64,
}

/// Counts a request while it lasts.
pub(crate) struct Request<'a>(&'a Activity);

impl Activity {
    /// Quiet from now on.
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), under_way: AtomicUsize::new(0), last_end: AtomicU64::new(0) }
    }

    /// A request begins; it ends with what is returned.
    pub(crate) fn begin(&self) -> Request<'_> {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        Request(self)
    }

    /// How long there has been no request.
    pub(crate) fn idle_for(&self) -> Duration {
        if self.under_way.load(Ordering::Acquire) > 0 {
            return Duration::ZERO;
        }
        self.began.elapsed().saturating_sub(Duration::from_micros(self.last_end.load(Ordering::Acquire)))
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.last_end.fetch_max(now, Ordering::AcqRel);
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}
