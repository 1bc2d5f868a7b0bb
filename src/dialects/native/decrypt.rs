//! Decryption by a key, or by the Active key of a ring.

use serde::{Deserialize, Serialize, Serializer};
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::input::{decode, encode};
use crate::auth::Caller;
use crate::http::Services;
use crate::services::signing::Target;
use strongroom_domain::error::Error;

/// A ciphertext to be decrypted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DecryptRequest {
    /// `RSA-OAEP` (with SHA-1) or `RSA-OAEP-256`, with an empty label.
    #[schema(example = "RSA-OAEP-256")]
    algorithm: String,
    /// Base64 or base64url, as long as the key's modulus.
    ciphertext: String,
}

/// What was encrypted.
#[derive(Serialize, ToSchema)]
pub(super) struct DecryptAnswer {
    /// Public name of the key that decrypted.
    kid: String,
    /// As it was asked for.
    #[schema(example = "RSA-OAEP-256")]
    algorithm: String,
    /// Base64.
    #[serde(serialize_with = "in_clear")]
    #[schema(value_type = String)]
    plaintext: Zeroizing<String>,
}

/// Decrypts one ciphertext.
pub(super) async fn decrypt(
    services: &Services,
    caller: &Caller,
    target: &Target,
    request: DecryptRequest,
) -> Result<DecryptAnswer, Error> {
    let DecryptRequest { algorithm, ciphertext } = request;
    let ciphertext = decode("ciphertext", &ciphertext)?;
    let (key, plaintext) = services.signing.decrypt(caller, target, &algorithm, ciphertext).await?;
    let plaintext = Zeroizing::new(encode(plaintext.expose()));
    Ok(DecryptAnswer { kid: key.kid.to_string(), algorithm, plaintext })
}

fn in_clear<S: Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}
