//! System tests: the real binary on a fresh SoftHSM token, one suite a module.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::return_self_not_must_use,
    clippy::new_without_default,
    clippy::needless_pass_by_value,
    reason = "tests"
)]

mod harness;

mod algorithm_row;
mod architecture;
mod as_sent;
mod auth0;
mod backup;
mod bad_input;
mod bodies;
mod certification;
mod check;
mod concurrency;
mod configuration;
mod containers;
mod decryption;
mod destruction;
mod dev;
mod exchange;
mod faults;
mod forgery;
mod goldens;
mod hybrid;
mod idempotency;
mod jwks;
mod keys;
mod native;
mod openapi;
mod outages;
mod permission;
mod pin;
mod pingfederate;
mod postgres;
mod pressure;
mod provider;
mod recovery;
mod rings;
mod rotation;
mod schemathesis;
mod secrecy;
mod signing;
mod states;
mod stock;
mod zitadel;
