#![allow(clippy::unwrap_used, reason = "tests")]

use serde::Deserialize;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(dead_code, reason = "only the refusals are looked at")]
struct Wire {
    link: Option<Link>,
    days: Option<i32>,
    names: Option<Vec<String>>,
    kind: Option<Fruit>,
    share: Option<f64>,
    on: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[allow(dead_code, reason = "only the refusals are looked at")]
struct Link {
    id: String,
}

#[derive(Debug, Deserialize)]
enum Fruit {
    Apple,
}

#[test]
fn refusals_name_what_json_has() {
    for (body, said) in [
        (r#"{"link": "x"}"#, r#"at link: invalid type: string "x", expected an object"#),
        (r#"{"link": [1, 2]}"#, "at link[0]: invalid type: integer `1`, expected a string"),
        (r#"{"link": []}"#, "at link: invalid length 0, expected an object"),
        (
            r#"{"days": "9"}"#,
            r#"at days: invalid type: string "9", expected an integer from -2147483648 to 2147483647"#,
        ),
        (r#"{"days": 1.5}"#, "at days: invalid type: number `1.5`, expected an integer from"),
        (r#"{"days": 99999999999}"#, "at days: invalid value: integer `99999999999`, expected an integer from"),
        (r#"{"days": {}}"#, "at days: invalid type: object, expected an integer"),
        (r#"{"names": "x"}"#, r#"at names: invalid type: string "x", expected an array"#),
        (r#"{"names": [[]]}"#, "at names[0]: invalid type: array, expected a string"),
        (r#"{"kind": "Pear"}"#, "at kind: unknown variant `Pear`, expected `Apple`"),
        (r#"{"share": "x"}"#, r#"at share: invalid type: string "x", expected a number"#),
        (
            r#"{"on": ", expected struct X"}"#,
            r#"at on: invalid type: string ", expected struct X", expected a boolean"#,
        ),
    ] {
        let refused = parse_json::<Wire>(body.as_bytes()).unwrap_err();
        let text = refused.public();
        assert!(text.starts_with(&format!("the body cannot be read {said}")), "{body}: {text}");
        assert!(text.contains(" at line 1 column "), "{text}");
    }
}
