//! Bytes on the wire: base64 in either alphabet, what is to be signed, JSON without surprises.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};
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

/// Any JSON value in which no object has a member twice: RFC 8259 leaves it open which of
/// the two counts, and what is signed must not be open to reading.
#[derive(Clone, Debug)]
pub(super) struct Strict(pub Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Strict;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Strict, E> {
        Ok(Strict(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Strict, E> {
        Number::from_f64(value).map(|number| Strict(number.into())).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Strict, E> {
        Ok(Strict(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Strict, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = entries.next_element()? {
            values.push(value);
        }
        Ok(Strict(values.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Strict, A::Error> {
        let mut object = Map::new();
        while let Some((name, Strict(value))) = members.next_entry::<String, Strict>()? {
            if object.insert(name.clone(), value).is_some() {
                return Err(A::Error::custom(format!("duplicate member {name:?}")));
            }
        }
        Ok(Strict(object.into()))
    }
}
