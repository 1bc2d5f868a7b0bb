//! JWS by a key, or by the Active key of a ring.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::input::{decode, one_of};
use crate::auth::Caller;
use crate::http::Services;
use crate::services::signing::{Claims, JwsInput, Payload, Target};
use strongroom_domain::error::Error;
use strongroom_formats::json::JsonText;

/// A JWS to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct JwsRequest {
    /// JOSE or JCA name; the key's own algorithm when absent.
    #[schema(nullable = false, example = "ES256")]
    algorithm: Option<String>,
    /// Any JSON but null. Signed as it comes, but for blanks between tokens, which are left out; exactly one of `payload` and `payloadBytes`.
    #[schema(nullable = false, value_type = Option<Object>, example = json!({"sub": "orders"}))]
    payload: Option<JsonText>,
    /// Base64 or base64url, at most 64 KiB of bytes.
    #[schema(nullable = false)]
    payload_bytes: Option<String>,
    /// Protected headers: `typ`, `cty` and private names.
    #[schema(nullable = false, value_type = Option<Object>, example = json!({"typ": "JWT"}))]
    headers: Option<JsonText>,
    /// Leave the payload out of the answer (RFC 7515 appendix F).
    #[serde(default)]
    detached: bool,
    /// Fill in the claim `iat`: now.
    #[serde(default)]
    issued_at: bool,
    /// Fill in the claim `exp`: this many seconds from now.
    #[schema(nullable = false, example = 300)]
    expires_in: Option<u32>,
    /// Fill in the claim `jti`: a random UUID.
    #[serde(default)]
    token_id: bool,
}

/// A JWS.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JwsAnswer {
    /// Compact serialization (RFC 7515 section 7.1).
    jws: String,
}

/// Makes a JWS.
pub(super) async fn jws(
    services: &Services,
    caller: &Caller,
    target: &Target,
    request: JwsRequest,
) -> Result<JwsAnswer, Error> {
    let payload = match (request.payload, &request.payload_bytes) {
        (Some(json), None) => Payload::Json(json),
        (None, Some(bytes)) => Payload::Bytes(decode("payloadBytes", bytes)?),
        _ => return Err(one_of("payload", "payloadBytes")),
    };
    let order = JwsInput {
        algorithm: request.algorithm,
        payload,
        headers: request.headers,
        claims: Claims { issued_at: request.issued_at, expires_in: request.expires_in, token_id: request.token_id },
        detached: request.detached,
    };
    Ok(JwsAnswer { jws: services.signing.jws(caller, target, order).await? })
}
