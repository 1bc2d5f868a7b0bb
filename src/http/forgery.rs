//! Forged requests: caused by another site's page, with the Basic credentials that a browser adds by itself.
//!
//! No page can add `X-XSRF-Header` to a request to another site: browsers ask first, and are not answered (Fetch,
//! section CORS protocol). Instead of it, a browser's word counts that the page is of the daemon's own origin.

use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::request::Parts;
use axum::http::uri::Authority;

use crate::auth::AuthScheme;

/// What a refusal says of the header that is missing.
pub(crate) const HEADER_MISSING: &str = "requests with Basic credentials need the header X-XSRF-Header, with any value";

const XSRF_HEADER: HeaderName = HeaderName::from_static("x-xsrf-header");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a page of another site may have caused a request whose credentials were presented in this way.
pub(crate) fn is_possible(scheme: AuthScheme, head: &Parts) -> bool {
    match scheme {
        // No browser adds a bearer token by itself.
        AuthScheme::Bearer => false,
        AuthScheme::Basic => !has_xsrf_header(head) && !is_of_own_origin(head),
    }
}

fn has_xsrf_header(head: &Parts) -> bool {
    head.headers.get(XSRF_HEADER).is_some_and(|value| !value.is_empty())
}

/// Whether a browser says that its user or a page of the daemon's own origin caused the request.
fn is_of_own_origin(head: &Parts) -> bool {
    if !head.headers.contains_key(SEC_FETCH_SITE) {
        // Browsers leave it out where the daemon is reached without TLS and not on loopback.
        return origin_is_host(head);
    }
    match only(head, &SEC_FETCH_SITE) {
        Some("same-origin") => true,
        // The user typed the address, of this daemon or of a site that redirects to it.
        Some("none") => head.method.is_safe(),
        _ => false,
    }
}

/// Whether `Origin` (RFC 6454 section 7) names the host and port that the request was sent to.
fn origin_is_host(head: &Parts) -> bool {
    let origin = only(head, &ORIGIN).and_then(|origin| origin.split_once("://"));
    let host = head.uri.authority().map(Authority::as_str).or_else(|| only(head, &HOST));
    matches!((origin, host), (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host))
}

/// The value of a header that is there once.
fn only<'a>(head: &'a Parts, name: &HeaderName) -> Option<&'a str> {
    let mut values = head.headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none()).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use axum::http::Request;

    use super::*;

    fn possible(method: &str, uri: &str, headers: &[(&str, &str)]) -> bool {
        let request = Request::builder().method(method).uri(uri);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let (head, ()) = request.body(()).unwrap().into_parts();
        assert!(!is_possible(AuthScheme::Bearer, &head));
        is_possible(AuthScheme::Basic, &head)
    }

    #[test]
    fn origin_has_to_be_the_host_that_was_asked() {
        let table = [
            ("http://keys.example:9980", "keys.example:9980", false),
            ("https://Keys.Example", "keys.example", false),
            ("http://[::1]:9980", "[::1]:9980", false),
            ("http://keys.example:9981", "keys.example:9980", true),
            ("http://keys.example", "keys.example:9980", true),
            ("http://keys.example.attacker.example", "keys.example", true),
            ("http://attacker.example", "keys.example", true),
            ("keys.example", "keys.example", true),
            ("null", "null", true),
            ("null", "keys.example", true),
            ("", "", true),
        ];
        for (origin, host, forged) in table {
            assert_eq!(possible("POST", "/", &[("origin", origin), ("host", host)]), forged, "{origin} {host}");
        }
        let own = ("origin", "http://keys.example");
        assert!(possible("POST", "/", &[own]), "no host");
        assert!(!possible("POST", "http://keys.example/", &[own]), "HTTP/2 has the host in its target");
        assert!(possible("POST", "/", &[own, ("host", "keys.example"), ("origin", "http://attacker.example")]));
    }

    #[test]
    fn fetch_metadata_decides_where_it_is_there() {
        let own = [("origin", "http://keys.example"), ("host", "keys.example")];
        for (site, get, post) in [
            ("same-origin", false, false),
            ("none", false, true),
            ("same-site", true, true),
            ("cross-site", true, true),
            ("", true, true),
            ("Same-Origin", true, true),
        ] {
            let headers = [own[0], own[1], ("sec-fetch-site", site)];
            assert_eq!(possible("GET", "/", &headers), get, "{site}");
            assert_eq!(possible("HEAD", "/", &headers), get, "{site}");
            assert_eq!(possible("POST", "/", &headers), post, "{site}");
            assert_eq!(possible("DELETE", "/", &headers), post, "{site}");
        }
        let twice = [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")];
        assert!(possible("GET", "/", &twice));
    }

    #[test]
    fn any_value_of_the_header_will_do() {
        assert!(possible("GET", "/", &[]));
        assert!(possible("GET", "/", &[("x-xsrf-header", "")]));
        for value in ["PingFederate", "pingfederate", "x"] {
            assert!(!possible("POST", "/", &[("x-xsrf-header", value), ("sec-fetch-site", "cross-site")]));
        }
    }
}
