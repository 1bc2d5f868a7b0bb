//! Golden files: exchanges as they have to be, word by word.
//!
//! A file is a list of exchanges, `{"request": {method, path, as?, headers?, body?, raw?, times?},
//! "response": {status, type?, headers?, body}}`, carried out in order. The admin asks,
//! unless `as` says `admin-by-password`, `auditor`, `stranger` or `nobody`. In a request
//! `<location>` is the `Location` of an earlier answer, `<base64 NAME>` and `<text NAME>`
//! are files of the test. `body` is JSON; `raw` is any text, or `{"repeat": TEXT, "times": N}`,
//! said to be JSON where the headers name no `content-type`. A request with `times` is sent so
//! often at once, and each answer is the response, or one of as many `responses` of their own
//! statuses. `remember` beside them names texts of the answer, `{NAME: pointer}`; `<=NAME>` stands for such a
//! text from then on. Where a value of an answer differs from run to run the file says
//! what it looks like instead: see `looks_like`. Objects that many answers show are written once: see `views`.
//! Where tests have LOCAL keys, `"HSM"` in a file stands for `"LOCAL"`.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::Value;

use super::configuration::AUDITOR;
use super::daemon::Daemon;
use super::http::{Answer, Call};
use super::lane::provider;
use super::remembered::Remembered;
use super::views::with_views;

/// Carries out the exchanges of `tests/golden/{name}.json`; the test fails at the first difference.
pub fn golden(daemon: &Daemon, name: &str) {
    golden_with(Path::new(""), daemon, name);
}

/// The same where requests have files of a directory in them.
pub fn golden_with(files: &Path, daemon: &Daemon, name: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name).with_extension("json");
    let text = std::fs::read_to_string(&file).expect("the golden file");
    let exchanges: Vec<Value> = serde_json::from_str(&text).expect("a list of exchanges");
    let mut location = String::new();
    let mut remembered = Remembered::default();
    for (index, exchange) in exchanges.iter().enumerate() {
        let place = format!("{name}, exchange {}", index + 1);
        let exchange = remembered.fill(&in_lane(&with_views(exchange)));
        let request = &exchange["request"];
        let times = usize::try_from(request["times"].as_u64().unwrap_or(1)).expect("a small number");
        let mut answers = at_once(|| call(daemon, files, &location, request).send(), times);
        let mut expected = match exchange.get("responses") {
            Some(several) => several.as_array().expect("a list of responses").clone(),
            None => vec![exchange["response"].clone(); times],
        };
        answers.sort_by_key(|answer| answer.status.as_u16());
        expected.sort_by_key(|response| response["status"].as_u64());
        assert_eq!(expected.len(), answers.len(), "{place}");
        for (expected, answer) in expected.iter().zip(&answers) {
            compare(&place, expected, answer);
        }
        let Some(answer) = answers.first() else { continue };
        remembered.keep(&place, &exchange, answer);
        if !answer.header("location").is_empty() {
            answer.header("location").clone_into(&mut location);
        }
    }
}

/// An exchange with the provider that holds the keys of this lane.
fn in_lane(exchange: &Value) -> Value {
    match exchange {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), in_lane(value))).collect(),
        Value::Array(entries) => entries.iter().map(in_lane).collect(),
        Value::String(text) if text == "HSM" => provider().into(),
        other => other.clone(),
    }
}

/// The answers to one request that is sent so often at once.
fn at_once(send: impl Fn() -> Answer + Sync, times: usize) -> Vec<Answer> {
    if times == 1 {
        return vec![send()];
    }
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..times).map(|_| scope.spawn(&send)).collect();
        clients.into_iter().map(|client| client.join().expect("an answer")).collect()
    })
}

fn call(daemon: &Daemon, files: &Path, location: &str, request: &Value) -> Call {
    let method = Method::from_bytes(text(&request["method"]).as_bytes()).expect("a method");
    let call = daemon.call(method, &text(&request["path"]).replace("<location>", location));
    let mut call = match request["as"].as_str() {
        None => call,
        Some("admin-by-password") => call.basic("admin", daemon.secret()),
        Some("auditor") => call.bearer(AUDITOR),
        Some("stranger") => call.bearer("nobody-knows-this-secret"),
        Some("nobody") => call.anonymous(),
        Some(other) => panic!("golden files know nobody named {other}"),
    };
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        call = call.header(name, text(value));
    }
    match (request.get("body"), request.get("raw")) {
        (Some(body), None) => call.json(&filled(files, body)),
        (None, Some(raw)) if named_kind(request) => call.bytes(raw_text(raw)),
        (None, Some(raw)) => call.body(raw_text(raw)),
        _ => call,
    }
}

/// Whether the request says itself of what kind its body is.
fn named_kind(request: &Value) -> bool {
    let headers = request["headers"].as_object();
    headers.is_some_and(|headers| headers.keys().any(|name| name.eq_ignore_ascii_case("content-type")))
}

fn raw_text(raw: &Value) -> String {
    match raw["times"].as_u64() {
        Some(times) => text(&raw["repeat"]).repeat(usize::try_from(times).expect("a number of repetitions")),
        None => text(raw).to_owned(),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("text where {value} is"))
}

/// A body with the files in their places.
fn filled(files: &Path, body: &Value) -> Value {
    let read = |name: &str| std::fs::read(files.join(name)).unwrap_or_else(|why| panic!("{name}: {why}"));
    match body {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), filled(files, value))).collect::<Value>()
        }
        Value::String(text) => {
            let place = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')?.split_once(' '));
            match place {
                Some(("base64", name)) => STANDARD.encode(read(name)).into(),
                Some(("text", name)) => String::from_utf8(read(name)).expect("a text").into(),
                _ => body.clone(),
            }
        }
        _ => body.clone(),
    }
}

fn compare(place: &str, expected: &Value, answer: &Answer) {
    assert_eq!(Value::from(answer.status.as_u16()), expected["status"], "{place}: {}", answer.text());
    if let Some(kind) = expected.get("type") {
        assert_eq!(answer.header("content-type"), text(kind), "{place}");
    }
    for (name, value) in expected["headers"].as_object().into_iter().flatten() {
        let difference = difference(name, value, &answer.header(name).into());
        assert_eq!(difference, None, "{place}");
    }
    let body = if answer.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&answer.body).unwrap_or_else(|_| Value::from(answer.text()))
    };
    if let Some(difference) = difference("$", &expected["body"], &body) {
        panic!("{place}: {difference}\nthe answer was {body:#}");
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
        (Value::String(wanted), Value::String(found)) if wanted.contains("<millis>") => {
            (!is_with_moments(wanted, found)).then(|| format!("{path} is {found}, which is no {wanted}"))
        }
        (Value::String(shape), Value::Object(_)) if shape == "<document>" => None,
        _ => (expected != actual).then(|| format!("{path} is {actual}, expected {expected}")),
    }
}

/// Whether a text is another one with a moment wherever that has `<millis>`.
fn is_with_moments(wanted: &str, text: &str) -> bool {
    let mut parts = wanted.split("<millis>");
    let first = parts.next().unwrap_or_default();
    let rest = parts.try_fold(text.strip_prefix(first), |rest, part| {
        let (moment, after) = rest?.split_at_checked(24)?;
        Some(after.strip_prefix(part).filter(|_| looks_like("<millis>", moment)))
    });
    rest == Some(Some(""))
}

fn looks_like(shape: &str, text: &str) -> bool {
    let of = |length: usize, fits: fn(char) -> bool| text.len() == length && text.chars().all(fits);
    let upper_hex = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
    match shape {
        "<serial>" => !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()),
        "<date>" => of(24, |c| c.is_ascii_digit() || "-T:.Z".contains(c)) && text.contains(".000Z"),
        "<millis>" => of(24, |c| c.is_ascii_digit() || "-T:.Z".contains(c)),
        "<web key id>" => (18..=19).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit()),
        "<sha1>" => of(40, upper_hex),
        "<sha1 with colons>" => {
            of(59, |_| true) && text.split(':').all(|byte| byte.len() == 2 && byte.chars().all(upper_hex))
        }
        "<sha256>" => of(64, upper_hex),
        "<id>" => of(25, |c| c.is_ascii_digit() || c.is_ascii_lowercase()),
        "<uuid>" => of(36, |c| c.is_ascii_hexdigit() || c == '-'),
        "<kid>" => of(43, |c| c.is_ascii_alphanumeric() || c == '-' || c == '_'),
        "<pem with crlf>" => with_crlf(text, "CERTIFICATE"),
        "<pkcs7 with crlf>" => with_crlf(text, "PKCS7"),
        "<pem>" => spans(text, "CERTIFICATE", "CERTIFICATE"),
        "<certification request>" => spans(text, "CERTIFICATE REQUEST", "CERTIFICATE REQUEST"),
        "<encrypted key and certificates>" => spans(text, "ENCRYPTED PRIVATE KEY", "CERTIFICATE"),
        "<location>" => text
            .rsplit_once('/')
            .is_some_and(|(family, id)| family.starts_with("/pf-admin-api/v1/keyPairs/") && looks_like("<id>", id)),
        "<public key>" => spans(text, "PUBLIC KEY", "PUBLIC KEY"),
        "<location of a key>" => text.strip_prefix("/v1/keys/").is_some_and(|id| looks_like("<uuid>", id)),
        "<signing ring>" => text.strip_prefix("signing:").is_some_and(|id| looks_like("<id>", id)),
        "<base64>" => !text.is_empty() && STANDARD.decode(text).is_ok(),
        "<jws>" => parts_of_jws(text).is_some_and(|parts| parts.iter().all(|part| !part.is_empty())),
        "<detached jws>" => parts_of_jws(text)
            .is_some_and(|[head, payload, signature]| !head.is_empty() && payload.is_empty() && !signature.is_empty()),
        "<text>" | "<binary>" => !text.is_empty(),
        _ => panic!("{shape} is not a shape that golden files know"),
    }
}

/// The three parts of a compact JWS.
fn parts_of_jws(text: &str) -> Option<[Vec<u8>; 3]> {
    let parts = text.split('.').map(|part| URL_SAFE_NO_PAD.decode(part)).collect::<Result<Vec<_>, _>>();
    parts.ok()?.try_into().ok()
}

/// Whether a text is PEM from a block of one label to a block of another.
fn spans(text: &str, first: &str, last: &str) -> bool {
    text.starts_with(&format!("-----BEGIN {first}-----\n")) && text.ends_with(&format!("-----END {last}-----\n"))
}

/// Whether a text is one block of PEM, each of its lines ended by CRLF.
fn with_crlf(text: &str, label: &str) -> bool {
    spans(&text.replace("\r\n", "\n"), label, label) && text.matches('\n').count() == text.matches("\r\n").count()
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

#[test]
fn shapes_refuse_what_does_not_look_like_them() {
    let pem = |label: &str| format!("-----BEGIN {label}-----\nAA==\n-----END {label}-----\n");
    let id = "419x9yg43rlawqwq9v6az997k";
    for (shape, right, wrong) in [
        ("<pem>", pem("CERTIFICATE"), pem("CERTIFICATE REQUEST")),
        ("<certification request>", pem("CERTIFICATE REQUEST"), pem("NEW CERTIFICATE REQUEST")),
        (
            "<encrypted key and certificates>",
            pem("ENCRYPTED PRIVATE KEY") + &pem("CERTIFICATE"),
            pem("PRIVATE KEY") + &pem("CERTIFICATE"),
        ),
        ("<location>", format!("/pf-admin-api/v1/keyPairs/signing/{id}"), format!("/keyPairs/signing/{id}")),
        ("<location>", format!("/pf-admin-api/v1/keyPairs/signing/{id}"), "/pf-admin-api/v1/keyPairs/signing/a".into()),
        ("<pem with crlf>", pem("CERTIFICATE").replace('\n', "\r\n"), pem("CERTIFICATE")),
        ("<sha1 with colons>", ["A0"; 20].join(":"), "A0".repeat(20)),
        ("<id>", id.to_owned(), id.to_uppercase()),
        ("<web key id>", "911961834135573347".to_owned(), "91196183413557334a".to_owned()),
        ("<binary>", "\u{0}".to_owned(), String::new()),
        ("<public key>", pem("PUBLIC KEY"), pem("PRIVATE KEY")),
        ("<location of a key>", format!("/v1/keys/{}", "a".repeat(36)), format!("/v1/keys/{id}")),
        ("<signing ring>", format!("signing:{id}"), format!("connection:{id}")),
        ("<base64>", "AA==".to_owned(), "AA".to_owned()),
        ("<jws>", "e30.e30.AA".to_owned(), "e30..AA".to_owned()),
        ("<detached jws>", "e30..AA".to_owned(), "e30.e30.AA".to_owned()),
    ] {
        assert!(looks_like(shape, &right), "{shape}: {right}");
        assert!(!looks_like(shape, &wrong), "{shape}: {wrong}");
    }
}
