//! Views that golden files share: an object that every answer shows in the same form.
//!
//! `{"like": FILE, ...}` in a response of a golden file stands for the object in FILE, a path below
//! `tests/golden`, with the other members merged into it (RFC 7396: objects member by member, null removes
//! a member). The object in FILE may itself be like another one.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

/// An exchange with the views in its responses written out.
pub fn with_views(exchange: &Value) -> Value {
    let mut exchange = exchange.clone();
    for name in ["response", "responses"] {
        if let Some(response) = exchange.get_mut(name) {
            *response = written_out(response);
        }
    }
    exchange
}

/// A value with every view in it written out.
pub fn written_out(value: &Value) -> Value {
    match value {
        Value::Array(entries) => entries.iter().map(written_out).collect(),
        Value::Object(members) => {
            let mut members: Map<_, _> =
                members.iter().map(|(name, value)| (name.clone(), written_out(value))).collect();
            let Some(file) = members.remove("like") else { return members.into() };
            let mut view = view(file.as_str().expect("the file of a view"));
            merge(&mut view, members.into());
            view
        }
        other => other.clone(),
    }
}

/// The view of a file below `tests/golden`, written out.
pub fn view(file: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let view: Value = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    assert!(view.is_object(), "{}: a view is an object", path.display());
    written_out(&view)
}

/// RFC 7396 section 2.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Map::new().into();
    }
    let members = target.as_object_mut().expect("an object");
    for (name, value) in patch {
        if value.is_null() {
            members.remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[test]
fn merging_follows_the_examples_of_rfc_7396() {
    use serde_json::json;
    for (target, patch, result) in [
        (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
        (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
        (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
        (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
        (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
        (json!({"a": "foo"}), json!("bar"), json!("bar")),
        (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
        (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
        (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
    ] {
        let mut merged = target;
        merge(&mut merged, patch);
        assert_eq!(merged, result);
    }
}

#[test]
fn views_are_written_out_in_responses_and_nowhere_else() {
    use serde_json::json;
    let like = json!({"like": "views/pingfederate/key-pair.json", "id": "a", "cryptoProvider": null});
    let exchange = json!({"request": {"body": like}, "response": {"body": {"items": [like]}}});
    let found = with_views(&exchange);
    assert_eq!(found["request"], exchange["request"]);
    let pair = &found["response"]["body"]["items"][0];
    assert_eq!((&pair["id"], &pair["status"]), (&json!("a"), &json!("VALID")));
    assert_eq!((pair.get("like"), pair.get("cryptoProvider")), (None, None));
    assert!(std::panic::catch_unwind(|| view("views/nowhere.json")).is_err());
}
