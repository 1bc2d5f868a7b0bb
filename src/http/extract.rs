//! What handlers ask of a request, refused in the words of their dialect.

mod permission;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::marker::PhantomData;

use axum::body::{Bytes, HttpBody as _};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Path, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::at_most;
use super::content_coding::require_identity;
use super::dialect::DialectError;
use super::media_type::MediaType;
use super::{ServiceState, Services};
use strongroom_domain::error::{Error, ErrorKind, Rule, Violation};

pub(crate) use permission::{Asked, Call, Presented, asked, presented};

const IDEMPOTENCY_HEADER: &str = "idempotency-key";

/// The one variable segment of a path, percent-decoded.
pub(crate) struct PathSegment<E>(pub String, pub PhantomData<E>);

impl<S: ServiceState, E: DialectError> FromRequestParts<S> for PathSegment<E> {
    type Rejection = E;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, E> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| Error::new(ErrorKind::Malformed, "the path is not UTF-8").with_source(rejection))?;
        Ok(Self(text, PhantomData))
    }
}

/// The `Idempotency-Key` of a request, where it has one.
pub(crate) struct Idempotency<E>(pub Option<String>, pub PhantomData<E>);

impl<S: ServiceState, E: DialectError> FromRequestParts<S> for Idempotency<E> {
    type Rejection = E;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, E> {
        let Some(value) = parts.headers.get(IDEMPOTENCY_HEADER) else { return Ok(Self(None, PhantomData)) };
        let visible = value.as_bytes().iter().all(u8::is_ascii_graphic);
        let key = value.to_str().ok().filter(|_| visible && (1..=255).contains(&value.len()));
        let key = key.ok_or_else(|| {
            Error::new(ErrorKind::Malformed, "the header Idempotency-Key must be 1 to 255 visible ASCII characters")
        })?;
        Ok(Self(Some(key.to_owned()), PhantomData))
    }
}

/// A JSON object, read, and the bytes that it was read from.
pub(crate) struct JsonBody<T, E> {
    pub value: T,
    pub bytes: Bytes,
    dialect: PhantomData<E>,
}

impl<T: DeserializeOwned + Send + 'static, S: ServiceState, E: DialectError> FromRequest<S> for JsonBody<T, E> {
    type Rejection = E;

    async fn from_request(request: Request, state: &S) -> Result<Self, E> {
        if !is_json(&request) {
            let message = "the body must be JSON, with the Content-Type application/json";
            return Err(Error::new(ErrorKind::UnsupportedMediaType, message).into());
        }
        let bytes = read_body(request, state).await?;
        Ok(Self { value: parsed(state.services(), &bytes, parse_json).await?, bytes, dialect: PhantomData })
    }
}

impl<T: DeserializeOwned + Send + 'static, S: ServiceState, E: DialectError> OptionalFromRequest<S> for JsonBody<T, E> {
    type Rejection = E;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, E> {
        if request.body().is_end_stream() {
            return Ok(None);
        }
        <Self as FromRequest<S>>::from_request(request, state).await.map(Some)
    }
}

/// The bytes of a body.
///
/// # Errors
/// `TooLarge`; `Malformed` when it ends too soon; `UnsupportedMediaType` under a content coding.
pub(crate) async fn read_body<S: ServiceState>(request: Request, state: &S) -> Result<Bytes, Error> {
    require_identity(&request)?;
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Error::new(ErrorKind::TooLarge, "the body is larger than this path allows")
        } else {
            Error::new(ErrorKind::Malformed, "the body did not arrive whole").with_source(rejection)
        }
    })
}

/// The value that `parse` finds in a body; a large one is read in the pool for documents.
///
/// # Errors
/// Those of `parse`; `Busy` when too many bodies wait.
pub(crate) async fn parsed<T: Send + 'static, F: From<Error> + Send + 'static>(
    services: &Services,
    body: &Bytes,
    parse: fn(&[u8]) -> Result<T, F>,
) -> Result<T, F> {
    let held = body.clone();
    services.documents.run_sized(body.len(), move || parse(&held)).await?
}

/// Whether the body claims to be JSON, or is none.
fn is_json(request: &Request) -> bool {
    MediaType::of(request.headers()).map_or_else(|| has_no_body(request), MediaType::is_json)
}

/// Whether there is neither a body nor a word of its type.
pub(crate) fn has_no_body(request: &Request) -> bool {
    !request.headers().contains_key(CONTENT_TYPE) && request.body().is_end_stream()
}

/// The text of a JSON body, without the byte order mark that some clients send (RFC 8259 section 8.1).
///
/// # Errors
/// `Malformed` when it is in UTF-16 or UTF-32.
pub(crate) fn json_text(bytes: &[u8]) -> Result<&[u8], Error> {
    const UTF_8: &[u8] = b"\xef\xbb\xbf";
    let wide: [&[u8]; 5] = [b"\xfe\xff", b"\xff\xfe", b"\0\0\xfe\xff", b"{\0", b"\0{"];
    if wide.iter().any(|beginning| bytes.starts_with(beginning)) {
        let message = "the body is in UTF-16 or UTF-32, by its byte order mark or first bytes: JSON must be in UTF-8";
        return Err(Error::new(ErrorKind::Malformed, message));
    }
    Ok(bytes.strip_prefix(UTF_8).unwrap_or(bytes))
}

/// Reads one JSON object; wire structs refuse unknown and repeated members themselves.
///
/// # Errors
/// `Malformed`, with the place in the body; `Invalid` where a list is too long.
pub(crate) fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let bytes = json_text(bytes)?;
    // serde would take an array for a struct, its members by position.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Error::new(ErrorKind::Malformed, "the body must be a JSON object"));
    }
    // To keep track of the path costs a third of the reading; it is wanted only for refusals.
    if let Ok(value) = serde_json::from_slice(bytes) {
        return Ok(value);
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|failure| {
        let path = failure.path().to_string();
        // A question mark stands for a place that was not reached.
        let path = path.trim_end_matches('?').trim_end_matches('.');
        let text = failure.inner().to_string();
        if let Some(too_long) = at_most::refusal_in(&text) {
            let list = path.rsplit_once('[').map_or(path, |(list, _)| list);
            return Error::invalid(vec![Violation::at(list, Rule::TooLong, too_long)]);
        }
        let place = if path.is_empty() { String::new() } else { format!(" at {path}") };
        let why = in_json_words(&text);
        Error::new(ErrorKind::Malformed, format!("the body cannot be read{place}: {why}"))
    })?;
    json.end().map_err(|failure| Error::new(ErrorKind::Malformed, format!("the body cannot be read: {failure}")))?;
    Ok(value)
}

/// What serde says of a wrong type, with JSON's names in the place of Rust's.
fn in_json_words(text: &str) -> String {
    // Only the first part repeats what was sent.
    let Some((found, rest)) = text.rsplit_once(", expected ") else { return text.to_owned() };
    let (expected, place) = rest.find(" at line ").map_or((rest, ""), |at| rest.split_at(at));
    let found = match found.strip_prefix("invalid type: ") {
        Some("map") => "invalid type: object".to_owned(),
        Some("sequence") => "invalid type: array".to_owned(),
        _ => found.replacen(": floating point `", ": number `", 1),
    };
    format!("{found}, expected {}{place}", expectation(expected))
}

fn expectation(expected: &str) -> Cow<'_, str> {
    let integer = |range: &str| Cow::Owned(format!("an integer from {range}"));
    match expected {
        "a map" | "map" => "an object".into(),
        "a sequence" | "sequence" => "an array".into(),
        "string or map" | "variant identifier" => "a string".into(),
        "u8" => integer("0 to 255"),
        "u16" => integer("0 to 65535"),
        "u32" => integer("0 to 4294967295"),
        "u64" | "usize" => integer("0 to 18446744073709551615"),
        "i32" => integer("-2147483648 to 2147483647"),
        "i64" => integer("-9223372036854775808 to 9223372036854775807"),
        "f64" => "a number".into(),
        _ if expected.starts_with("struct ") => "an object".into(),
        _ if expected.starts_with("enum ") => "a string".into(),
        _ => expected.into(),
    }
}
