//! Strongroom: a key daemon for hardware security modules.
//!
//! The rooms stand on floors. A room imports only rooms on lower floors, or those to
//! its right on its own floor; `tests/suite/architecture.rs` holds them to it.
//!
//! | floor | rooms, left to right |
//! |---|---|
//! | 7 the entrance | `cli` `daemon` `telemetry` |
//! | 6 HTTP | `listen` `api` |
//! | 5 schedules | `rotation` |
//! | 4 services | `keyring` `signing` `catalog` |
//! | 3 issuance and the one error | `issuance` `error` |
//! | 2 holders | `provider` `store` |
//! | 1 rules and formats without I/O | `config` `audit` `auth` `keyfile` `x509` `jose` `turns` |
//! | 0 nouns | `key` `secret` `clock` `failpoint` |
//!
//! Never met, though the floors would allow it: `provider` and `store`; `keyring` and
//! `signing`; dialects and each other; dialects and `store`, `provider`, `issuance` or `config`.

pub mod api;
pub mod auth;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod failpoint;
pub mod issuance;
pub mod keyring;
pub mod listen;
pub mod provider;
pub mod rotation;
pub mod signing;
pub mod store;
pub mod telemetry;
pub mod turns;
