//! Protocol Buffers in JSON (<https://protobuf.dev/programming-guides/json/>): what is
//! accepted where a message, an object or an enumeration stands.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::Services;
use crate::http::dialect::DialectError;
use crate::http::extract::{json_text, parse_json, parsed, read_body};
use strongroom_domain::error::Error;

/// A message in JSON, whatever type the body claims to have; nothing at all is `{}`.
///
/// Wire structs ignore unknown members, take null for absent, and refuse a member that
/// comes twice.
pub(super) struct Message<T, E> {
    pub value: T,
    pub bytes: Bytes,
    dialect: PhantomData<E>,
}

impl<T: DeserializeOwned + Send + 'static, E: DialectError> FromRequest<Arc<Services>> for Message<T, E> {
    type Rejection = E;

    async fn from_request(request: Request, services: &Arc<Services>) -> Result<Self, E> {
        let bytes = read_body(request, services).await?;
        Ok(Self { value: parsed(services, &bytes, message).await?, bytes, dialect: PhantomData })
    }
}

/// A message by its body; nothing at all is `{}`.
fn message<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let body = json_text(body)?;
    parse_json(if body.trim_ascii().is_empty() { b"{}" } else { body })
}

/// A message inside another: an object, never an array of its values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

/// An enumeration of Protocol Buffers whose numbers count from 0.
pub(super) trait Enumeration: Copy + 'static {
    const ALL: &'static [Self];
    /// In the same order.
    const NAMES: &'static [&'static str];
}

/// An enumerated value: by its name, or by any number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence<T> {
    Known(T),
    /// A number that means nothing.
    Undefined,
}

impl<'de, T: Enumeration> Deserialize<'de> for Presence<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(GivenVisitor(PhantomData))
    }
}

struct GivenVisitor<T>(PhantomData<T>);

impl<T: Enumeration> Visitor<'_> for GivenVisitor<T> {
    type Value = Presence<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} or its number", T::NAMES.join(", "))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Presence<T>, E> {
        let place = T::NAMES.iter().position(|known| *known == name);
        let value = place.and_then(|place| T::ALL.get(place));
        value.copied().map(Presence::Known).ok_or_else(|| E::invalid_value(Unexpected::Str(name), &self))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Presence<T>, E> {
        let number = i32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Unsigned(number), &self))?;
        Ok(numbered(number))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Presence<T>, E> {
        let number = i32::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
        Ok(numbered(number))
    }

    /// `1.0` and `1e0` are the number 1.
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Presence<T>, E> {
        let whole = number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
        if !whole {
            return Err(E::invalid_value(Unexpected::Float(number), &self));
        }
        #[allow(clippy::cast_possible_truncation, reason = "it is whole and within bounds")]
        Ok(numbered(number as i32))
    }
}

fn numbered<T: Enumeration>(number: i32) -> Presence<T> {
    let value = usize::try_from(number).ok().and_then(|number| T::ALL.get(number));
    value.copied().map_or(Presence::Undefined, Presence::Known)
}
