//! How people write which key they mean: `CKA_ID` in hex, or a PKCS#11 URI (RFC 7512).

use std::str::FromStr;

use percent_encoding::percent_decode_str;

use strongroom_domain::key::Locator;

#[cfg(test)]
mod tests;

/// Attributes that tell a slot, a module or a make of tokens: the configuration has chosen those.
const ELSEWHERE: [&str; 8] = [
    "manufacturer",
    "model",
    "slot-id",
    "slot-description",
    "slot-manufacturer",
    "library-manufacturer",
    "library-description",
    "library-version",
];

/// Attributes that select an existing key in the token; each given one must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySelector {
    /// `CKA_ID`.
    pub locator: Option<Locator>,
    /// `CKA_LABEL` (`object` of a PKCS#11 URI).
    pub label: Option<String>,
    /// `label` of the token that it is in (`token` of a PKCS#11 URI).
    pub token: Option<String>,
    /// `serialNumber` of that token (`serial` of a PKCS#11 URI).
    pub serial: Option<String>,
}

/// A text that names no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidKeySelector(String);

impl FromStr for KeySelector {
    type Err = InvalidKeySelector;

    fn from_str(text: &str) -> Result<Self, InvalidKeySelector> {
        match text.strip_prefix("pkcs11:") {
            Some(path) => uri(path),
            None => hex(text).and_then(|id| locator(&id)).map(|id| Self { locator: Some(id), ..Self::default() }),
        }
    }
}

fn uri(path: &str) -> Result<KeySelector, InvalidKeySelector> {
    let refuse = |why: String| Err(InvalidKeySelector(why));
    if path.contains('?') {
        return refuse("query attributes are not accepted".to_owned());
    }
    let mut wanted = KeySelector::default();
    let mut seen: Vec<&str> = Vec::new();
    for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
        let Some((name, value)) = attribute.split_once('=') else {
            return refuse(format!("`{attribute}` has no value"));
        };
        if seen.contains(&name) {
            return refuse(format!("`{name}` is given twice"));
        }
        seen.push(name);
        let bytes = decoded(name, value)?;
        match name {
            "id" => wanted.locator = Some(locator(&bytes)?),
            "object" => wanted.label = Some(text(name, bytes)?),
            "token" => wanted.token = Some(text(name, bytes)?),
            "serial" => wanted.serial = Some(text(name, bytes)?),
            "type" if bytes == b"private" => {}
            "type" => return refuse("`type` must be `private`".to_owned()),
            other if ELSEWHERE.contains(&other) => {}
            other => return refuse(format!("`{other}` names no key; `id` and `object` do")),
        }
    }
    if wanted.locator.is_none() && wanted.label.is_none() {
        return refuse("the URI names neither `id` nor `object`".to_owned());
    }
    Ok(wanted)
}

fn decoded(name: &str, value: &str) -> Result<Vec<u8>, InvalidKeySelector> {
    let complete = |escape: &str| escape.len() >= 2 && escape.bytes().take(2).all(|digit| digit.is_ascii_hexdigit());
    if value.split('%').skip(1).all(complete) {
        Ok(percent_decode_str(value).collect())
    } else {
        Err(InvalidKeySelector(format!("`{name}` has a `%` without two hexadecimal digits")))
    }
}

fn text(name: &str, bytes: Vec<u8>) -> Result<String, InvalidKeySelector> {
    String::from_utf8(bytes).map_err(|_| InvalidKeySelector(format!("`{name}` is not UTF-8")))
}

fn locator(bytes: &[u8]) -> Result<Locator, InvalidKeySelector> {
    Locator::from_bytes(bytes).map_err(|_| InvalidKeySelector("CKA_ID must be 1 to 255 bytes".to_owned()))
}

fn hex(text: &str) -> Result<Vec<u8>, InvalidKeySelector> {
    let fault = || InvalidKeySelector("neither CKA_ID in hex nor a PKCS#11 URI".to_owned());
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return Err(fault());
    }
    let pairs = (0..text.len()).step_by(2).filter_map(|at| text.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair, 16).ok().filter(|_| !pair.starts_with('+')).ok_or_else(fault)).collect()
}
