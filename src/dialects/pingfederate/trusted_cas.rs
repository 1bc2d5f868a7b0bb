//! Trusted certificate authorities, as far as CSR responses need them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Services;
use super::error::{ApiError, ApiResult, BodyRefusals, PathRefusals, Refusals};
use super::members::{non_empty, required};
use super::rules::Rules;
use super::view::CertView;
use super::violation::violation;
use super::wire::CryptoProvider;
use crate::http::extract::{Call, JsonBody, PathSegment, asked};
use crate::http::id;
use crate::http::rendered::rendered;
use crate::services::settings::TrustedCa;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::RingKind;

/// A list of certificates.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CertViews {
    /// By id.
    items: Vec<CertView>,
}

/// A file with one certificate.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct X509File {
    /// Unique among trusted CAs; made up when absent.
    #[schema(nullable = false, pattern = "^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$", example = "example-root")]
    id: Option<String>,
    /// X.509 as PEM with or without header and footer, or base64 of PEM.
    #[schema(nullable = false, required = true, min_length = 1)]
    file_data: Option<String>,
    /// Has no meaning here: certificates are kept in the store.
    #[schema(nullable = false)]
    crypto_provider: Option<CryptoProvider>,
}

/// Gets all trusted certificate authorities.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/certificates/ca", operation_id = "getTrustedCas", tag = "PingFederate",
    responses((status = 200, description = "All of them; there is no paging.", body = CertViews), Refusals)
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadSettings, ApiError>,
) -> Result<Response, ApiError> {
    let all = services.catalog.trusted_cas(&who).await?;
    let (length, look) = (all.len(), services.view_context());
    let views = move || Ok(CertViews { items: all.iter().map(|ca| CertView::of(ca, &look)).collect() });
    rendered(&services, length, views).await
}

/// Gets one trusted certificate authority.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/certificates/ca/{id}", operation_id = "getTrustedCert", tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the certificate.")),
    responses((status = 200, description = "The certificate.", body = CertView), PathRefusals, Refusals)
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadSettings, ApiError>,
    PathSegment(id, _): PathSegment<ApiError>,
) -> Result<Json<CertView>, ApiError> {
    let all = services.catalog.trusted_cas(&who).await?;
    let missing = || ApiError::about(&id)(Error::new(ErrorKind::NotFound, "no such trusted CA"));
    let ca = all.iter().find(|ca| ca.id == id).ok_or_else(missing)?;
    Ok(Json(CertView::of(ca, &services.view_context())))
}

/// Imports the certificate of a trusted certificate authority.
#[utoipa::path(
    post, path = "/pf-admin-api/v1/certificates/ca/import", operation_id = "importTrustedCA", tag = "PingFederate",
    request_body = X509File,
    responses((status = 201, description = "The certificate.", body = CertView), BodyRefusals, Refusals)
)]
pub(super) async fn import(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, ApiError>,
    body: JsonBody<X509File, ApiError>,
) -> Result<(StatusCode, Json<CertView>), ApiError> {
    let rules = Rules::of(&services, &who, RingKind::Signing)?;
    let ca = check(&rules, body.value)?;
    let (catalog, added) = (Arc::clone(&services.catalog), ca.clone());
    services.detached.run(async move { catalog.add_trusted_ca(&who, added).await }).await?;
    Ok((StatusCode::CREATED, Json(CertView::of(&ca, &services.view_context()))))
}

/// Deletes a trusted certificate authority.
#[utoipa::path(
    delete, path = "/pf-admin-api/v1/certificates/ca/{id}", operation_id = "deleteTrustedCA", tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the certificate.")),
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
    services.detached.run(async move { catalog.delete_trusted_ca(&who, &id).await }).await.map_err(about)?;
    Ok(StatusCode::NO_CONTENT)
}

fn check(rules: &Rules, wire: X509File) -> Result<TrustedCa, Error> {
    let mut findings = Vec::new();
    let id = wire.id.map_or_else(id::generate, Ok)?;
    rules.ring(Some(&id), &mut findings);
    if wire.crypto_provider.is_some() {
        rules.provider(wire.crypto_provider, &mut findings);
    }
    let data = non_empty(wire.file_data.as_ref());
    if data.is_none() {
        required("fileData", &mut findings);
    }
    let ca = data.and_then(|data| {
        TrustedCa::from_file(id, data.as_bytes()).map_err(|refused| findings.push(violation(&refused))).ok()
    });
    match ca {
        Some(ca) if findings.is_empty() => Ok(ca),
        _ => Err(Error::invalid(findings)),
    }
}
