//! OAuth and `OpenID` Connect keys: which key pairs sign tokens, and which decrypt what is sent there.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

use super::Services;
use super::error::{ApiError, BodyRefusals, Refusals};
use super::members::required;
use super::oidc_names::Names;
use super::oidc_wire::{OAuthOidcKeysSettings, members, texts};
use crate::http::extract::{Call, JsonBody, asked};
use crate::services::settings::OidcSettings;
use strongroom_domain::error::{Error, Rule, Violation};

/// Gets the OAuth and `OpenID` Connect keys; none until they were set once.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/oauthOpenIdConnect", operation_id = "getOauthOidcKeysSettings",
    tag = "PingFederate",
    responses((status = 200, description = "The settings.", body = OAuthOidcKeysSettings), Refusals)
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadSettings, ApiError>,
) -> Result<Json<Map<String, Value>>, ApiError> {
    Ok(Json(view(&services.catalog.oidc_settings(&who).await?)))
}

/// Sets the OAuth and `OpenID` Connect keys. A key pair that they name cannot be deleted; `/pf/JWKS` publishes it.
#[utoipa::path(
    put, path = "/pf-admin-api/v1/keyPairs/oauthOpenIdConnect", operation_id = "updateOAuthOidcKeysSettings",
    tag = "PingFederate",
    request_body = OAuthOidcKeysSettings,
    responses((status = 200, description = "The settings.", body = OAuthOidcKeysSettings), BodyRefusals, Refusals)
)]
pub(super) async fn replace(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, ApiError>,
    body: JsonBody<OAuthOidcKeysSettings, ApiError>,
) -> Result<Json<Map<String, Value>>, ApiError> {
    let settings = check(&body.value).map_err(Error::invalid)?;
    let answer = view(&settings);
    let catalog = Arc::clone(&services.catalog);
    services.detached.run(async move { catalog.put_oidc_settings(&who, settings).await }).await?;
    Ok(Json(answer))
}

/// What the settings say, consistent; whether the key pairs are there and fit is for the catalog to see.
fn check(wire: &OAuthOidcKeysSettings) -> Result<OidcSettings, Vec<Violation>> {
    let mut findings = Vec::new();
    let members = members(wire);
    let is_static = wire.static_jwks_enabled == Some(true);
    match wire.static_jwks_enabled {
        None => required("staticJwksEnabled", &mut findings),
        Some(true) if wire.rsa_active_cert_ref.is_none() => required("rsaActiveCertRef", &mut findings),
        Some(true) => {}
        Some(false) => {
            for name in members.keys().filter(|name| name.ends_with("CertRef")) {
                let message = format!("{name} must be absent while staticJwksEnabled is false.");
                findings.push(Violation::at(name, Rule::InvalidValue, message));
            }
        }
    }
    let signing = Names::SIGNING.read(&members, &mut findings);
    let decryption = Names::DECRYPTION.read(&members, &mut findings);
    if !findings.is_empty() {
        return Err(findings);
    }
    let dynamic_key_certificate = wire.dynamic_key_certificate_information.as_ref().map(texts);
    let publish_dynamic_x5cs = wire.publish_dynamic_key_x5cs;
    Ok(OidcSettings { is_static, signing, decryption, publish_dynamic_x5cs, dynamic_key_certificate })
}

fn view(settings: &OidcSettings) -> Map<String, Value> {
    let mut members = Map::new();
    members.insert("staticJwksEnabled".to_owned(), settings.is_static.into());
    Names::SIGNING.write(&settings.signing, &mut members);
    Names::DECRYPTION.write(&settings.decryption, &mut members);
    if let Some(publish) = settings.publish_dynamic_x5cs {
        members.insert("publishDynamicKeyX5cs".to_owned(), publish.into());
    }
    if let Some(certificate) = &settings.dynamic_key_certificate {
        members.insert("dynamicKeyCertificateInformation".to_owned(), json!(certificate));
    }
    members
}
