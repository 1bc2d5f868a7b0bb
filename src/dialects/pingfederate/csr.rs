//! Certification requests out, and what a CA makes of them in.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::Method;
use axum::response::Response;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Services;
use super::error::{ApiError, BodyRefusals, PathRefusals, Refusals};
use super::family::{KeyPairPath, active};
use super::members::{non_empty, required};
use super::view::{self, KeyPairView};
use crate::auth::Caller;
use crate::http::certification;
use crate::http::extract::{Call, JsonBody, asked};
use crate::services::lifecycle::issued_certificates;
use crate::services::signing::Target;
use strongroom_domain::error::Error;
use strongroom_domain::key::{CertificateDer, KeyPair};

const DATA: &str = "fileData";

/// What a certificate authority answered to a certification request.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CSRResponse)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CsrResponse {
    /// X.509 or PKCS#7, as PEM with or without header and footer, or base64 of PEM.
    #[schema(nullable = false, required = true, min_length = 1)]
    file_data: Option<String>,
}

/// Gets a certification request for a {family} key pair as PEM.
///
/// It asks for what the present certificate says, and is signed by the key: once, as long as neither changes. `HEAD` has
/// nothing signed.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/{family}/{id}/csr", operation_id = "export{Family}Csr",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    responses(
        (status = 200, description = "PKCS#10 in PEM (RFC 7468).", body = String, content_type = "application/pkcs10"),
        PathRefusals,
        Refusals
    )
)]
pub(super) async fn request(
    State(services): State<Arc<Services>>,
    method: Method,
    Call(who, _): Call<asked::RequestCertificate, ApiError>,
    KeyPairPath(ring): KeyPairPath,
) -> Result<Response, ApiError> {
    let caller = who.with_deadline(Instant::now() + services.sign_deadline);
    let about = ApiError::about(ring.name());
    let target = Target::Ring(ring);
    certification::answer(&services, &method, &caller, &target, "application/pkcs10").await.map_err(about)
}

/// Imports the response to a certification request: the key pair has its certificates from then on.
#[utoipa::path(
    post, path = "/pf-admin-api/v1/keyPairs/{family}/{id}/csr", operation_id = "import{Family}CsrResponse",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    request_body = CsrResponse,
    responses((status = 200, description = "The key pair with its new certificate.", body = KeyPairView),
        PathRefusals, BodyRefusals, Refusals)
)]
pub(super) async fn respond(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReplaceCertificates, ApiError>,
    KeyPairPath(ring): KeyPairPath,
    body: JsonBody<CsrResponse, ApiError>,
) -> Result<Json<KeyPairView>, ApiError> {
    let about = || ApiError::about(ring.name());
    let pair = active(&services, &who, &ring).await?;
    let mut findings = Vec::new();
    let Some(data) = non_empty(body.value.file_data.as_ref()) else {
        required(DATA, &mut findings);
        return Err(Error::invalid(findings).into());
    };
    let chain = accepted(&services, &who, &pair, data.to_owned()).await?;
    let (keyring, caller, place) = (Arc::clone(&services.keyring), who.clone(), ring.clone());
    let work = async move { keyring.replace_certificates(&caller, &place, chain).await };
    let pair = services.detached.run(work).await.map_err(about())?;
    Ok(Json(view::whole(&services, &who, &pair).await?))
}

/// The certificates of a response, in order, if they are what the key needs.
async fn accepted(
    services: &Services,
    who: &Caller,
    pair: &KeyPair,
    data: String,
) -> Result<Vec<CertificateDer>, Error> {
    let anchors = if services.settings.require_trusted_issuer {
        let trusted = services.catalog.trusted_cas(who).await?;
        Some(trusted.into_iter().map(|ca| ca.certificate).collect::<Vec<_>>())
    } else {
        None
    };
    let (spki, now) = (pair.spki.clone(), services.clock.now());
    let work = move || Ok(issued_certificates(data.as_bytes(), spki.as_ref(), anchors.as_deref(), now)?);
    services.key_files.acquire().await?.run(work).await
}
