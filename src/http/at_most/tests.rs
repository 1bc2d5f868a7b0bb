#![allow(clippy::unwrap_used, reason = "tests")]

use std::cell::Cell;

use serde::{Deserialize, Deserializer};

use super::AtMost;
use crate::http::extract::parse_json;
use strongroom_domain::error::ErrorKind;

thread_local! {
    static READ: Cell<usize> = const { Cell::new(0) };
}

#[derive(Debug)]
struct Counted;

impl<'de> Deserialize<'de> for Counted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        READ.set(READ.get() + 1);
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

#[derive(Debug, Deserialize)]
struct Wire {
    items: AtMost<Counted, 3>,
}

#[test]
fn a_list_is_read_up_to_its_limit_and_not_an_item_further() {
    for length in 0..=3 {
        let body = format!(r#"{{"items": [{}]}}"#, vec!["{}"; length].join(","));
        assert_eq!(parse_json::<Wire>(body.as_bytes()).unwrap().items.0.len(), length);
    }
    READ.set(0);
    // Not even JSON behind the limit.
    let refused = parse_json::<Wire>(br#"{"items": [{}, {}, {}, {}, ]]]"#).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    let violation = refused.path_violations().first().unwrap();
    assert_eq!((violation.path.as_deref(), violation.message.as_str()), (Some("items"), "must be 1 to 3 items."));
    assert_eq!(READ.get(), 6, "three items, once without and once with the path");
}

#[test]
fn other_failures_in_a_list_keep_their_words() {
    let refused = parse_json::<Wire>(br#"{"items": [{}, {}, {]"#).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Malformed);
    let refused = parse_json::<Wire>(br#"{"items": "must be 1 to 3 items."}"#).unwrap_err();
    assert!(refused.public().contains("expected an array"), "{}", refused.public());
}
