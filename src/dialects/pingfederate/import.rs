//! Importing a key pair from a file.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Services;
use super::error::{ApiError, BodyRefusals, Refusals};
use super::family::{Family, idempotency, with_id_conflict};
use super::rules::Rules;
use super::view::KeyPairView;
use super::wire::{CryptoProvider, HiddenText};
use crate::http::extract::{Call, Idempotency, JsonBody, asked};
use crate::http::id;
use crate::services::lifecycle::{ImportKeyPair, KeyFile};
use strongroom_domain::error::{Error, Rule, Violation};
use strongroom_domain::key::{ProviderKind, RingId};
use strongroom_formats::keyfile::KeyFileFormat;

const DATA: &str = "fileData";

/// A file with a private key and its certificates.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyPairFile {
    /// Unique in its family; made up when absent. `generate`, `import`, `link` and `settings` are taken.
    #[schema(nullable = false, pattern = "^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$", example = "orders-2026")]
    id: Option<String>,
    /// PKCS#12 or PEM in base64; PEM also as it is. In PEM the private key comes first.
    #[schema(value_type = String, nullable = false, required = true, min_length = 1)]
    file_data: Option<HiddenText>,
    /// Opens the file.
    #[schema(value_type = String, format = Password, nullable = false, required = true, min_length = 1)]
    password: Option<HiddenText>,
    /// Found out when absent.
    #[schema(nullable = false)]
    format: Option<KeyPairFormat>,
    /// The configured default when absent.
    #[schema(nullable = false)]
    crypto_provider: Option<CryptoProvider>,
    /// For bulk imports of the product; not supported here.
    #[schema(value_type = String, nullable = false, deprecated)]
    encrypted_password: Option<HiddenText>,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
pub(super) enum KeyPairFormat {
    #[serde(rename = "PKCS12")]
    Pkcs12,
    #[serde(rename = "PEM")]
    Pem,
}

impl From<KeyPairFormat> for KeyFileFormat {
    fn from(wire: KeyPairFormat) -> Self {
        match wire {
            KeyPairFormat::Pkcs12 => Self::Pkcs12,
            KeyPairFormat::Pem => Self::Pem,
        }
    }
}

/// Imports a {family} key pair from a PKCS#12 or PEM file.
///
/// The certificate must be one for the private key; the issuers that come with it are kept, other certificates
/// are left out. An expired one is accepted. An answer of 5xx means that nothing was imported.
#[utoipa::path(
    post, path = "/pf-admin-api/v1/keyPairs/{family}/import", operation_id = "import{Family}KeyPair",
    tag = "PingFederate",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, pattern = "^[!-~]{1,255}$",
        description = "A name for this request, unique among those of the caller.")),
    request_body = KeyPairFile,
    responses((status = 201, description = "The key pair as it was imported.", body = KeyPairView),
        BodyRefusals, Refusals)
)]
pub(super) async fn import(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ImportKey, ApiError>,
    Family(family): Family,
    Idempotency(key, _): Idempotency<ApiError>,
    body: JsonBody<KeyPairFile, ApiError>,
) -> Result<(StatusCode, Json<KeyPairView>), ApiError> {
    // The body holds a private key and its password: from here on it is known by its fingerprint alone.
    let JsonBody { value: file, bytes, .. } = body;
    let who = who.with_idempotency(idempotency(&services, family, "import", key, &bytes));
    drop(bytes);
    let rules = Rules::of(&services, &who, family)?;
    let id = file.id.clone();
    let found = match checked(&rules, file) {
        Ok(file) => services.key_files.acquire().await?.run(move || read(&rules, file)).await,
        Err(refused) => Err(refused),
    };
    let new = match found {
        Ok(new) => new,
        Err(refused) => return Err(with_id_conflict(&services, family, id.as_deref(), refused).await),
    };

    let keyring = Arc::clone(&services.keyring);
    let made = services.detached.run(async move { keyring.import(&who, new).await }).await;
    let made = made.map_err(ApiError::of_configuration)?;
    Ok((StatusCode::CREATED, Json(KeyPairView::of(&made.pair, &services.view_context())?)))
}

/// A file that is yet to be read, everything around it in order.
struct Checked {
    ring: RingId,
    provider: ProviderKind,
    file: KeyFile,
}

fn checked(rules: &Rules, wire: KeyPairFile) -> Result<Checked, Error> {
    let mut findings = Vec::new();
    let id = wire.id.map_or_else(id::generate, Ok)?;
    let ring = rules.ring(Some(&id), &mut findings);
    let provider = rules.provider(wire.crypto_provider, &mut findings);
    let data = HiddenText::required(wire.file_data, DATA, &mut findings);
    if wire.encrypted_password.is_some() {
        let message = "encryptedPassword is not supported: send the password as password.";
        findings.push(Violation::at("encryptedPassword", Rule::InvalidValue, message));
    }
    let password = HiddenText::required(wire.password, "password", &mut findings);
    match (ring, provider, data, password) {
        (Some(ring), Some(provider), Some(data), Some(password)) if findings.is_empty() => {
            let file = KeyFile { data, format: wire.format.map(Into::into), password };
            Ok(Checked { ring, provider, file })
        }
        _ => Err(Error::invalid(findings)),
    }
}

fn read(rules: &Rules, Checked { ring, provider, file }: Checked) -> Result<ImportKeyPair, Error> {
    let holder = (provider, rules.capabilities(Some(provider)));
    Ok(ImportKeyPair::from_file(&file, ring, holder, rules.deadline)?)
}
