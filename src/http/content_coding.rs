//! Content codings of bodies (RFC 9110 section 8.4): none is taken here, and a refusal says so.

use axum::body::HttpBody as _;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_ENCODING;

use strongroom_domain::error::{Error, ErrorKind};

/// A body under a content coding; its refusal says which would be taken (RFC 9110 section 15.5.16).
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the body is under a content coding")]
pub(crate) struct UnsupportedCoding;

/// Passes where a request has no body, or one that is not encoded.
///
/// # Errors
/// `UnsupportedMediaType`, caused by [`UnsupportedCoding`].
pub(crate) fn require_identity(request: &Request) -> Result<(), Error> {
    if request.body().is_end_stream() { Ok(()) } else { check(request.headers()) }
}

fn check(headers: &HeaderMap) -> Result<(), Error> {
    let codings = headers.get_all(CONTENT_ENCODING).iter();
    let codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let Some(coding) =
        codings.filter(|coding| !coding.is_empty()).find(|coding| !coding.eq_ignore_ascii_case(b"identity"))
    else {
        return Ok(());
    };
    let coding: String = String::from_utf8_lossy(coding).chars().filter(|each| !each.is_control()).take(40).collect();
    let message = format!("the body has the Content-Encoding {coding}, where a body without one is accepted");
    Err(Error::new(ErrorKind::UnsupportedMediaType, message).with_source(UnsupportedCoding))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn refusal(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_ENCODING, value.parse().unwrap());
        }
        check(&headers).err().map(|error| error.public().to_owned())
    }

    #[test]
    fn every_coding_but_identity_is_named() {
        for plain in [&[][..], &["identity"], &["Identity"], &[""], &["identity, identity"], &["identity", ""]] {
            assert_eq!(refusal(plain), None, "{plain:?}");
        }
        for (values, named) in [
            (&["gzip"][..], "gzip"),
            (&["identity, br"], "br"),
            (&["identity", "zstd"], "zstd"),
            (&["DEFLATE"], "DEFLATE"),
        ] {
            assert!(refusal(values).unwrap().contains(named), "{values:?}");
        }
    }
}
