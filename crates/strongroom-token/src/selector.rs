//! Which token is meant: by label, serial number, slot, or PKCS#11 URI (RFC 7512).

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// How one token is told from the others; exactly one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenSelector {
    /// `CK_TOKEN_INFO`'s label, trailing blanks left out.
    Label(String),
    /// `CK_TOKEN_INFO`'s serialNumber.
    Serial(String),
    /// Label and serial of a PKCS#11 URI (RFC 7512); each given part must match.
    Uri { token: Option<String>, serial: Option<String>, manufacturer: Option<String>, model: Option<String> },
    /// The slot's number: a last resort, because slots are renumbered.
    SlotId(u64),
}

/// The selector as an operator would say it.
impl fmt::Display for TokenSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> = match self {
            Self::Label(label) => vec![format!("label {label:?}")],
            Self::Serial(serial) => vec![format!("serial {serial:?}")],
            Self::SlotId(id) => vec![format!("slot {id}")],
            Self::Uri { token, serial, manufacturer, model } => {
                [("label", token), ("serial", serial), ("manufacturer", manufacturer), ("model", model)]
                    .into_iter()
                    .filter_map(|(name, value)| value.as_ref().map(|value| format!("{name} {value:?}")))
                    .collect()
            }
        };
        f.write_str(&parts.join(", "))
    }
}

/// A text that names no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoTokenUri(String);

impl TokenSelector {
    /// The token that a PKCS#11 URI names by its path attributes.
    ///
    /// # Errors
    /// A sentence on what is wrong with it.
    pub fn from_uri(uri: &str) -> Result<Self, NoTokenUri> {
        let refuse = |why: String| NoTokenUri(why);
        let path =
            uri.strip_prefix("pkcs11:").ok_or_else(|| refuse("a PKCS#11 URI begins with `pkcs11:`".to_owned()))?;
        if path.contains('?') {
            return Err(refuse("query attributes are given as keys of their own (module, pin-file)".to_owned()));
        }
        let (mut token, mut serial, mut manufacturer, mut model) = (None, None, None, None);
        for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
            let (name, value) =
                attribute.split_once('=').ok_or_else(|| refuse(format!("`{attribute}` has no value")))?;
            let place = match name {
                "token" => &mut token,
                "serial" => &mut serial,
                "manufacturer" => &mut manufacturer,
                "model" => &mut model,
                _ => {
                    let known = "token, serial, manufacturer and model do";
                    return Err(refuse(format!("`{name}` does not name a token; {known}")));
                }
            };
            let value =
                percent_decode_str(value).decode_utf8().map_err(|_| refuse(format!("`{name}` is not UTF-8")))?;
            if place.replace(value.into_owned()).is_some() {
                return Err(refuse(format!("`{name}` is given twice")));
            }
        }
        if token.is_none() && serial.is_none() {
            return Err(refuse("the URI names neither `token` nor `serial`".to_owned()));
        }
        Ok(Self::Uri { token, serial, manufacturer, model })
    }
}
