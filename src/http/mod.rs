//! What the routes of all dialects share.
//!
//! Owns credentials and bodies on their way in, request ids, metrics and headers on their
//! way out, refusals, answers with key sets, and the parts of the OpenAPI document that
//! belong to nobody. Does not own sockets (`serve`), any route (`dialects`) or any rule of
//! the domain (`services`).
//!
//! Invariants: every refusal under a dialect's paths has that dialect's body; a handler changes
//! nothing by itself, since a client that hangs up drops it.

pub(crate) mod at_most;
pub(crate) mod certification;
pub(crate) mod content_coding;
pub(crate) mod dialect;
pub(crate) mod document;
pub(crate) mod extract;
pub(crate) mod forgery;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(crate) mod id;
pub(crate) mod key_set;
pub(crate) mod layer;
pub(crate) mod media_type;
pub(crate) mod remarks;
pub(crate) mod rendered;
mod route_metrics;
mod services;
pub(crate) mod subject;

pub use services::{Dialect, ServiceState, Services};
