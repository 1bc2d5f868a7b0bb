//! Generating a key pair.

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
use super::wire::CryptoProvider;
use crate::http::extract::{Call, Idempotency, JsonBody, asked};
use crate::http::id;
use strongroom_domain::error::Error;

/// A key pair to be made, and the subject of its self-signed certificate.
///
/// A member that is null counts as absent; so does empty text, but for `id`.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewKeyPairSettings {
    /// Unique in its family; made up when absent. `generate`, `import`, `link` and `settings` are taken.
    #[schema(nullable = false, pattern = "^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$", example = "orders-2026")]
    pub id: Option<String>,
    /// CN of the subject and, as the certificate is self-signed, of the issuer.
    #[schema(nullable = false, required = true, min_length = 1, max_length = 64, example = "Example")]
    pub common_name: Option<String>,
    /// DNS names, IP addresses, e-mail addresses and URIs, bare or typed: `DNS: 'example.com'`.
    #[schema(nullable = false, max_items = 100, example = json!(["example.com", "192.0.2.1"]))]
    pub subject_alternative_names: Option<Vec<String>>,
    /// O of the subject.
    #[schema(nullable = false, required = true, min_length = 1, max_length = 64, example = "Example Corp")]
    pub organization: Option<String>,
    /// OU of the subject.
    #[schema(nullable = false, max_length = 64, example = "Engineering")]
    pub organization_unit: Option<String>,
    /// L of the subject.
    #[schema(nullable = false, max_length = 128, example = "Austin")]
    pub city: Option<String>,
    /// ST of the subject.
    #[schema(nullable = false, max_length = 128, example = "Texas")]
    pub state: Option<String>,
    /// C of the subject: two letters, as in ISO 3166-1.
    #[schema(nullable = false, required = true, pattern = "^[A-Za-z]{2}$", example = "US")]
    pub country: Option<String>,
    /// Validity of the certificate in days, from now.
    #[schema(nullable = false, required = true, minimum = 1, maximum = 36500, example = 365)]
    pub valid_days: Option<i32>,
    /// The name of a key algorithm, as the operation `getKeyAlgorithms` lists them.
    #[schema(nullable = false, required = true, example = "RSA")]
    pub key_algorithm: Option<String>,
    /// In bits; the algorithm's default when absent.
    #[schema(nullable = false, example = 2048)]
    pub key_size: Option<i32>,
    /// JCA name; the algorithm's default when absent, which for EC follows the curve.
    #[schema(nullable = false, example = "SHA256withRSA")]
    pub signature_algorithm: Option<String>,
    /// The configured default when absent.
    #[schema(nullable = false)]
    pub crypto_provider: Option<CryptoProvider>,
}

/// Generates a {family} key pair with a self-signed certificate.
///
/// An answer of 5xx means that nothing was made. With an `Idempotency-Key`, a request that is sent again
/// within 24 hours gets the same answer and makes no second key.
#[utoipa::path(
    post, path = "/pf-admin-api/v1/keyPairs/{family}/generate", operation_id = "generate{Family}KeyPair",
    tag = "PingFederate",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, pattern = "^[!-~]{1,255}$",
        description = "A name for this request, unique among those of the caller.")),
    request_body = NewKeyPairSettings,
    responses((status = 201, description = "The key pair that was made.", body = KeyPairView), BodyRefusals, Refusals)
)]
pub(super) async fn generate(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::CreateKey, ApiError>,
    Family(family): Family,
    Idempotency(key, _): Idempotency<ApiError>,
    body: JsonBody<NewKeyPairSettings, ApiError>,
) -> Result<(StatusCode, Json<KeyPairView>), ApiError> {
    let mut wire = body.value;
    if wire.id.is_none() {
        wire.id = Some(id::generate().map_err(Error::from)?);
    }
    let new = match Rules::of(&services, &who, family)?.check(&wire) {
        Ok(new) => new,
        Err(findings) => {
            return Err(with_id_conflict(&services, family, wire.id.as_deref(), Error::invalid(findings)).await);
        }
    };
    let who = who.with_idempotency(idempotency(&services, family, "generate", key, &body.bytes));

    let made = services.keyring.generate(&who, new).await?;
    Ok((StatusCode::CREATED, Json(KeyPairView::of(&made.pair, &services.view_context())?)))
}
