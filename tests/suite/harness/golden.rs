//! Golden files: exchanges as they have to be, word by word.
//!
//! A file is a list of exchanges, `{"request": {method, path, body?}, "response":
//! {status, type?, body?}}`, carried out in order. Where a value differs from run to run
//! the file says what it looks like instead: `<serial>`, `<date>`, `<sha1>`, `<sha256>`,
//! `<id>`, `<uuid>`, `<kid>`, `<text>`, `<pem>`.

use std::path::Path;

use reqwest::Method;
use serde_json::Value;

use super::daemon::Daemon;

/// Carries out the exchanges of `tests/golden/{name}.json`; the test fails at the first difference.
pub fn golden(daemon: &Daemon, name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("json");
    let text = std::fs::read_to_string(&file).expect("the golden file");
    let exchanges: Vec<Value> = serde_json::from_str(&text).expect("a list of exchanges");
    for (index, exchange) in exchanges.iter().enumerate() {
        let place = format!("{name}, exchange {}", index + 1);
        let (request, response) = (&exchange["request"], &exchange["response"]);
        let method = Method::from_bytes(request["method"].as_str().expect("a method").as_bytes()).expect("a method");
        let mut call = daemon.call(method, request["path"].as_str().expect("a path"));
        if let Some(body) = request.get("body") {
            call = call.json(body);
        }
        let answer = call.send();
        assert_eq!(Value::from(answer.status.as_u16()), response["status"], "{place}: {}", answer.text());
        if let Some(kind) = response.get("type") {
            assert_eq!(answer.header("content-type"), kind.as_str().expect("a content type"), "{place}");
        }
        let body = if answer.body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&answer.body).unwrap_or_else(|_| Value::from(answer.text()))
        };
        if let Some(difference) = difference("$", &response["body"], &body) {
            panic!("{place}: {difference}\nthe answer was {body:#}");
        }
    }
}

/// Where `actual` is not what `expected` says, `None` when it is.
fn difference(path: &str, expected: &Value, actual: &Value) -> Option<String> {
    match (expected, actual) {
        (Value::Object(wanted), Value::Object(found)) => {
            let unknown = found.keys().find(|name| !wanted.contains_key(*name));
            let inner = || {
                wanted.iter().find_map(|(name, value)| {
                    let below = format!("{path}.{name}");
                    let found = found.get(name);
                    found.map_or_else(|| Some(format!("{below} is absent")), |found| difference(&below, value, found))
                })
            };
            unknown.map(|name| format!("{path}.{name} is not expected")).or_else(inner)
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => wanted
            .iter()
            .zip(found)
            .enumerate()
            .find_map(|(index, (wanted, found))| difference(&format!("{path}[{index}]"), wanted, found)),
        (Value::String(wanted), Value::String(found)) if wanted.starts_with('<') && wanted.ends_with('>') => {
            (!looks_like(wanted, found)).then(|| format!("{path} is {found}, which is no {wanted}"))
        }
        _ => (expected != actual).then(|| format!("{path} is {actual}, expected {expected}")),
    }
}

fn looks_like(shape: &str, text: &str) -> bool {
    let of = |length: usize, fits: fn(char) -> bool| text.len() == length && text.chars().all(fits);
    let upper_hex = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
    match shape {
        "<serial>" => !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()),
        "<date>" => of(24, |c| c.is_ascii_digit() || "-T:.Z".contains(c)) && text.contains(".000Z"),
        "<sha1>" => of(40, upper_hex),
        "<sha256>" => of(64, upper_hex),
        "<id>" => of(25, |c| c.is_ascii_digit() || c.is_ascii_lowercase()),
        "<uuid>" => of(36, |c| c.is_ascii_hexdigit() || c == '-'),
        "<kid>" => of(43, |c| c.is_ascii_alphanumeric() || c == '-' || c == '_'),
        "<pem>" => text.starts_with("-----BEGIN CERTIFICATE-----\n") && text.ends_with("-----END CERTIFICATE-----\n"),
        "<text>" => !text.is_empty(),
        _ => panic!("{shape} is not a shape that golden files know"),
    }
}

#[test]
fn golden_files_notice_what_is_absent_unexpected_or_different() {
    use serde_json::json;
    let expected = json!({"id": "a", "dates": ["<date>"]});
    assert_eq!(difference("$", &expected, &json!({"id": "a", "dates": ["2026-01-01T00:00:00.000Z"]})), None);
    for wrong in [
        json!({"id": "a"}),
        json!({"id": "b", "dates": ["2026-01-01T00:00:00.000Z"]}),
        json!({"id": "a", "dates": ["2026-01-01T00:00:00Z"]}),
        json!({"id": "a", "dates": []}),
        json!({"id": "a", "dates": ["2026-01-01T00:00:00.000Z"], "more": 1}),
    ] {
        assert!(difference("$", &expected, &wrong).is_some(), "{wrong}");
    }
}
