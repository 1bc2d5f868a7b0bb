//! SSL server settings: which key pairs serve TLS.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Services;
use super::error::{ApiError, BodyRefusals, Refusals};
use super::members::{non_empty, required};
use super::violation::violation;
use super::wire::ResourceLink;
use crate::http::extract::{Call, JsonBody, asked};
use crate::services::settings::SslSettings;
use strongroom_domain::error::{Error, Rule, Violation};

/// Which SSL server key pairs are presented, and which of them by default.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SslServerSettings {
    /// The default of the runtime server; one of those that are active.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = true)]
    runtime_server_cert_ref: Option<ResourceLink>,
    /// The default of the administrative console; one of those that are active.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = true)]
    admin_console_cert_ref: Option<ResourceLink>,
    /// All that the runtime server may present; its default alone when absent.
    #[schema(nullable = false)]
    active_runtime_server_certs: Option<Vec<ResourceLink>>,
    /// All that the administrative console may present; its default alone when absent.
    #[schema(nullable = false)]
    active_admin_console_certs: Option<Vec<ResourceLink>>,
}

impl From<&SslSettings> for SslServerSettings {
    fn from(settings: &SslSettings) -> Self {
        let link = |id: &String| ResourceLink {
            id: Some(id.clone()),
            location: Some(format!("/pf-admin-api/v1/keyPairs/sslServer/{id}")),
        };
        Self {
            runtime_server_cert_ref: settings.runtime_server.as_ref().map(link),
            admin_console_cert_ref: settings.admin_console.as_ref().map(link),
            active_runtime_server_certs: Some(settings.active_runtime_server.iter().map(link).collect()),
            active_admin_console_certs: Some(settings.active_admin_console.iter().map(link).collect()),
        }
    }
}

/// Gets the SSL server settings; without references until they were set once.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/sslServer/settings", operation_id = "getSslServerSettings",
    tag = "PingFederate",
    responses((status = 200, description = "The settings.", body = SslServerSettings), Refusals)
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadSettings, ApiError>,
) -> Result<Json<SslServerSettings>, ApiError> {
    Ok(Json(SslServerSettings::from(&services.catalog.ssl_settings(&who).await?)))
}

/// Sets the SSL server settings. A key pair that they name cannot be deleted.
#[utoipa::path(
    put, path = "/pf-admin-api/v1/keyPairs/sslServer/settings", operation_id = "updateSslServerSettings",
    tag = "PingFederate",
    request_body = SslServerSettings,
    responses((status = 200, description = "The settings.", body = SslServerSettings), BodyRefusals, Refusals)
)]
pub(super) async fn replace(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, ApiError>,
    body: JsonBody<SslServerSettings, ApiError>,
) -> Result<Json<SslServerSettings>, ApiError> {
    let (settings, mut found) = check(&body.value);
    if !found.is_empty() {
        // One violation for each path: an absent id is unknown too.
        let unknown = services.catalog.unknown_ssl_rings(&who, &settings).await?;
        let known: HashSet<_> = found.iter().filter_map(|violation| violation.path.clone()).collect();
        let is_new = |violation: &Violation| violation.path.as_ref().is_none_or(|path| !known.contains(path));
        found.extend(unknown.iter().map(violation).filter(is_new));
        return Err(Error::invalid(found).into());
    }
    let catalog = Arc::clone(&services.catalog);
    let work = async move { catalog.put_ssl_settings(&who, settings).await };
    Ok(Json(SslServerSettings::from(&services.detached.run(work).await?)))
}

/// What the settings say, each id at its place, and what is wrong with them; whether the key pairs are there is
/// for the catalog to see.
fn check(wire: &SslServerSettings) -> (SslSettings, Vec<Violation>) {
    let mut findings = Vec::new();
    let (runtime_server, active_runtime_server) = side(
        ("runtimeServerCertRef", wire.runtime_server_cert_ref.as_ref()),
        ("activeRuntimeServerCerts", wire.active_runtime_server_certs.as_deref()),
        &mut findings,
    );
    let (admin_console, active_admin_console) = side(
        ("adminConsoleCertRef", wire.admin_console_cert_ref.as_ref()),
        ("activeAdminConsoleCerts", wire.active_admin_console_certs.as_deref()),
        &mut findings,
    );
    (SslSettings { runtime_server, admin_console, active_runtime_server, active_admin_console }, findings)
}

/// The default and the active ones of one side.
fn side(
    (default_path, default): (&str, Option<&ResourceLink>),
    (active_path, active): (&str, Option<&[ResourceLink]>),
    findings: &mut Vec<Violation>,
) -> (Option<String>, Vec<String>) {
    if default.is_none() {
        required(default_path, findings);
    }
    let default = default.and_then(|link| id_of(default_path, link, findings));
    let Some(active) = active else { return (default, Vec::new()) };
    let mut ids = Vec::with_capacity(active.len());
    for (index, link) in active.iter().enumerate() {
        ids.push(id_of(&format!("{active_path}[{index}]"), link, findings).unwrap_or_default());
    }
    if let Some(default) = default.as_ref().filter(|default| !ids.contains(default)) {
        let message = format!("{active_path} must have the default, '{default}'.");
        findings.push(Violation::at(active_path, Rule::InvalidValue, message));
    }
    (default, ids)
}

fn id_of(path: &str, link: &ResourceLink, findings: &mut Vec<Violation>) -> Option<String> {
    let id = non_empty(link.id.as_ref());
    if id.is_none() {
        required(&format!("{path}.id"), findings);
    }
    id.map(str::to_owned)
}
