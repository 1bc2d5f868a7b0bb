#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::{JsonObject, JsonText};

fn text(json: &str) -> JsonText {
    JsonText::parse(json).unwrap()
}

fn fault(json: &str) -> String {
    JsonText::parse(json).unwrap_err().to_string()
}

/// The grammar of RFC 8259 section 6, within the range of binary64.
const NUMBER: &str = "-?(0|[1-9][0-9]{0,40})([.][0-9]{1,40})?([eE][+-]?[0-9]{1,2})?";

fn value() -> impl Strategy<Value = String> {
    let string = r#""([a-z{}:,\[\] é😀]|\\["\\/bfnrt]|\\u00[0-7][0-9a-fA-F]){0,12}""#;
    let leaf = prop_oneof![4 => NUMBER, 2 => string, 1 => "true|false|null"];
    leaf.prop_recursive(5, 60, 6, |inner| {
        let array = prop::collection::vec(inner.clone(), 0..6).prop_map(|all| format!("[{}]", all.join(",")));
        let object = prop::collection::vec(inner, 0..6).prop_map(|all| {
            // Out of alphabetical order, and never twice.
            let member = |(n, value): (usize, String)| format!("\"m{}\":{value}", 9 - n);
            format!("{{{}}}", all.into_iter().enumerate().map(member).collect::<Vec<_>>().join(","))
        });
        prop_oneof![array, object]
    })
}

/// The same text with blanks around every sign that stands outside strings.
fn spread(json: &str, blank: &str) -> String {
    let (mut in_string, mut escaped, mut out) = (false, false, String::new());
    for character in json.chars() {
        let is_sign = !in_string && "{}[],:".contains(character);
        in_string ^= character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        out.extend(is_sign.then_some(blank));
        out.push(character);
        out.extend(is_sign.then_some(blank));
    }
    out
}

proptest! {
    #[test]
    fn every_number_keeps_its_digits(number in NUMBER) {
        prop_assert_eq!(JsonText::parse(&number).map(JsonText::into_bytes), Ok(number.clone().into_bytes()));
        let wrapped = format!("{{\"a\":[{number}]}}");
        let read: JsonText = serde_json::from_str(&wrapped).unwrap();
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), wrapped);
    }

    #[test]
    fn every_value_keeps_its_text_but_for_blanks(json in value(), blank in "[ \t\r\n]{0,3}") {
        let spread = spread(&json, &blank);
        prop_assert_eq!(JsonText::parse(&spread).map(JsonText::into_bytes), Ok(json.clone().into_bytes()));
        prop_assert_eq!(JsonText::parse(&json).map(JsonText::into_bytes), Ok(json.into_bytes()));
    }

    #[test]
    fn an_object_keeps_its_members_in_order(values in prop::collection::vec(value(), 0..8)) {
        let members: Vec<_> = values.iter().enumerate().map(|(n, value)| (format!("m{}", 9 - n), value)).collect();
        let written: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        let json = format!("{{{}}}", written.join(","));
        let object: JsonObject = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(serde_json::to_string(&object).unwrap(), json);
        let found: Vec<_> = object.members().map(|(name, value)| (name.to_owned(), value.as_str())).collect();
        prop_assert_eq!(found, members.into_iter().map(|(name, value)| (name, value.as_str())).collect::<Vec<_>>());
    }

    #[test]
    fn no_bytes_make_it_panic_and_what_passes_is_json(json in "[\\[\\]{}:,\"\\\\u0-9a-fdD.eE+ -]{0,24}") {
        if let Ok(kept) = JsonText::parse(&json) {
            let (sent, found): (serde_json::Value, serde_json::Value) =
                (serde_json::from_str(&json).unwrap(), serde_json::from_str(kept.as_str()).unwrap());
            prop_assert_eq!(sent, found);
        }
    }
}

#[test]
fn what_readers_disagree_on_is_refused_at_its_place() {
    for (json, why) in [
        (r#"{"a":1,"a":2}"#, r#"duplicate member "a""#),
        (r#"{"a":1,"\u0061":2}"#, r#"duplicate member "a""#),
        (r#"{"b":[{},{"c":{"a":1,"a":2}}]}"#, r#"duplicate member "a" in b[1].c"#),
        (r#"["\ud800"]"#, "unexpected end of hex escape in [0]"),
        (r#"["\udc00\ud800"]"#, "lone leading surrogate in hex escape in [0]"),
        (r#"{"\ud800":1}"#, "unexpected end of hex escape"),
        (r#"{"a":1E400}"#, "number out of range in a"),
        ("1e309", "number out of range"),
        ("01", "invalid number"),
        ("NaN", "expected value"),
        ("Infinity", "expected value"),
        ("", "EOF while parsing a value"),
    ] {
        assert_eq!(fault(json), why, "{json}");
    }
    assert!(fault("1 2").starts_with("trailing characters"), "{}", fault("1 2"));
}

#[test]
fn nesting_has_an_end() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(text(&nested(127)).as_str(), nested(127));
    for depth in [128, 1_000_000] {
        assert!(fault(&nested(depth)).starts_with("recursion limit exceeded"), "{depth}");
    }
}

#[test]
fn many_members_take_no_time() {
    let members: Vec<_> = (0..50_000).map(|n| format!("\"{n}\":{n}")).collect();
    let json = format!("{{{}}}", members.join(","));
    let object: JsonObject = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&object).unwrap(), json);
}

#[test]
fn objects_follow_one_another() {
    for (before, after, both) in [
        ("{}", "{}", Some("{}")),
        (r#"{"a":1}"#, "{}", Some(r#"{"a":1}"#)),
        ("{}", r#"{"b":2}"#, Some(r#"{"b":2}"#)),
        (r#"{ "a" : {} }"#, r#"{"b":2}"#, Some(r#"{"a":{},"b":2}"#)),
        ("[]", "{}", None),
        ("{}", "1", None),
        (r#""{""#, "{}", None),
    ] {
        let joined = text(before).followed_by(&text(after));
        assert_eq!(joined.as_ref().map(JsonText::as_str), both, "{before} {after}");
    }
}

#[test]
fn strings_and_objects_are_told_from_other_values() {
    assert_eq!(text(r#""\u0061""#).string().as_deref(), Some("a"));
    assert!(text("1").string().is_none() && text("null").string().is_none());
    assert!(text("[]").object().is_none() && text("null").object().is_none() && text("1").object().is_none());
    let object = text(r#"{"$serde_json::private::RawValue":"[1]","\u0062":1.0}"#).object().unwrap();
    assert_eq!(object.get("$serde_json::private::RawValue").map(JsonText::as_str), Some(r#""[1]""#));
    assert_eq!(object.get("b").map(JsonText::as_str), Some("1.0"));
}
