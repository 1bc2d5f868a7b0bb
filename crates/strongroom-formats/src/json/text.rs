//! One JSON text, checked and kept.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::JsonObject;

/// Any JSON value, as its sender wrote it, without blanks between tokens.
///
/// It is read from and written as JSON only: `serde_json` passes its text through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonText(String);

/// The reason for which a text is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonFault(String);

impl JsonText {
    /// Checks a text and leaves its blanks out.
    ///
    /// # Errors
    /// When it is not JSON (RFC 8259 section 2), when an object has a member twice (section 4), a string half a
    /// surrogate pair (section 8.2), when a number is out of range (section 6) or the nesting too deep (section 9).
    pub fn parse(text: &str) -> Result<Self, JsonFault> {
        // To keep track of the path costs a third of the reading; it is wanted only for refusals.
        if serde_json::from_str::<Checked>(text).is_err() {
            let mut json = serde_json::Deserializer::from_str(text);
            serde_path_to_error::deserialize::<_, Checked>(&mut json).map_err(|failure| fault(&failure))?;
            json.end().map_err(|failure| JsonFault(failure.to_string()))?;
        }
        Ok(Self(without_blanks(text)))
    }

    /// The object of some members, written by this daemon.
    #[must_use]
    pub fn of(members: serde_json::Map<String, serde_json::Value>) -> Self {
        Self(serde_json::Value::Object(members).to_string())
    }

    /// A JSON string of some characters.
    #[must_use]
    pub fn of_string(characters: &str) -> Self {
        Self(serde_json::Value::from(characters).to_string())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text's bytes.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    /// The characters of a JSON string, `None` of anything else.
    #[must_use]
    pub fn string(&self) -> Option<String> {
        serde_json::from_str(&self.0).ok()
    }

    /// The members of an object, `None` of anything else.
    #[must_use]
    pub fn object(&self) -> Option<JsonObject> {
        serde_json::from_str(&self.0).ok()
    }

    /// Adds the members of another object after those of this one; `None` where either is no object.
    ///
    /// The caller has seen that they have no name in common.
    #[must_use]
    pub fn followed_by(&self, other: &Self) -> Option<Self> {
        let (before, after) = (self.0.strip_prefix('{')?.strip_suffix('}')?, other.0.strip_prefix('{')?);
        let comma = if before.is_empty() || after == "}" { "" } else { "," };
        Some(Self(format!("{{{before}{comma}{after}")))
    }
}

impl<'de> Deserialize<'de> for JsonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(D::Error::custom)
    }
}

impl Serialize for JsonText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// The reason, and the place where it is not that of the whole text; whoever holds the text knows where it stood.
fn fault(failure: &serde_path_to_error::Error<serde_json::Error>) -> JsonFault {
    let why = failure.inner().to_string();
    let why = why.rfind(" at line ").and_then(|end| why.get(..end)).unwrap_or(&why);
    let path = failure.path().to_string();
    // A question mark stands for a place that was not reached.
    let path = path.trim_end_matches('?').trim_end_matches('.');
    JsonFault(if path.is_empty() { why.to_owned() } else { format!("{why} in {path}") })
}

/// Leaves out the blanks between the tokens of a text that is JSON.
fn without_blanks(text: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    let significant = |character: &char| {
        let is_significant = in_string || !matches!(character, ' ' | '\t' | '\n' | '\r');
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => in_string = !in_string,
            _ => {}
        }
        is_significant
    };
    text.chars().filter(significant).collect()
}

/// A value of which only the check remains.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CheckingVisitor)
    }
}

struct CheckingVisitor;

impl<'de> Visitor<'de> for CheckingVisitor {
    type Value = Checked;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_bool<E>(self, _value: bool) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_i64<E>(self, _value: i64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_u64<E>(self, _value: u64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_str<E>(self, _value: &str) -> Result<Checked, E> {
        Ok(Checked)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Checked, A::Error> {
        while entries.next_element::<Checked>()?.is_some() {}
        Ok(Checked)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Checked, A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if names.contains(&name) {
                return Err(A::Error::custom(format!("duplicate member {name:?}")));
            }
            names.insert(name);
            members.next_value::<Checked>()?;
        }
        Ok(Checked)
    }
}
