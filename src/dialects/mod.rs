//! The products' APIs: one room each, over the same services.
//!
//! A dialect owns its paths, wire types, views, error body, settings, and its part of the
//! OpenAPI document. It translates between its wire and the services, and never meets
//! another dialect, the store, providers, issuance or configuration.

pub mod auth0;
pub mod native;
pub mod pingfederate;
pub mod zitadel;
