//! Remarks on what was accepted all the same, which answers carry in the header `Strongroom-Remark`.

use std::fmt::Write as _;

use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};

const HEADER: HeaderName = HeaderName::from_static("strongroom-remark");

/// Remarks in one answer, and characters in one of them, that an answer carries at most.
const MOST: usize = 16;
const LONGEST: usize = 400;

/// Sentences about what was sent: signatures that were not verified, certificates that were left out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remarks(pub(crate) Vec<String>);

/// Adds a header for each; characters beyond ASCII are escaped as in JSON.
impl IntoResponseParts for Remarks {
    type Error = std::convert::Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Self::Error> {
        for remark in self.0.iter().take(MOST) {
            tracing::info!(remark, "accepted with a remark");
            if let Ok(value) = HeaderValue::try_from(in_ascii(remark)) {
                response.headers_mut().append(HEADER, value);
            }
        }
        Ok(response)
    }
}

fn in_ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for character in text.chars().take(LONGEST) {
        match character {
            ' '..='~' => ascii.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    let _ = write!(ascii, "\\u{unit:04x}");
                }
            }
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_are_in_ascii_and_bounded() {
        assert_eq!(in_ascii("CN=Zoë 🔑\r\nX: y"), "CN=Zo\\u00eb \\ud83d\\udd11\\u000d\\u000aX: y");
        assert_eq!(in_ascii(&"x".repeat(1 << 20)).len(), LONGEST);
    }
}
