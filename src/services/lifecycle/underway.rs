//! The count of creations under way, by which the stock knows when to wait.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Guard that counts creations under way.
pub(in crate::services) struct CreationGuard<'a>(&'a AtomicUsize, usize);

impl<'a> CreationGuard<'a> {
    pub(in crate::services) fn enter(count: &'a AtomicUsize, creations: usize) -> Self {
        count.fetch_add(creations, Ordering::SeqCst);
        Self(count, creations)
    }
}

impl Drop for CreationGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::SeqCst);
    }
}
