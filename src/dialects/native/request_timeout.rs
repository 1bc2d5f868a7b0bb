//! How long a client waits: the header `Request-Timeout`.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use utoipa::IntoParams;

use super::error::Problem;
use crate::auth::Caller;
use crate::http::Services;
use crate::http::extract::{Asked, Call};
use strongroom_domain::error::{Error, ErrorKind};

const HEADER: &str = "request-timeout";

/// What a client says of its patience.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code, reason = "stands in the document only")]
pub(super) struct RequestTimeout {
    /// Seconds that the client waits, at most those of the configuration, which hold without it. What is not done
    /// by then is answered with 503, and the token is no longer asked.
    #[param(rename = "Request-Timeout", nullable = false, pattern = r"^[0-9]{1,9}(\.[0-9]{1,9})?$", example = "2.5")]
    request_timeout: Option<String>,
}

/// A caller who may do the action `A`, and waits for it no longer than it says.
pub(super) struct SigningCall<A>(pub Caller, pub PhantomData<A>);

impl<A: Asked> FromRequestParts<Arc<Services>> for SigningCall<A> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, services: &Arc<Services>) -> Result<Self, Problem> {
        let begun = Instant::now();
        let Call(caller, _) = Call::<A, Problem>::from_request_parts(parts, services).await?;
        let patience = request_timeout(&parts.headers, services.sign_deadline)?;
        Ok(Self(caller.with_deadline(begun + patience), PhantomData))
    }
}

/// How long the client of these headers waits: `most` unless it says less.
///
/// # Errors
/// `Malformed`.
pub(super) fn request_timeout(headers: &HeaderMap, most: Duration) -> Result<Duration, Error> {
    let mut given = headers.get_all(HEADER).iter();
    let (first, second) = (given.next(), given.next());
    let Some(first) = first else { return Ok(most) };
    let seconds = first.to_str().ok().filter(|text| second.is_none() && is_decimal(text));
    let asked =
        seconds.and_then(|text| text.parse().ok()).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    asked.filter(|asked| !asked.is_zero() && *asked <= most).ok_or_else(|| {
        let most = most.as_secs_f64();
        let message =
            format!("the header Request-Timeout must be seconds, more than 0 and at most {most}: 2 or 0.5, say");
        Error::new(ErrorKind::Malformed, message)
    })
}

/// Digits, and no more than one dot, which stands between some of them.
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part),
        None => digits(text),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn said(values: &[&str]) -> Result<Duration, ErrorKind> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, value.parse().unwrap());
        }
        request_timeout(&headers, Duration::from_secs(30)).map_err(|refused| refused.kind())
    }

    #[test]
    fn seconds_are_whole_or_decimal_and_no_more_than_configured() {
        assert_eq!(said(&[]), Ok(Duration::from_secs(30)));
        for (text, millis) in [("1", 1000), ("30", 30_000), ("0.25", 250), ("007.5", 7500), ("0.001", 1)] {
            assert_eq!(said(&[text]), Ok(Duration::from_millis(millis)), "{text}");
        }
        let bad =
            ["0", "0.0", "30.001", "31", "-1", "+1", "1e1", "1.", ".5", "1,5", "1s", "", " ", "inf", "NaN", "0x1"];
        for text in bad.into_iter().chain(["1 ", "1.5.1", "9999999999", "0.00000000001"]) {
            assert_eq!(said(&[text]), Err(ErrorKind::Malformed), "{text:?}");
        }
        assert_eq!(said(&["1", "1"]), Err(ErrorKind::Malformed));
    }
}
