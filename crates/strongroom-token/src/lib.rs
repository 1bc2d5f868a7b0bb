//! Keys in a PKCS#11 token, reached through child processes.
//!
//! PKCS#11 modules crash, hang and corrupt themselves. A [`TokenClient`] never loads one: it
//! starts token hosts, child processes that alone load the module and know the PIN, watches
//! them, replaces them, and tries again what may be tried again.
//!
//! Owns both ends of the link to token hosts and the contract between them: `host` runs
//! inside the child and alone meets the vendor's module; `link` starts, watches and
//! replaces children; `protocol` is all that they say to each other. Does not own what a
//! key is for, nor any row about it.
//!
//! Invariants: the client's own process never loads a module and never reads a PIN; a
//! caller cannot tell a process from a thread; after [`TokenError::Unavailable`] nothing
//! was made.

mod activity;
mod client;
mod error;
mod failpoint;
mod frames;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod host;
mod key;
mod key_selector;
mod link;
mod lock_file;
mod options;
mod probe;
mod protocol;
mod selector;
#[cfg(test)]
mod tests;
mod wire_secret;

/// What the labels of sealing keys begin with.
const SEALING_LABEL: &str = "sr-seal:";

pub use client::TokenClient;
pub use error::TokenError;
pub use key::{Capabilities, DestroyedObjects, ExistingKey, KeyTemplate, ProvenKey, SignInput, TokenKey, TokenObject};
pub use key_selector::{InvalidKeySelector, KeySelector};
pub use link::forget_refused_pin;
pub use options::{HostCommand, HostOptions, PinSource, Profile, SignatureVerification, TokenAccess, TokenOptions};
pub use probe::{Initialised, ProbeReport, initialise_token, probe, probe_sealing_key};
pub use protocol::{SealingScheme, TokenFacts};
pub use selector::{NoTokenUri, TokenSelector};
