//! The PingFederate dialect: key pairs as its administrative API shows them.
//!
//! Owns paths, field names, validation of what a request may say, the rendering of key pairs, and the
//! `ApiResult` body of every refusal. Does not own what a key pair is, how it is made or given out
//! (`lifecycle`), what refers to it (`settings`), or the formats of files (`keyfile`, `x509`). A
//! PingFederate key pair is a ring; its view is that of the ring's Active key.
//!
//! Invariants: a request is checked whole, and all that is wrong with it is said at once; nothing
//! reaches `lifecycle` unchecked; the families have the same handlers and separate ids; the same routes
//! answer under `/pf-admin-api/v1` and without it, with and without a trailing slash.

mod additional_key_sets;
mod algorithm_choice;
mod algorithms;
mod csr;
mod document;
mod error;
mod export;
mod family;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod generate;
mod import;
mod key_pairs;
mod key_set;
mod link;
mod members;
mod oidc_names;
mod oidc_settings;
mod oidc_wire;
mod rotation;
mod rules;
mod settings;
mod ssl_settings;
#[cfg(test)]
mod tests;
mod trusted_cas;
mod version;
mod view;
mod violation;
mod wire;

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};
use axum::{Extension, Router};

use crate::http::dialect;
pub(crate) use document::{Document, KeySets};
use error::ApiError;
pub(crate) use settings::Services;
pub use settings::{SanFormat, Settings};
use strongroom_domain::key::RingKind;

/// The dialect under both of its prefixes.
pub(crate) fn routes() -> Router<Arc<Services>> {
    let prefixed = routed([("/version", get(version::version)), ("/swagger.json", get(version::swagger))])
        .nest("/keyPairs", key_pairs())
        .nest("/certificates/ca", trusted_cas());
    Router::new()
        .nest("/pf-admin-api", dialect::with_dialect_errors::<_, ApiError>(Router::new().nest("/v1", prefixed)))
        .nest("/keyPairs", dialect::with_dialect_errors::<_, ApiError>(key_pairs()))
        .nest("/certificates/ca", dialect::with_dialect_errors::<_, ApiError>(trusted_cas()))
}

/// The key set, under the path of PingFederate's runtime.
pub(crate) fn key_sets() -> Router<Arc<Services>> {
    Router::new().route("/pf/JWKS", get(key_set::show))
}

fn key_pairs() -> Router<Arc<Services>> {
    let mut router = routed([
        ("/keyAlgorithms", get(algorithms::list)),
        ("/sslServer/settings", get(ssl_settings::show).put(ssl_settings::replace)),
        ("/oauthOpenIdConnect", get(oidc_settings::show).put(oidc_settings::replace)),
        ("/oauthOpenIdConnect/additionalKeySets", get(additional_key_sets::list).post(additional_key_sets::create)),
        (
            "/oauthOpenIdConnect/additionalKeySets/{id}",
            get(additional_key_sets::show).put(additional_key_sets::replace).delete(additional_key_sets::delete),
        ),
    ]);
    for family in family::FAMILIES {
        let mut paths = of_family();
        if family == RingKind::Signing {
            let methods = get(rotation::show).put(rotation::replace).delete(rotation::delete);
            paths.push(("/{id}/rotationSettings", methods));
        }
        let word = family.name();
        for (path, methods) in paths {
            router = both(router, &format!("/{word}{path}"), methods.layer(Extension(family)));
        }
    }
    router
}

/// What every family has.
fn of_family() -> Vec<(&'static str, MethodRouter<Arc<Services>>)> {
    vec![
        ("", get(key_pairs::list)),
        ("/generate", post(generate::generate)),
        ("/import", post(import::import)),
        ("/link", post(link::link)),
        ("/{id}", get(key_pairs::show).delete(key_pairs::delete)),
        ("/{id}/certificate", get(key_pairs::certificate)),
        ("/{id}/csr", get(csr::request).post(csr::respond)),
        ("/{id}/pkcs12", post(export::pkcs12)),
        ("/{id}/pem", post(export::pem)),
    ]
}

fn trusted_cas() -> Router<Arc<Services>> {
    let router =
        routed([("/import", post(trusted_cas::import)), ("/{id}", get(trusted_cas::show).delete(trusted_cas::delete))]);
    router.route("/", get(trusted_cas::list))
}

fn routed<const N: usize>(routes: [(&str, MethodRouter<Arc<Services>>); N]) -> Router<Arc<Services>> {
    routes.into_iter().fold(Router::new(), |router, (path, methods)| both(router, path, methods))
}

/// A route with and without a trailing slash.
fn both(router: Router<Arc<Services>>, path: &str, methods: MethodRouter<Arc<Services>>) -> Router<Arc<Services>> {
    router.route(path, methods.clone()).route(&format!("{path}/"), methods)
}
