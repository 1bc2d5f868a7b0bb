//! Additional key sets: key pairs that sign the tokens of some issuers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::Services;
use super::error::{ApiError, ApiResult, BodyRefusals, PathRefusals, Refusals};
use super::members::{non_empty, required};
use super::oidc_names::Names;
use super::oidc_wire::{SigningKeys, members};
use super::wire::ResourceLink;
use crate::http::extract::{Call, JsonBody, PathSegment, asked};
use crate::http::id;
use crate::services::settings;
use strongroom_domain::error::{Error, ErrorKind, Rule, Violation};

/// Key pairs that sign the tokens of some issuers.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AdditionalKeySet {
    /// Unique among additional key sets; made up when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, pattern = "^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$", example = "partners")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = true, min_length = 1)]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    description: Option<String>,
    /// At least one that is active.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = true)]
    signing_keys: Option<SigningKeys>,
    /// At least one; an issuer is in one set at most. Issuers are kept by id, whatever stands behind them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = true, min_items = 1)]
    issuers: Option<Vec<ResourceLink>>,
}

/// A list of additional key sets.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AdditionalKeySets {
    /// By id.
    items: Vec<AdditionalKeySet>,
}

/// Gets all additional key sets.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/oauthOpenIdConnect/additionalKeySets", operation_id = "getKeySets",
    tag = "PingFederate",
    responses((status = 200, description = "All of them; there is no paging.", body = AdditionalKeySets), Refusals)
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadSettings, ApiError>,
) -> Result<Json<AdditionalKeySets>, ApiError> {
    let all = services.catalog.additional_key_sets(&who).await?;
    Ok(Json(AdditionalKeySets { items: all.into_iter().map(view).collect::<Result<_, Error>>()? }))
}

/// Gets one additional key set.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/oauthOpenIdConnect/additionalKeySets/{id}", operation_id = "getKeySet",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key set.")),
    responses((status = 200, description = "The key set.", body = AdditionalKeySet), PathRefusals, Refusals)
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadSettings, ApiError>,
    PathSegment(id, _): PathSegment<ApiError>,
) -> Result<Json<AdditionalKeySet>, ApiError> {
    let set = services.catalog.additional_key_set(&who, &id).await.map_err(ApiError::about(&id))?;
    Ok(Json(view(set)?))
}

/// Creates an additional key set. A key pair that it names cannot be deleted; `/pf/JWKS` publishes it.
#[utoipa::path(
    post, path = "/pf-admin-api/v1/keyPairs/oauthOpenIdConnect/additionalKeySets", operation_id = "createKeySet",
    tag = "PingFederate",
    request_body = AdditionalKeySet,
    responses((status = 201, description = "The key set.", body = AdditionalKeySet), BodyRefusals, Refusals)
)]
pub(super) async fn create(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, ApiError>,
    body: JsonBody<AdditionalKeySet, ApiError>,
) -> Result<(StatusCode, Json<AdditionalKeySet>), ApiError> {
    let id = body.value.id.clone().map_or_else(id::generate, Ok).map_err(Error::from)?;
    let set = check(body.value, id)?;
    let answer = view(set.clone())?;
    let catalog = Arc::clone(&services.catalog);
    services.detached.run(async move { catalog.put_additional_key_set(&who, set, true).await }).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Replaces an additional key set.
#[utoipa::path(
    put, path = "/pf-admin-api/v1/keyPairs/oauthOpenIdConnect/additionalKeySets/{id}", operation_id = "updateKeySet",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key set.")),
    request_body = AdditionalKeySet,
    responses(
        (status = 200, description = "The key set.", body = AdditionalKeySet),
        (status = 404, description = "There is nothing of this id.", body = ApiResult),
        BodyRefusals,
        Refusals
    )
)]
pub(super) async fn replace(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, ApiError>,
    PathSegment(id, _): PathSegment<ApiError>,
    body: JsonBody<AdditionalKeySet, ApiError>,
) -> Result<Json<AdditionalKeySet>, ApiError> {
    let about = ApiError::about(&id);
    services.catalog.additional_key_set(&who, &id).await.map_err(ApiError::about(&id))?;
    let set = check(body.value, id)?;
    let answer = view(set.clone())?;
    let catalog = Arc::clone(&services.catalog);
    let put = async move { catalog.put_additional_key_set(&who, set, false).await };
    services.detached.run(put).await.map_err(about)?;
    Ok(Json(answer))
}

/// Deletes an additional key set; its key pairs stay.
#[utoipa::path(
    delete, path = "/pf-admin-api/v1/keyPairs/oauthOpenIdConnect/additionalKeySets/{id}",
    operation_id = "deleteKeySet", tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key set.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 409, description = "Changed by somebody else meanwhile.", body = ApiResult),
        PathRefusals,
        Refusals
    )
)]
pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, ApiError>,
    PathSegment(id, _): PathSegment<ApiError>,
) -> Result<StatusCode, ApiError> {
    let about = ApiError::about(&id);
    let catalog = Arc::clone(&services.catalog);
    let removal = async move { catalog.delete_additional_key_set(&who, &id).await };
    services.detached.run(removal).await.map_err(about)?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a key set says, complete; whether the key pairs are there and fit is for the catalog to see.
fn check(wire: AdditionalKeySet, id: String) -> Result<settings::AdditionalKeySet, Error> {
    let mut findings = Vec::new();
    if let Some(fault) = id::fault(&id) {
        findings.push(Violation::at("id", Rule::InvalidValue, fault));
    } else if wire.id.as_ref().is_some_and(|written| *written != id) {
        findings.push(Violation::at("id", Rule::InvalidValue, format!("id must be that of the path, '{id}'.")));
    }
    if non_empty(wire.name.as_ref()).is_none() {
        required("name", &mut findings);
    }
    let before = findings.len();
    let signing =
        Names::ADDITIONAL_SET.read(&wire.signing_keys.as_ref().map(members).unwrap_or_default(), &mut findings);
    if signing.is_empty() && findings.len() == before {
        let message = "signingKeys must name an active key pair.";
        findings.push(Violation::at("signingKeys", Rule::Required, message));
    }
    let issuers = wire.issuers.unwrap_or_default();
    if issuers.is_empty() {
        required("issuers", &mut findings);
    }
    for (n, issuer) in issuers.iter().enumerate() {
        if non_empty(issuer.id.as_ref()).is_none() {
            required(&format!("issuers[{n}].id"), &mut findings);
        }
    }
    let issuers = issuers.into_iter().filter_map(|issuer| issuer.id).collect();
    match wire.name {
        Some(name) if findings.is_empty() => {
            Ok(settings::AdditionalKeySet { id, name, description: wire.description, signing, issuers })
        }
        _ => Err(Error::invalid(findings)),
    }
}

fn view(set: settings::AdditionalKeySet) -> Result<AdditionalKeySet, Error> {
    let mut keys = Map::new();
    Names::ADDITIONAL_SET.write(&set.signing, &mut keys);
    let signing_keys = serde_json::from_value(Value::Object(keys))
        .map_err(|failure| Error::new(ErrorKind::Internal, "internal error").with_source(failure))?;
    let link = |id| ResourceLink { id: Some(id), location: None };
    Ok(AdditionalKeySet {
        id: Some(set.id),
        name: Some(set.name),
        description: set.description,
        signing_keys: Some(signing_keys),
        issuers: Some(set.issuers.into_iter().map(link).collect()),
    })
}
