//! `/.well-known/openid-configuration`, as far as the discovery of keys needs it.
//!
//! Tokens are made by whoever asks for their signatures, so there are no endpoints to
//! authorise at: `OpenID` Connect Discovery 1.0 section 3 asks for more members than these.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;
use utoipa::ToSchema;

use super::Services;
use super::error::GatewayError;
use strongroom_domain::error::{Error, ErrorKind};

/// Where the key set is served, below the issuer.
const KEYS: &str = "/oauth/v2/keys";

/// What web keys may sign with.
const ALGORITHMS: [&str; 7] = ["EdDSA", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

pub(super) fn routes() -> Router<Arc<Services>> {
    let refuse = || async { GatewayError::from(Error::new(ErrorKind::MethodNotAllowed, "this path has GET only")) };
    Router::new().route("/.well-known/openid-configuration", get(discover).fallback(refuse))
}

/// Where an issuer's keys are, and what they sign with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelDiscovery)]
pub(super) struct Discovery {
    /// The `iss` of tokens.
    #[schema(example = "https://keys.example.com")]
    issuer: String,
    /// The key set (RFC 7517) of all web keys.
    #[schema(example = "https://keys.example.com/oauth/v2/keys")]
    jwks_uri: String,
    /// Every algorithm that a web key may have.
    #[schema(example = json!(["RS256"]))]
    id_token_signing_alg_values_supported: [&'static str; 7],
}

/// Says where the web keys of the issuer are.
#[utoipa::path(
    get, path = "/.well-known/openid-configuration", operation_id = "discoverWebKeys", tag = "Zitadel", security(()),
    responses(
        (status = 200, description = "Where they are.", body = Discovery),
        (status = 404, description = "No issuer is configured.", body = super::error::GatewayStatus),
    )
)]
pub(super) async fn discover(State(services): State<Arc<Services>>) -> Result<impl IntoResponse, GatewayError> {
    let issuer = services.settings.issuer.clone();
    let issuer = issuer.ok_or_else(|| Error::new(ErrorKind::NotFound, "no issuer is configured"))?;
    let discovery =
        Discovery { jwks_uri: format!("{issuer}{KEYS}"), issuer, id_token_signing_alg_values_supported: ALGORITHMS };
    Ok(([(CACHE_CONTROL, "max-age=300")], Json(discovery)))
}
