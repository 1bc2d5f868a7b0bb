//! The optional body of a request for keys, in every form in which this product's clients send one.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::ToSchema;

use super::Services;
use super::algorithm::SigningAlg;
use super::error::ApiError;
use crate::http::content_coding::require_identity;
use crate::http::extract::{has_no_body, json_text, parsed};
use crate::http::media_type::MediaType;
use strongroom_domain::error::{Error, ErrorKind};

const SIGNING_ALG: &str = "signing_alg";

/// What keys are asked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct KeysRequest {
    /// How the keys sign. When absent: as the connection's option `token_endpoint_auth_signing_alg` says, else
    /// `RS256`; at a rotation as the key signs that the new one follows.
    #[schema(nullable = false, value_type = Option<SigningAlg>)]
    signing_alg: Option<Value>,
}

/// The algorithm that a body asks for, if any, and the bytes that it was read from.
///
/// Nothing at all (with or without a `Content-Type`), `null`, a JSON object and a form all count.
pub(super) struct AskedAlg {
    pub algorithm: Option<SigningAlg>,
    pub bytes: Bytes,
}

impl FromRequest<Arc<Services>> for AskedAlg {
    type Rejection = ApiError;

    async fn from_request(request: Request, services: &Arc<Services>) -> Result<Self, ApiError> {
        let form = Form::of(&request);
        let bytes = whole(request, services).await?;
        let algorithm = match form {
            _ if bytes.is_empty() => None,
            Form::Json => parsed(services, &bytes, of_json).await?,
            Form::Urlencoded => parsed(services, &bytes, of_form).await?,
            Form::Other => {
                let message = "The Content-Type must be application/json or application/x-www-form-urlencoded.";
                return Err(Error::new(ErrorKind::UnsupportedMediaType, message).into());
            }
        };
        Ok(Self { algorithm, bytes })
    }
}

/// A body that has to be there: one JSON object.
pub(super) struct AuthZeroJson<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<Services>> for AuthZeroJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, services: &Arc<Services>) -> Result<Self, ApiError> {
        let form = Form::of(&request);
        let bytes = whole(request, services).await?;
        match form {
            Form::Json => parsed(services, &bytes, object)
                .await?
                .map(Self)
                .ok_or_else(|| ApiError::invalid_body(None, "Expected an object")),
            Form::Urlencoded | Form::Other => {
                Err(Error::new(ErrorKind::UnsupportedMediaType, "The Content-Type must be application/json.").into())
            }
        }
    }
}

async fn whole(request: Request, services: &Arc<Services>) -> Result<Bytes, ApiError> {
    require_identity(&request)?;
    let bytes = Bytes::from_request(request, services).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Error::new(ErrorKind::TooLarge, "The body is larger than this path allows.")
        } else {
            Error::new(ErrorKind::Malformed, "The body did not arrive whole.").with_source(rejection)
        }
    })?;
    Ok(bytes)
}

/// What a body claims to be; bytes that claim nothing are no JSON.
enum Form {
    Json,
    Urlencoded,
    Other,
}

impl Form {
    fn of(request: &Request) -> Self {
        match MediaType::of(request.headers()) {
            Some(known) if known.is("application/json") => Self::Json,
            Some(known) if known.is("application/x-www-form-urlencoded") => Self::Urlencoded,
            None if has_no_body(request) => Self::Json,
            _ => Self::Other,
        }
    }
}

/// A JSON object, or `null`.
pub(super) fn object<T: DeserializeOwned>(bytes: &[u8]) -> Result<Option<T>, ApiError> {
    let bytes = json_text(bytes)?;
    // serde would take an array for a struct, its members by position.
    if !matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'n')) {
        return Err(ApiError::invalid_body(None, "Expected an object or null"));
    }
    serde_json::from_slice(bytes).map_err(|failure| ApiError::invalid_body(None, failure.to_string()))
}

pub(super) fn of_json(bytes: &[u8]) -> Result<Option<SigningAlg>, ApiError> {
    match object::<KeysRequest>(bytes)?.unwrap_or_default().signing_alg {
        None => Ok(None),
        Some(Value::String(name)) => named(&name).map(Some),
        Some(_) => Err(ApiError::invalid_body(Some(SIGNING_ALG), "Expected type string")),
    }
}

pub(super) fn of_form(bytes: &[u8]) -> Result<Option<SigningAlg>, ApiError> {
    let mut asked = None;
    for (name, value) in form_urlencoded::parse(bytes) {
        if name != SIGNING_ALG {
            return Err(ApiError::invalid_body(None, format!("unknown field `{name}`, expected `{SIGNING_ALG}`")));
        }
        if asked.replace(named(&value)?).is_some() {
            return Err(ApiError::invalid_body(None, format!("duplicate field `{SIGNING_ALG}`")));
        }
    }
    Ok(asked)
}

fn named(name: &str) -> Result<SigningAlg, ApiError> {
    SigningAlg::named(name).map_err(|fault| ApiError::invalid_body(Some(SIGNING_ALG), fault))
}
