//! Durations written as people write them: `5s`, `300s`, `2m`.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer};

pub(super) fn parse_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    parse(deserializer).map(Some)
}

pub(super) fn parse<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map_err(|failure| {
        serde::de::Error::custom(format!("`{text}` is no duration such as \"5s\" or \"2m\": {failure}"))
    })
}
