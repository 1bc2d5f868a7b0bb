//! The open token: how it is logged in to, and what all sessions of the process share.
//!
//! Owns the PIN from its source to `C_Login`, the record of a refused PIN, the lock that
//! hosts of one token share while they log in, and the logged-in token. Does not own
//! the threads that work in sessions, nor what they do there.
//!
//! Invariants: a PIN that was refused is not tried again by itself; the PIN is in memory
//! only while the token is opened; one idle session keeps the log-in alive.

pub(super) mod login;
pub(super) mod refused_pin;
pub(super) mod token;
