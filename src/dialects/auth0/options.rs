//! The options of a connection on the wire.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::algorithm::SigningAlg;
use super::rules::{AUTH_METHOD, SIGNING_ALG};
use strongroom_formats::json::{JsonObject, JsonText};

/// Options of a connection. Secrets are refused; what is not named here is kept and shown, and means nothing.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(super) struct ConnectionOptions {
    /// With `private_key_jwt` the connection has keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "private_key_jwt")]
    pub(super) token_endpoint_auth_method: Option<String>,
    /// How its keys sign where a request for keys does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<SigningAlg>)]
    pub(super) token_endpoint_auth_signing_alg: Option<String>,
    #[serde(flatten)]
    #[schema(value_type = serde_json::Map<String, serde_json::Value>)]
    pub(super) others: JsonObject,
}

/// Written by hand: serde's `flatten` reads numbers before anybody sees their digits.
impl<'de> Deserialize<'de> for ConnectionOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OptionsVisitor)
    }
}

struct OptionsVisitor;

impl<'de> Visitor<'de> for OptionsVisitor {
    type Value = ConnectionOptions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("struct ConnectionOptions")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ConnectionOptions, A::Error> {
        let (mut method, mut algorithm, mut others) = (None, None, JsonObject::default());
        while let Some(name) = members.next_key::<String>()? {
            let is_new = match name.as_str() {
                AUTH_METHOD => method.replace(members.next_value()?).is_none(),
                SIGNING_ALG => algorithm.replace(members.next_value()?).is_none(),
                _ => others.add(name.clone(), members.next_value::<JsonText>()?),
            };
            if !is_new {
                return Err(A::Error::custom(format!("duplicate field `{name}`")));
            }
        }
        let (token_endpoint_auth_method, token_endpoint_auth_signing_alg) = (method.flatten(), algorithm.flatten());
        Ok(ConnectionOptions { token_endpoint_auth_method, token_endpoint_auth_signing_alg, others })
    }
}
