//! What a connection may say.

use super::algorithm::SigningAlg;
use super::connections::NewConnection;
use super::error::ApiError;
use super::options::ConnectionOptions;
use crate::services::settings::Connection;
use strongroom_formats::json::{JsonObject, JsonText};

/// The longest name of a connection, in characters.
pub(super) const LONGEST_NAME: usize = 128;
pub(super) const AUTH_METHOD: &str = "token_endpoint_auth_method";
pub(super) const SIGNING_ALG: &str = "token_endpoint_auth_signing_alg";
pub(super) const PRIVATE_KEY_JWT: &str = "private_key_jwt";

const AUTH_METHODS: [&str; 2] = ["client_secret_post", PRIVATE_KEY_JWT];
/// Parts of the names of options that hold secrets.
const SECRETS: [&str; 3] = ["secret", "password", "private_key"];
const ENCRYPTION: &str = "id_token_encrypted_response_alg";

/// Whether connections of a strategy have keys.
pub(super) fn has_keys(strategy: &str) -> bool {
    matches!(strategy, "oidc" | "okta")
}

/// The connection that is asked for.
pub(super) fn connection(wire: NewConnection) -> Result<Connection, ApiError> {
    let NewConnection { name, strategy, display_name, options } = wire;
    let whole = name.split('-').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if !whole || name.len() > LONGEST_NAME {
        let fault = "Must be 1 to 128 letters and digits, with single hyphens between them";
        return Err(ApiError::invalid_body(Some("name"), fault));
    }
    let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if !(1..=64).contains(&strategy.len()) || !strategy.bytes().all(known) {
        let fault = "Must be 1 to 64 lower-case letters, digits and hyphens: oidc or okta for a connection with keys";
        return Err(ApiError::invalid_body(Some("strategy"), fault));
    }
    self::display_name(display_name.as_deref())?;
    Ok(Connection { name, strategy, display_name, options: self::options(options.unwrap_or_default())? })
}

pub(super) fn display_name(name: Option<&str>) -> Result<(), ApiError> {
    if name.is_none_or(|name| (1..=LONGEST_NAME).contains(&name.chars().count())) {
        return Ok(());
    }
    Err(ApiError::invalid_body(Some("display_name"), "Must be 1 to 128 characters"))
}

/// The options as they are kept.
pub(super) fn options(options: ConnectionOptions) -> Result<JsonObject, ApiError> {
    let place = |name: &str| format!("options.{name}");
    let ConnectionOptions { token_endpoint_auth_method: method, token_endpoint_auth_signing_alg: algorithm, others } =
        options;
    if let Some(name) =
        others.members().map(|(name, _)| name).find(|name| SECRETS.iter().any(|secret| name.contains(secret)))
    {
        return Err(ApiError::invalid_body(Some(&place(name)), "Secrets are not kept here; leave it out"));
    }
    if others.get(ENCRYPTION).is_some() {
        let fault = "Keys that decrypt are not made for connections; leave it out";
        return Err(ApiError::invalid_body(Some(&place(ENCRYPTION)), fault));
    }
    if let Some(method) = method.as_deref().filter(|method| !AUTH_METHODS.contains(method)) {
        let fault = format!("No enum match for: {method}; it must be one of {}", AUTH_METHODS.join(", "));
        return Err(ApiError::invalid_body(Some(&place(AUTH_METHOD)), fault));
    }
    if let Some(Err(fault)) = algorithm.as_deref().map(SigningAlg::named) {
        return Err(ApiError::invalid_body(Some(&place(SIGNING_ALG)), fault));
    }
    let known = [(AUTH_METHOD, method), (SIGNING_ALG, algorithm)];
    let known = known.into_iter().filter_map(|(name, value)| Some((name.to_owned(), JsonText::of_string(&value?))));
    Ok(known.chain(others).collect())
}
