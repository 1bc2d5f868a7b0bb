//! The members of an object, in the order in which they came.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::JsonText;

/// A JSON object: members by name, no name twice, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonObject {
    members: Vec<(String, JsonText)>,
    names: HashSet<String>,
}

impl JsonObject {
    /// The value of a member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&JsonText> {
        self.members().find_map(|(known, value)| (known == name).then_some(value))
    }

    /// The members in order.
    pub fn members(&self) -> impl Iterator<Item = (&str, &JsonText)> {
        self.members.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Adds a member at the end; whether there was none of its name.
    #[must_use]
    pub fn add(&mut self, name: String, value: JsonText) -> bool {
        let is_new = self.names.insert(name.clone());
        if is_new {
            self.members.push((name, value));
        }
        is_new
    }
}

/// The first of several members of one name counts.
impl FromIterator<(String, JsonText)> for JsonObject {
    fn from_iter<T: IntoIterator<Item = (String, JsonText)>>(members: T) -> Self {
        let mut object = Self::default();
        for (name, value) in members {
            let _ = object.add(name, value);
        }
        object
    }
}

impl IntoIterator for JsonObject {
    type Item = (String, JsonText);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.members())
    }
}

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = JsonObject;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<JsonObject, A::Error> {
        let mut object = JsonObject::default();
        while let Some((name, value)) = members.next_entry::<String, JsonText>()? {
            if !object.add(name.clone(), value) {
                return Err(A::Error::custom(format!("duplicate member {name:?}")));
            }
        }
        Ok(object)
    }
}
