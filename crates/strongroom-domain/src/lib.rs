//! The nouns of Strongroom, a key daemon for hardware security modules.
//!
//! Owns keys, rings, their states, the table of algorithms, audit events, the one error
//! of the domain, time, randomness and secrets. Imports no other crate of the workspace
//! and no I/O but the clock: conversions from a holder's own error stand with the holder.

pub mod audit;
pub mod clock;
pub mod error;
pub mod failpoint;
pub mod key;
pub mod oidc;
pub mod secret;
