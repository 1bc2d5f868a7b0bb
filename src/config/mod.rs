//! The configuration file: TOML, `version = 1`, kebab-case.
//!
//! Owns the shape of the file, one section a file, defaults, and all findings about it,
//! reported at once. Does not own what the values do. Unknown keys are refused; secrets
//! come from files or systemd credentials, never as values.

mod duration;
mod hosts;
mod token;

pub use hosts::Hosts;
pub use token::{PinSource, Profile, Token, TokenSelector};
