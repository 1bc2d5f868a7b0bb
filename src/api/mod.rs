//! HTTP: routes, what is common to all of them, and one folder for each dialect.
//!
//! Owns the assembly of routers, credentials and bodies on their way in, request ids,
//! metrics and headers on their way out, health, and the OpenAPI document. Does not own
//! sockets (`listen`) or any rule of the domain: dialects translate between the wire and
//! `keyring`, and never meet each other, the store, providers, issuance or configuration.
//!
//! Invariants: every refusal under a dialect's paths has that dialect's body; every route
//! but health, key sets, the document and its page asks for credentials, and looks at their scope before it
//! reads a body; no request that another site's page may have caused passes; a mutation runs detached, so that a
//! client that hangs up cancels nothing.

pub mod auth0;
mod certification;
mod derivations;
mod detached;
mod dialect;
mod extract;
mod forgery;
mod health;
mod id;
mod jwks;
mod layer;
mod measure;
mod media_type;
mod native;
mod openapi;
pub mod pingfederate;
mod state;
mod subject;
#[cfg(test)]
mod tests;
pub mod zitadel;

pub use derivations::Derivations;
pub use detached::Detached;
pub use openapi::document;
pub use state::{Services, router};
