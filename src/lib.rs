//! Strongroom: a key daemon for hardware security modules.
//!
//! The rooms stand on floors. A room imports only rooms on lower floors, or those to
//! its right on its own floor; `tests/suite/architecture` holds them to it.
//!
//! | floor | rooms, left to right |
//! |---|---|
//! | 8 the entrance | `cli` `daemon` `telemetry` |
//! | 7 connections and assembly | `serve` `router` |
//! | 6 dialects | `dialects::pingfederate` `dialects::auth0` `dialects::zitadel` `dialects::native` |
//! | 5 what dialects share | `http` |
//! | 4 services | `services::web_keys` `services::connections` `services::publication` `services::rotation` `services::custody` `services::lifecycle` `services::signing` `services::settings` |
//! | 3 issuance and admission | `issuance` `admission` |
//! | 2 holders | `provider` `store` |
//! | 1 rules | `config` `auth` |
//! | 0 test hooks | `failpoint` |
//!
//! Below them all lie the crates `strongroom-domain` (nouns), `strongroom-formats` and
//! `strongroom-token` (a PKCS#11 module in child processes).
//!
//! Never met, though the floors would allow it: `provider` and `store`; `services::lifecycle` and
//! `services::signing`; dialects and each other; dialects and `store`, `provider`, `issuance` or `config`.

pub mod admission;
pub mod auth;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod dialects;
pub mod failpoint;
pub mod http;
pub mod issuance;
pub mod provider;
pub mod router;
pub mod serve;
pub mod services;
pub mod store;
pub mod telemetry;
