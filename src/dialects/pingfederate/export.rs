//! Giving out a key pair, private key included.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Services;
use super::error::{ApiError, BodyRefusals, PathRefusals, Refusals};
use super::family::{KeyPairPath, active};
use super::wire::HiddenText;
use crate::auth::Caller;
use crate::http::extract::{Call, JsonBody, asked};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{CertificateDer, RingId};
use strongroom_domain::secret::Secret;
use strongroom_formats::keyfile::{self, KeyFileError, Pkcs12Mac};

const PKCS12: &str = "application/x-pkcs12";
const PEM: &str = "application/x-pem-file";

/// How an exported key is protected.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyPairExportSettings {
    /// Will open the file.
    #[schema(value_type = String, format = Password, nullable = false, required = true, min_length = 1,
        example = "correct horse battery staple")]
    password: Option<HiddenText>,
    /// How the MAC of a PKCS#12 file gets its key; of no matter for PEM.
    #[serde(default)]
    #[schema(nullable = false, default = "PKCS12_KDF")]
    mac: Option<MacScheme>,
}

/// How the MAC of a PKCS#12 file gets its key.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub(super) enum MacScheme {
    /// By the key derivation of PKCS#12 (RFC 7292 appendix B), which every reader knows.
    #[serde(rename = "PKCS12_KDF")]
    Pkcs12Kdf,
    /// By PBKDF2 (PBMAC1, RFC 9579), which openssl 3.4 and later reads.
    #[serde(rename = "PBMAC1")]
    Pbmac1,
}

impl From<MacScheme> for Pkcs12Mac {
    fn from(wire: MacScheme) -> Self {
        match wire {
            MacScheme::Pkcs12Kdf => Self::Pkcs12Kdf,
            MacScheme::Pbmac1 => Self::Pbmac1,
        }
    }
}

/// Exports a {family} key pair as PKCS#12; only keys of the provider `LOCAL` can be.
#[utoipa::path(
    post, path = "/pf-admin-api/v1/keyPairs/{family}/{id}/pkcs12", operation_id = "export{Family}Pkcs12",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    request_body = KeyPairExportSettings,
    responses(
        (status = 200, description = "PKCS#12 (RFC 7292) with the private key and its certificates.", body = [u8],
            content_type = "application/x-pkcs12"),
        PathRefusals,
        BodyRefusals,
        Refusals
    )
)]
pub(super) async fn pkcs12(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ExportKey, ApiError>,
    KeyPairPath(ring): KeyPairPath,
    body: Result<JsonBody<KeyPairExportSettings, ApiError>, ApiError>,
) -> Result<impl IntoResponse, ApiError> {
    export(&services, who, ring, body, PKCS12, keyfile::to_pkcs12).await
}

/// Exports a {family} key pair as PEM; only keys of the provider `LOCAL` can be.
#[utoipa::path(
    post, path = "/pf-admin-api/v1/keyPairs/{family}/{id}/pem", operation_id = "export{Family}Pem",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    request_body = KeyPairExportSettings,
    responses(
        (status = 200, description = "PEM: the private key under PBES2 with AES (RFC 8018), then its certificates.",
            body = String, content_type = "application/x-pem-file"),
        PathRefusals,
        BodyRefusals,
        Refusals
    )
)]
pub(super) async fn pem(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ExportKey, ApiError>,
    KeyPairPath(ring): KeyPairPath,
    body: Result<JsonBody<KeyPairExportSettings, ApiError>, ApiError>,
) -> Result<impl IntoResponse, ApiError> {
    let write = |key: &Secret, chain: &[CertificateDer], password: &Secret, _: Pkcs12Mac| {
        keyfile::to_pem(key, chain, password).map(String::into_bytes)
    };
    export(&services, who, ring, body, PEM, write).await
}

async fn export(
    services: &Services,
    who: Caller,
    ring: RingId,
    body: Result<JsonBody<KeyPairExportSettings, ApiError>, ApiError>,
    content_type: &'static str,
    write: impl FnOnce(&Secret, &[CertificateDer], &Secret, Pkcs12Mac) -> Result<Vec<u8>, KeyFileError> + Send + 'static,
) -> Result<([(HeaderName, &'static str); 1], Vec<u8>), ApiError> {
    let about = || ApiError::about(ring.name());
    // What cannot be exported cannot with any body.
    active(services, &who, &ring).await?;
    services.keyring.exportable(&who, &ring).await.map_err(about())?;
    let mut findings = Vec::new();
    let settings = body?.value;
    let mac = settings.mac.map(Into::into).unwrap_or_default();
    let Some(password) = HiddenText::required(settings.password, "password", &mut findings) else {
        return Err(Error::invalid(findings).into());
    };
    // Before the export is on record.
    let turn = services.key_files.acquire().await?;
    let exported = services.keyring.export(&who, &ring).await.map_err(about())?;
    let internal = |failure: KeyFileError| Error::new(ErrorKind::Internal, "internal error").with_source(failure);
    let write = move || write(&exported.pkcs8, &exported.pair.certificates, &password, mac).map_err(internal);
    let file = turn.run(write).await?;
    Ok(([(CONTENT_TYPE, content_type)], file))
}
