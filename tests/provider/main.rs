//! The token provider against SoftHSM, through real token hosts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod algorithms;
mod bench;
#[cfg(feature = "test-hooks")]
mod hooked;
mod load;
mod recovery;
mod tokens;
