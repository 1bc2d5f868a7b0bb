//! The type that a body claims to have: `Content-Type` (RFC 9110 section 8.3).

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;

/// A type of content with its parameters, as it was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MediaType<'a>(&'a str);

impl<'a> MediaType<'a> {
    /// The type that headers name; `None` where they name none, several, or one that is not ASCII.
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(CONTENT_TYPE).iter();
        let value = values.next().filter(|_| values.next().is_none())?;
        value.to_str().ok().map(Self)
    }

    /// Whether it is the type of this name, whatever its parameters.
    pub(crate) fn is(self, name: &str) -> bool {
        self.essence().eq_ignore_ascii_case(name)
    }

    /// Whether it is JSON (RFC 8259), or a type on top of it (RFC 6839 section 3.1).
    pub(crate) fn is_json(self) -> bool {
        let essence = self.essence();
        let starts = |prefix: &str| essence.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        let suffix = essence.len().checked_sub("+json".len()).and_then(|at| essence.get(at..));
        self.is("application/json")
            || self.is("text/json")
            || (starts("application/") && suffix.is_some_and(|suffix| suffix.eq_ignore_ascii_case("+json")))
    }

    /// Whether every parameter says that the text is UTF-8.
    pub(crate) fn is_plain_utf_8(self) -> bool {
        let names = ["charset=utf-8", "charset=\"utf-8\"", ""];
        self.0
            .split(';')
            .skip(1)
            .map(str::trim)
            .all(|parameter| names.iter().any(|name| parameter.eq_ignore_ascii_case(name)))
    }

    /// Type and subtype.
    pub(crate) fn essence(self) -> &'a str {
        self.0.split(';').next().unwrap_or_default().trim()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn is_json(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(CONTENT_TYPE, value.parse().unwrap());
        }
        MediaType::of(&headers).is_some_and(MediaType::is_json)
    }

    #[test]
    fn json_has_many_names_and_one_header() {
        let json = ["application/json", "Application/JSON; charset=utf-8", "text/json", "application/vnd.example+JSON"];
        for value in json {
            assert!(is_json(&[value]), "{value}");
        }
        for value in
            ["text/plain", "", "json", "+json", "text/x+json", "multipart/form-data; boundary=application/json"]
        {
            assert!(!is_json(&[value]), "{value}");
        }
        assert!(!is_json(&[]));
        assert!(!is_json(&["application/json", "application/json"]));
    }

    #[test]
    fn parameters_other_than_utf_8_are_noticed() {
        let plain = |value| MediaType(value).is_plain_utf_8();
        for value in ["a/b", "a/b;", "a/b; charset=UTF-8", "a/b;charset=\"utf-8\";"] {
            assert!(plain(value), "{value}");
        }
        for value in ["a/b; charset=latin1", "a/b; q=1", "a/b; charset=utf-8; q=1"] {
            assert!(!plain(value), "{value}");
        }
    }
}
