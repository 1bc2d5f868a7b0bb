//! Publication: which public keys verifiers are given, and for how long they may keep them.
//!
//! Owns key sets, their cache and the set of OAuth and `OpenID` Connect tokens. Does not own
//! when keys succeed each other (`rotation`) or what settings say (`settings`).
//!
//! Invariants: a key is published before it signs and until its overlap has ended; a set
//! is kept by nobody past its next change; one unreadable certificate spoils no set.

mod key_set;
mod key_set_builder;
mod oidc;
mod service;
#[cfg(test)]
mod tests;

pub use key_set::{KeySet, KeySetId, PublishedKeySet};
pub use service::Publication;
