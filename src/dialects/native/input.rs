//! Bytes on the wire: base64 in either alphabet, what is to be signed.

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::services::signing::SignInput;
use strongroom_domain::error::{Error, Rule, Violation};

const EITHER_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, EITHER_PADDING);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, EITHER_PADDING);

/// What is to be signed: exactly one of the two.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Item {
    /// Base64 or base64url; at most 64 KiB of bytes.
    #[schema(nullable = false, example = "aGVsbG8=")]
    pub message: Option<String>,
    /// Base64 or base64url; as long as the algorithm's hash.
    #[schema(nullable = false)]
    pub digest: Option<String>,
}

impl Item {
    /// Bytes of its text.
    pub(super) fn length(&self) -> usize {
        [&self.message, &self.digest].into_iter().flatten().map(String::len).sum()
    }

    /// The input that it stands for.
    ///
    /// # Errors
    /// `Invalid` at `message` or `digest`.
    pub(super) fn read(&self) -> Result<SignInput, Error> {
        match (&self.message, &self.digest) {
            (Some(message), None) => Ok(SignInput::Message(decode("message", message)?)),
            (None, Some(digest)) => Ok(SignInput::Digest(decode("digest", digest)?)),
            _ => Err(one_of("message", "digest")),
        }
    }
}

/// The bytes of a text in base64 or base64url, padded or not.
///
/// # Errors
/// `Invalid` at `path`.
pub(super) fn decode(path: &str, text: &str) -> Result<Vec<u8>, Error> {
    let engine = if text.contains(['-', '_']) { BASE64URL } else { BASE64 };
    engine
        .decode(text)
        .map_err(|_| Error::invalid(vec![Violation::at(path, Rule::InvalidValue, "must be base64 or base64url.")]))
}

/// Base64 with padding.
pub(super) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Both or neither of two members are there.
pub(super) fn one_of(one: &str, other: &str) -> Error {
    let message = format!("exactly one of {one} and {other} must be there.");
    Error::invalid(vec![Violation::at(one, Rule::Required, message)])
}
