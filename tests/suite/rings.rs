//! Key rings over the native API: listed by pages, shown with what is planned, rotated on demand.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    AUDITOR, Answer, Configuration, Daemon, Launch, SIGNING, Scratch, Token, agreement, key_pair, rows,
};

const RINGS: &str = "/v1/key-rings";

/// A daemon with so many rings of one EC key each, named `signing:a`, `signing:b` and on.
struct Rings {
    _dir: Scratch,
    token: Token,
    configuration: Configuration,
    daemon: Daemon,
}

impl Rings {
    fn new(names: &[&str]) -> Self {
        let dir = Scratch::new();
        let token = Token::fresh(&dir);
        let configuration = Configuration::new(&dir, &token);
        let mut daemon = Launch::serve(&configuration).start();
        daemon.await_ready();
        for name in names {
            let mut request = key_pair("EC", None);
            request["id"] = (*name).into();
            daemon.generate(&request).expect(201);
        }
        Self { _dir: dir, token, configuration, daemon }
    }

    fn ring(&self, name: &str) -> Value {
        self.daemon.get(&format!("{RINGS}/signing:{name}")).expect(200).json()
    }

    fn rotate(&self, name: &str, body: &Value) -> Answer {
        self.daemon.call(Method::POST, &format!("{RINGS}/signing:{name}/rotate")).json(body).send()
    }

    fn states(&self) -> Vec<String> {
        rows(&self.configuration.database()).into_iter().map(|row| row.state).collect()
    }
}

/// Kid and generation of the keys of a view, by state.
fn members(view: &Value) -> BTreeMap<String, (String, u64)> {
    let of = |key: &Value| (key["kid"].as_str().unwrap().to_owned(), key["generation"].as_u64().unwrap());
    view["keys"].as_array().unwrap().iter().map(|key| (key["state"].as_str().unwrap().to_owned(), of(key))).collect()
}

/// A refusal as a problem document of this status, about this field where one is named.
#[track_caller]
fn refused(answer: &Answer, status: u16, path: Option<&str>) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    if let Some(path) = path {
        assert_eq!(problem["violations"][0]["path"], path, "{problem}");
        assert!(!problem["violations"][0]["message"].as_str().unwrap().is_empty());
    }
}

#[test]
fn rings_are_listed_by_pages_with_their_states() {
    let rings = Rings::new(&["a", "b", "c"]);
    rings.rotate("b", &json!({})).expect(200);
    let first = rings.daemon.get(&format!("{RINGS}?limit=2")).expect(200).json();
    let ids = |page: &Value| -> Vec<String> {
        page["keyRings"].as_array().unwrap().iter().map(|ring| ring["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&first), ["signing:a", "signing:b"]);
    assert_eq!(first["keyRings"][0]["states"], json!({ "Active": 1 }));
    assert_eq!(first["keyRings"][1]["states"], json!({ "Active": 1, "Deactivated": 1 }));
    assert_eq!(first["keyRings"][1]["active"], members(&rings.ring("b"))["Active"].0.as_str());
    let cursor = first["next"].as_str().unwrap();
    let second = rings.daemon.get(&format!("{RINGS}?limit=2&cursor={cursor}")).expect(200).json();
    assert_eq!((ids(&second), second.get("next")), (vec!["signing:c".to_owned()], None));
    for wrong in ["limit=0", "limit=501", "limit=many", "cursor=nonsense", "colour=red", "limit=1&limit=2"] {
        refused(&rings.daemon.get(&format!("{RINGS}?{wrong}")), 400, None);
    }
    refused(&rings.daemon.call(Method::GET, RINGS).anonymous().send(), 401, None);
    rings.daemon.call(Method::GET, RINGS).bearer(AUDITOR).send().expect(200);
}

#[test]
fn a_rotation_makes_a_successor_and_says_what_becomes_of_the_one_before() {
    let rings = Rings::new(&["a"]);
    let before = members(&rings.ring("a"));
    let view = rings.daemon.call(Method::POST, &format!("{RINGS}/signing:a/rotate")).send().expect(200).json();
    let after = members(&view);
    assert_eq!(after["Deactivated"], before["Active"]);
    assert_eq!(after["Active"].1, 2);
    assert_eq!(view, rings.ring("a"), "it answers what the ring is then");
    let steps = view["nextSteps"].as_array().unwrap();
    let retired = view["keys"].as_array().unwrap().iter().find(|key| key["state"] == "Deactivated").unwrap();
    let step = steps.iter().find(|step| step["step"] == "destroy").unwrap_or_else(|| panic!("{steps:?}"));
    assert_eq!((&step["keyId"], &step["early"]), (&retired["keyId"], &json!(false)));
    assert!(step["at"].as_str() > retired["deactivatedAt"].as_str());
    assert!(step["reason"].as_str().unwrap().contains("ceased to sign"), "{step}");

    let pair = rings.daemon.get(&format!("{SIGNING}/a")).expect(200).json();
    assert_eq!(pair["id"], "a", "the product's id stays");
    let another = rings.rotate("a", &json!({ "algorithm": "p-384", "signatureAlgorithm": "ES384" })).expect(200).json();
    assert_eq!((&another["keys"][0]["algorithm"], &another["keys"][0]["generation"]), (&json!("p-384"), &json!(3)));
    assert_eq!(another["keys"][0]["signatureAlgorithm"], "SHA384withECDSA");
    assert_eq!(agreement(&rings.token, &rings.configuration.database()).quarrel(), None);
}

#[test]
fn a_rotation_that_is_sent_again_is_made_once() {
    let rings = Rings::new(&["a"]);
    let rotate = |body: &Value| {
        let call = rings.daemon.call(Method::POST, &format!("{RINGS}/signing:a/rotate"));
        call.header("idempotency-key", "once").json(body).send()
    };
    let first = rotate(&json!({})).expect(200).json();
    let again = rotate(&json!({})).expect(200).json();
    assert_eq!(again, first);
    refused(&rotate(&json!({ "algorithm": "p-256" })), 422, None);
    assert_eq!(members(&rings.ring("a"))["Active"].1, 2);
}

#[test]
fn a_rotation_that_cannot_be_changes_nothing() {
    let rings = Rings::new(&["a"]);
    let before = (rings.ring("a"), rings.states(), rings.token.objects());
    refused(&rings.rotate("a", &json!({ "algorithm": "rsa-1024" })), 422, Some("algorithm"));
    let unfit = json!({ "algorithm": "p-256", "signatureAlgorithm": "RS256" });
    refused(&rings.rotate("a", &unfit), 422, Some("signatureAlgorithm"));
    refused(&rings.rotate("a", &json!({ "signatureAlgorithm": "ES256" })), 422, Some("signatureAlgorithm"));
    for malformed in [json!({ "colour": "red" }), json!(["p-256"]), json!({ "algorithm": 256 })] {
        refused(&rings.rotate("a", &malformed), 400, None);
    }
    let rotate = |ring: &str| rings.daemon.call(Method::POST, &format!("{RINGS}/{ring}/rotate"));
    refused(&rotate("signing:a").body("{\"algorithm\": \"p-256\", \"algorithm\": \"p-384\"}").send(), 400, None);
    refused(&rotate("signing:a").header("content-type", "text/plain").json(&json!({})).send(), 415, None);
    refused(&rotate("signing:a").header("idempotency-key", "").send(), 400, None);
    refused(&rotate("signing:nobody").send(), 404, None);
    refused(&rotate("nonsense").send(), 400, None);
    refused(&rotate("signing:a").bearer(AUDITOR).send(), 403, None);
    refused(&rotate("signing:a").anonymous().send(), 401, None);
    assert_eq!((rings.ring("a"), rings.states(), rings.token.objects()), before);
}

#[test]
fn a_ring_with_rotation_settings_shows_when_its_successor_comes_and_why() {
    let rings = Rings::new(&["a"]);
    let settings = json!({ "creationBufferDays": 60, "activationBufferDays": 30, "validDays": 365 });
    let path = format!("{SIGNING}/a/rotationSettings");
    rings.daemon.call(Method::PUT, &path).json(&settings).send().expect(200);
    let view = rings.ring("a");
    let steps = view["nextSteps"].as_array().unwrap();
    let words: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(words, ["create", "activate"]);
    assert!(steps[0]["at"].as_str() < steps[1]["at"].as_str(), "{steps:?}");
    for step in steps {
        assert!(step["reason"].as_str().unwrap().starts_with("its certificate expires at "), "{step}");
        assert_eq!((step.get("keyId"), &step["early"]), (None, &json!(false)), "not made yet");
    }
}

#[test]
fn a_rotation_period_is_for_rings_without_certificates() {
    let rings = Rings::new(&["a"]);
    let path = |ring: &str| format!("{RINGS}/{ring}/rotation");
    let put = |ring: &str, body: &Value| rings.daemon.call(Method::PUT, &path(ring)).json(body).send();
    let good = json!({ "periodDays": 90 });
    refused(&put("signing:a", &good), 422, None);
    refused(&rings.daemon.get(&path("signing:a")), 422, None);
    refused(&put("connection:nobody", &good), 404, None);
    refused(&rings.daemon.get(&path("web-keys")), 404, None);
    refused(&rings.daemon.delete(&path("connection:nobody")), 404, None);
    refused(&put("nonsense", &good), 400, None);
    for days in [0, 3651] {
        refused(&put("web-keys", &json!({ "periodDays": days })), 422, Some("periodDays"));
    }
    for malformed in [json!({}), json!({ "periodDays": "90" }), json!({ "periodDays": -1 }), json!({ "period": 1 })] {
        refused(&put("web-keys", &malformed), 400, None);
    }
    refused(&rings.daemon.call(Method::PUT, &path("web-keys")).bearer(AUDITOR).json(&good).send(), 403, None);
    refused(&rings.daemon.call(Method::DELETE, &path("web-keys")).bearer(AUDITOR).send(), 403, None);
}

#[test]
fn web_keys_with_a_rotation_period_show_when_the_next_one_comes() {
    let rings = Rings::new(&[]);
    let web_key = json!({ "ecdsa": { "curve": "ECDSA_CURVE_P256" } });
    rings.daemon.call(Method::POST, "/v2/web_keys").json(&web_key).send().expect(200);
    let path = format!("{RINGS}/web-keys/rotation");
    let steps = || rings.daemon.get(&format!("{RINGS}/web-keys")).expect(200).json()["nextSteps"].clone();
    assert_eq!(steps(), json!([]), "on demand only");
    let period = json!({ "periodDays": 90 });
    assert_eq!(rings.daemon.call(Method::PUT, &path).json(&period).send().expect(200).json(), period);
    assert_eq!(rings.daemon.get(&path).expect(200).json(), period);
    let planned = steps();
    let words: Vec<_> = planned.as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(words, ["create", "activate"], "{planned}");
    assert!(planned[0]["reason"].as_str().unwrap().contains("succeeded every"), "{planned}");
    assert_eq!(rings.daemon.delete(&path).expect(204).body, b"");
    refused(&rings.daemon.get(&path), 404, None);
    refused(&rings.daemon.delete(&path), 404, None);
    assert_eq!(steps(), json!([]));
}
