//! The PingFederate dialect: key pairs as its administrative API shows them.
//!
//! Owns paths, field names, validation of what a request may say, the rendering of key
//! pairs, and the `ApiResult` body of every refusal. Does not own what a key pair is or
//! how it is made (`keyring`). A PingFederate key pair is a ring; its view is that of
//! the ring's Active key.
//!
//! Invariants: a request is checked whole, and all that is wrong with it is said at once;
//! nothing reaches `keyring` unchecked; the same routes answer under
//! `/pf-admin-api/v1/keyPairs` and `/keyPairs`, with and without a trailing slash.

mod algorithms;
mod choice;
mod error;
mod generate;
mod id;
mod key_pairs;
mod rules;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get, post};
use utoipa::OpenApi;

use super::{Services, dialect};
use crate::key::ProviderKind;
use error::ApiError;

/// What an operator decides about this dialect.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether requests choose, and views show, the crypto provider.
    pub hybrid: bool,
    /// Who makes a key when the request does not say; without `hybrid`, who makes all.
    pub default_provider: ProviderKind,
    pub san_format: SanFormat,
}

/// How views write subject alternative names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SanFormat {
    /// `example.com`, as up to version 12.
    #[default]
    Bare,
    /// `DNS: 'example.com'`, as from version 13.
    Typed,
}

/// The dialect under both of its prefixes.
pub(super) fn routes() -> Router<Arc<Services>> {
    let prefixed = Router::new().nest("/v1/keyPairs", key_pairs());
    Router::new()
        .nest("/pf-admin-api", dialect::dress::<ApiError>(prefixed))
        .nest("/keyPairs", dialect::dress::<ApiError>(key_pairs()))
}

fn key_pairs() -> Router<Arc<Services>> {
    [
        ("/keyAlgorithms", get(algorithms::list)),
        ("/signing", get(key_pairs::list)),
        ("/signing/generate", post(generate::generate)),
        ("/signing/{id}", get(key_pairs::show).delete(key_pairs::delete)),
        ("/signing/{id}/certificate", get(key_pairs::certificate)),
    ]
    .into_iter()
    .fold(Router::new(), |router, (path, methods): (&str, MethodRouter<_>)| {
        router.route(path, methods.clone()).route(&format!("{path}/"), methods)
    })
}

/// The part of the OpenAPI document that describes this dialect.
#[derive(OpenApi)]
#[openapi(
    paths(
        algorithms::list,
        generate::generate,
        key_pairs::list,
        key_pairs::show,
        key_pairs::delete,
        key_pairs::certificate
    ),
    components(schemas(error::ApiResult))
)]
pub(super) struct Document;
