//! The services of the domain: what callers may have done with keys and rings.
//!
//! Each service is a room of its own. Dialects and the entrance call the services; the
//! services call holders (`provider`, `store`) and `issuance`. This folder owns nothing
//! itself, and no service knows HTTP or a product's wire.

pub mod connections;
pub mod custody;
pub mod lifecycle;
pub mod publication;
pub mod rotation;
pub mod settings;
pub mod signing;
pub mod web_keys;
