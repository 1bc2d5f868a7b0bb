//! Values of earlier answers, by the names that a golden file gives them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::http::Answer;

/// What was remembered so far. `<=NAME>` stands for a value, in requests and in responses.
#[derive(Debug, Default)]
pub struct Remembered(BTreeMap<String, String>);

impl Remembered {
    /// An exchange with the values in their places.
    pub fn fill(&self, exchange: &Value) -> Value {
        match exchange {
            Value::Object(members) => {
                members.iter().map(|(name, value)| (name.clone(), self.fill(value))).collect::<Value>()
            }
            Value::Array(entries) => entries.iter().map(|entry| self.fill(entry)).collect::<Value>(),
            Value::String(text) => {
                let fill = |text: String, (name, value): (&String, &String)| text.replace(&format!("<={name}>"), value);
                let filled = self.0.iter().fold(text.clone(), fill);
                assert!(!filled.contains("<="), "`{text}` names what no answer was remembered by");
                filled.into()
            }
            other => other.clone(),
        }
    }

    /// Keeps what the pointers of an exchange's `remember` (RFC 6901) lead to.
    pub fn keep(&mut self, place: &str, exchange: &Value, answer: &Answer) {
        for (name, pointer) in exchange["remember"].as_object().into_iter().flatten() {
            let body = answer.json();
            let value = body.pointer(pointer.as_str().expect("a pointer")).and_then(Value::as_str);
            let value = value.unwrap_or_else(|| panic!("{place}: there is no text at {pointer}"));
            self.0.insert(name.clone(), value.to_owned());
        }
    }
}

#[test]
fn remembered_values_stand_in_requests_and_responses() {
    use serde_json::json;
    let remembered = Remembered([("first".to_owned(), "42".to_owned())].into());
    let exchange =
        json!({"request": {"path": "/keys/<=first>/activate"}, "response": {"body": ["<=first>", "<id>", 1]}});
    let filled = json!({"request": {"path": "/keys/42/activate"}, "response": {"body": ["42", "<id>", 1]}});
    assert_eq!(remembered.fill(&exchange), filled);
    assert!(std::panic::catch_unwind(|| remembered.fill(&json!("<=second>"))).is_err());
}
