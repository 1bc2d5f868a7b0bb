//! What is signed, stored and shown is what was sent: numbers digit for digit, strings and the order of members too.
//!
//! The judge is Python's reader of JSON, which here takes numbers as text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use reqwest::Method;

use crate::harness::{Answer, Configuration, Daemon, Launch, Scratch, Token, key_pair, oracle, python, run, values};

const CONNECTIONS: &str = "/api/v2/connections";

/// Numbers that a reader of 64-bit numbers gives back as others, and forms that it writes in another way.
const NUMBERS: [&str; 21] = [
    "31.245270191439438",
    "117.63331139400017",
    "-122.41941550000001",
    "1.5777777777770001",
    "1764340514.1234567",
    "9007199254740991.0",
    "9007199254740993.0",
    "18446744073709551616",
    "-9223372036854775809",
    "123456789012345678901234567890",
    "0.1000000000000000055511151231257827",
    "-0",
    "-0.0",
    "1.0",
    "1.50",
    "1e5",
    "1E+5",
    "1e-5",
    "1e-400",
    "0e0",
    "1E308",
];

#[test]
fn every_number_of_a_payload_is_signed_digit_for_digit() {
    let (_dir, daemon) = serve("");
    let path = ring(&daemon);
    let mut pairs = Vec::new();
    for number in NUMBERS.into_iter().map(str::to_owned).chain(random_numbers(60)) {
        let payload = format!(r#"{{"n":{number},"deep":[[{{"a":[{number}]}}],{number}]}}"#);
        let [_, signed] = parts(&sign(&daemon, &path, &format!(r#"{{"payload":{payload}}}"#)));
        pairs.push((payload, signed));
        pairs.push((number.clone(), parts(&sign(&daemon, &path, &format!(r#"{{"payload":{number}}}"#)))[1].clone()));
    }
    assert_same(&pairs);
}

#[test]
fn every_number_of_a_private_header_is_signed_digit_for_digit() {
    let (_dir, daemon) = serve("");
    let path = ring(&daemon);
    let mut pairs = Vec::new();
    for number in NUMBERS {
        let body = format!(r#"{{"payload":1,"headers":{{"z":{number},"a":{{"n":[{number}]}}}}}}"#);
        let [header, _] = parts(&sign(&daemon, &path, &body));
        let (_, private) = header.split_once(r#","z":"#).unwrap_or_else(|| panic!("{header}"));
        pairs.push((format!(r#"{{"z":{number},"a":{{"n":[{number}]}}}}"#), format!(r#"{{"z":{private}"#)));
    }
    assert_same(&pairs);
}

#[test]
fn claims_are_filled_in_after_what_was_sent() {
    let (_dir, daemon) = serve("");
    let path = ring(&daemon);
    for (payload, before) in [
        (r#"{ "z" : 1.50, "a" : 18446744073709551616 }"#, r#"{"z":1.50,"a":18446744073709551616,"exp":"#),
        ("{ }", r#"{"exp":"#),
    ] {
        let body = format!(r#"{{"payload":{payload},"issuedAt":true,"expiresIn":300,"tokenId":true}}"#);
        let [_, signed] = parts(&sign(&daemon, &path, &body));
        assert!(signed.starts_with(before), "{signed}");
        let claims: serde_json::Value = serde_json::from_str(&signed).unwrap();
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
        assert_eq!(claims["jti"].as_str().map(str::len), Some(36));
    }
    let taken = r#"{"payload":{"i\u0061t":1},"issuedAt":true}"#;
    let refusal = jws(&daemon, &path, taken).expect(422).json();
    assert_eq!(refusal["violations"][0]["path"], "payload.iat");
}

#[test]
fn strings_and_the_order_of_members_are_signed_as_they_came() {
    let (_dir, daemon) = serve("");
    let path = ring(&daemon);
    for (sent, expected) in [
        (r#"{ "b" : 1 , "a" : [ 1 , 2 ] }"#, r#"{"b":1,"a":[1,2]}"#),
        (r#""\u0061\/ \ud83d\ude00 😀 \" \\ ""#, r#""\u0061\/ \ud83d\ude00 😀 \" \\ ""#),
        (r#"{"\u0062 \"":" {\t} ","a":"\\"}"#, r#"{"\u0062 \"":" {\t} ","a":"\\"}"#),
        ("[\n\t{},\r\n []  ]", "[{},[]]"),
        (r#"{"$serde_json::private::RawValue":"[1]"}"#, r#"{"$serde_json::private::RawValue":"[1]"}"#),
        (r#"{"$serde_json::private::Number":"1"}"#, r#"{"$serde_json::private::Number":"1"}"#),
        ("true", "true"),
        ("false", "false"),
        ("[null]", "[null]"),
    ] {
        let [_, signed] = parts(&sign(&daemon, &path, &format!(r#"{{"payload":{sent}}}"#)));
        assert_eq!(signed, expected);
        assert_same(&[(sent.to_owned(), signed)]);
    }
    let [header, _] =
        parts(&sign(&daemon, &path, r#"{"payload":1,"headers":{ "z" : "\u0061", "cty":"x", "a":0.10 }}"#));
    assert!(header.starts_with(r#"{"alg":"ES256","kid":""#), "{header}");
    assert!(header.ends_with(r#"","z":"\u0061","cty":"x","a":0.10}"#), "{header}");
    let [header, _] = parts(&sign(&daemon, &path, r#"{"payload":1,"headers":{ }}"#));
    assert!(header.ends_with(r#""}"#) && header.matches(',').count() == 1, "{header}");
}

#[test]
fn what_readers_could_take_for_different_things_is_not_signed() {
    let (_dir, daemon) = serve("");
    let path = ring(&daemon);
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    sign(&daemon, &path, &format!(r#"{{"payload":{}}}"#, nested(120)));
    for (json, why) in [
        (r#"{"a":1,"a":2}"#.to_owned(), r#"duplicate member "a""#),
        (r#"{"a":1,"\u0061":1}"#.to_owned(), r#"duplicate member "a""#),
        (r#"{"x":[0,{"a":1,"b":2,"a":1}]}"#.to_owned(), r#"duplicate member "a" in x[1]"#),
        (r#"{"x":"\ud800"}"#.to_owned(), "hex escape in x"),
        (r#"{"x":"\udc00 "}"#.to_owned(), "surrogate in hex escape in x"),
        (r#"{"\ud800":1}"#.to_owned(), "hex escape"),
        (r#"{"x":[1E400]}"#.to_owned(), "number out of range in x[0]"),
        (r#"{"x":-1e309}"#.to_owned(), "number out of range in x"),
        (format!(r#"{{"x":{}}}"#, nested(130)), "recursion limit exceeded"),
        (format!(r#"{{"x":{}}}"#, nested(50_000)), "recursion limit exceeded"),
        (r#"{"x":NaN}"#.to_owned(), "expected"),
        (r#"{"x":01}"#.to_owned(), "invalid number"),
        (r#"{"x":1.}"#.to_owned(), "invalid number"),
        (r#"{"x":+1}"#.to_owned(), "expected"),
        ("{\"x\":\"\u{1}\"}".to_owned(), "control character"),
    ] {
        for member in ["payload", "headers"] {
            let other = if member == "payload" { "" } else { r#""payload":{},"# };
            let refusal = jws(&daemon, &path, &format!(r#"{{{other}"{member}":{json}}}"#)).expect(400).text();
            let detail: serde_json::Value = serde_json::from_str(&refusal).unwrap();
            let detail = detail["detail"].as_str().unwrap_or_default();
            let shown = &json[..json.len().min(40)];
            assert!(detail.contains(why) && detail.contains(member), "{member} {shown}: {refusal}");
        }
    }
    let mut bytes = br#"{"payload":{"x":""#.to_vec();
    bytes.extend([0xed, 0xa0, 0x80]);
    bytes.extend(br#""}}"#);
    daemon.call(Method::POST, &path).body(bytes).send().expect(400);
}

#[test]
fn options_of_a_connection_are_answered_stored_and_shown_as_they_came() {
    let dir = Scratch::new();
    let configuration = Configuration::new(&dir, &Token::fresh(&dir)).with("[auth0]\nconnections = \"declared\"");
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let numbers = NUMBERS.map(|number| format!(r#"{{"n":{number}}}"#)).join(",");
    let options = |first: &str| {
        format!(
            r#"{{"token_endpoint_auth_method":"client_secret_post","z":{first},"a":[{numbers}],"e":"\u0061","n":null}}"#
        )
    };
    let (made, changed) = (options("31.245270191439438"), options("123456789012345678901"));
    let body = format!(r#"{{"name":"acme","strategy":"oidc","options":{made}}}"#);
    let answer = daemon.call(Method::POST, CONNECTIONS).body(body).send().expect(201);
    let path = format!("{CONNECTIONS}/{}", answer.id());
    let stored = || values(&configuration.database(), "SELECT body FROM documents WHERE kind = 'connection'").remove(0);
    let shown = |answer: &Answer| options_in(&answer.text());
    let everywhere = |answer: &Answer| {
        let found = [shown(answer), shown(&daemon.get(&path).expect(200)), shown(&daemon.get(CONNECTIONS).expect(200))];
        found.into_iter().chain([options_in(&stored())]).collect::<Vec<_>>()
    };
    assert_same(&everywhere(&answer).into_iter().map(|found| (made.clone(), found)).collect::<Vec<_>>());
    let answer = daemon.call(Method::PATCH, &path).body(format!(r#"{{"options":{changed}}}"#)).send().expect(200);
    assert_same(&everywhere(&answer).into_iter().map(|found| (changed.clone(), found)).collect::<Vec<_>>());
    let answer = daemon.call(Method::PATCH, &path).body(r#"{"display_name":"Acme"}"#).send().expect(200);
    assert_same(&everywhere(&answer).into_iter().map(|found| (changed.clone(), found)).collect::<Vec<_>>());

    for (options, why) in [
        (r#"{"x":1,"\u0078":2}"#, "duplicate field `x`"),
        (r#"{"x":{"y":[{"z":1,"z":1}]}}"#, r#"duplicate member "z" in y[0]"#),
        (r#"{"token_endpoint_auth_method":null,"token_endpoint_auth_method":null}"#, "duplicate"),
        (r#"{"x":1e400}"#, "number out of range"),
        (r#"{"x":"\ud800"}"#, "hex escape"),
        ("[]", "expected"),
    ] {
        let refusal =
            daemon.call(Method::PATCH, &path).body(format!(r#"{{"options":{options}}}"#)).send().expect(400).text();
        assert!(refusal.contains(&serde_json::to_string(why).unwrap().trim_matches('"').to_owned()), "{refusal}");
    }
    assert_same(&[(changed, options_in(&stored()))]);
}

#[test]
fn the_judge_sees_every_difference() {
    let different = [
        ("1.0", "1"),
        ("-0", "0"),
        ("1e5", "100000.0"),
        ("31.245270191439438", "31.24527019143944"),
        (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
        (r#"{"a":1,"a":1}"#, r#"{"a":1}"#),
        (r#""a""#, r#""A""#),
        ("[1]", "[1,1]"),
        ("1", "NaN"),
        (r#""\ud800""#, r#""\ud800""#),
    ];
    let pairs: Vec<_> = different.map(|(one, other)| (one.to_owned(), other.to_owned())).into();
    assert_eq!(differing(&pairs), (0..different.len()).collect::<Vec<_>>());
    assert_same(&[(r#"{ "a": "\u0061" }"#.to_owned(), r#"{"a":"a"}"#.to_owned())]);
}

fn serve(sections: &str) -> (Scratch, Daemon) {
    let dir = Scratch::new();
    let mut daemon = Launch::serve(&Configuration::new(&dir, &Token::fresh(&dir)).with(sections)).start();
    daemon.await_ready();
    (dir, daemon)
}

/// Where the Active key of a new ring makes JWS.
fn ring(daemon: &Daemon) -> String {
    format!("/v1/key-rings/signing:{}/jws", daemon.generate(&key_pair("EC", Some(256))).expect(201).id())
}

fn jws(daemon: &Daemon, path: &str, body: &str) -> Answer {
    daemon.call(Method::POST, path).body(body).send()
}

fn sign(daemon: &Daemon, path: &str, body: &str) -> String {
    jws(daemon, path, body).expect(200).json()["jws"].as_str().unwrap().to_owned()
}

/// Header and payload of a JWS.
fn parts(jws: &str) -> [String; 2] {
    let mut parts = jws.split('.').map(|part| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap_or_default()));
    [parts.next().unwrap().unwrap(), parts.next().unwrap().unwrap()]
}

/// The text of the first member `options` in a text, which ends at its last brace on the same level.
fn options_in(text: &str) -> String {
    let (_, rest) = text.split_once(r#""options":"#).unwrap_or_else(|| panic!("{text}"));
    let mut depth = 0;
    let end = rest.find(|character| {
        depth += i32::from(character == '{') - i32::from(character == '}');
        depth == 0
    });
    rest[..=end.unwrap()].to_owned()
}

fn random_numbers(count: usize) -> Vec<String> {
    let mut runner = TestRunner::deterministic();
    let number = "-?(0|[1-9][0-9]{0,25})([.][0-9]{1,25})?([eE][+-]?[0-9]{1,2})?";
    let number = proptest::string::string_regex(number).unwrap();
    (0..count).map(|_| number.new_tree(&mut runner).unwrap().current()).collect()
}

/// Asserts that texts are the same JSON in Python's eyes.
#[track_caller]
fn assert_same(pairs: &[(String, String)]) {
    let differing: Vec<_> = differing(pairs).into_iter().filter_map(|number| pairs.get(number)).collect();
    assert!(!pairs.is_empty() && differing.is_empty(), "{differing:#?}");
}

/// The places of pairs that differ.
fn differing(pairs: &[(String, String)]) -> Vec<usize> {
    let line = |(one, other): &(String, String)| format!("{} {}\n", STANDARD.encode(one), STANDARD.encode(other));
    let lines: String = pairs.iter().map(line).collect();
    let output = run(python().arg(oracle("same_json.py")), lines.as_bytes());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|number| number.parse().unwrap()).collect()
}
