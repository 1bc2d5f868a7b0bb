//! Key pairs made and deleted over the native API, with certificates and without.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    AUDITOR, Answer, Certificate, Configuration, Daemon, Faults, GENERATE, Launch, PublicKey, SIGNING, Scratch, Token,
    agreement_within, key_pair, openssl,
};

fn serve() -> (Scratch, Token, Configuration, Daemon) {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token).destroying_at_once();
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    (dir, token, configuration, daemon)
}

fn create(daemon: &Daemon, request: &Value) -> Answer {
    daemon.call(Method::POST, "/v1/keys").json(request).send()
}

fn certificate() -> Value {
    json!({
        "commonName": "Orders", "organization": "Example", "country": "US", "validDays": 30,
        "subjectAlternativeNames": ["orders.example.com"],
    })
}

#[test]
fn every_algorithm_is_made_with_a_certificate_and_without_one() {
    let (_dir, token, configuration, daemon) = serve();
    for algorithm in ["rsa-2048", "p-256", "p-384", "p-521", "ed25519"] {
        let bare = create(&daemon, &json!({"algorithm": algorithm})).expect(201);
        let view = bare.json();
        let path = format!("/v1/keys/{}", view["keyId"].as_str().unwrap());
        assert_eq!(bare.header("location"), path);
        assert_eq!(daemon.get(&path).expect(200).json(), view);
        assert_eq!(
            (&view["state"], &view["use"], &view["provider"]),
            (&json!("Active"), &json!("sign"), &json!("HSM"))
        );
        assert_eq!(view["ring"].as_str().unwrap().len(), "signing:".len() + 25, "{view}");
        for absent in ["certificate.pem", "chain.pem", "csr.pem"] {
            let refused = daemon.get(&format!("{path}/{absent}")).expect(404).json();
            assert!(refused["detail"].as_str().unwrap().contains("no certificate"), "{refused}");
        }
        let public = PublicKey(daemon.get(&format!("{path}/public.pem")).expect(200).text());
        let (jose, jws) = (view["permitted"][0].as_str().unwrap(), json!({"payload": {"sub": "a"}}));
        let signed = daemon.call(Method::POST, &format!("{path}/jws")).json(&jws).send().expect(200).json();
        let name = match algorithm {
            "rsa-2048" => "RS256",
            "p-256" => "ES256",
            "p-384" => "ES384",
            "p-521" => "ES512",
            _ => "EdDSA",
        };
        assert!(public.joserfc_reads(name, signed["jws"].as_str().unwrap()).is_some(), "{algorithm} {jose}");

        let full = create(&daemon, &json!({"algorithm": algorithm, "certificate": certificate()})).expect(201).json();
        let path = format!("/v1/keys/{}", full["kid"].as_str().unwrap());
        let pem = Certificate(daemon.get(&format!("{path}/certificate.pem")).expect(200).text());
        pem.verify().unwrap();
        assert_eq!(pem.facts()["subjectDN"], "CN=Orders, O=Example, C=US");
    }
    agreement_within(std::time::Duration::from_secs(5), &token, &configuration.database());
}

#[test]
fn certification_request_asks_for_what_the_certificate_says_and_verifies() {
    let (dir, _token, _configuration, daemon) = serve();
    for algorithm in ["rsa-2048", "p-256", "ed25519"] {
        let view = create(&daemon, &json!({"algorithm": algorithm, "certificate": certificate()})).expect(201).json();
        let path = format!("/v1/keys/{}", view["kid"].as_str().unwrap());
        let answer = daemon.get(&format!("{path}/csr.pem")).expect(200);
        assert_eq!(answer.header("content-type"), "application/x-pem-file");
        std::fs::write(dir.join("request.pem"), answer.text()).unwrap();
        let text = openssl(&dir, "req -in request.pem -verify -noout -text -pubkey");
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("CN = Orders") && text.contains("DNS:orders.example.com"), "{text}");
        assert!(text.contains(daemon.get(&format!("{path}/public.pem")).expect(200).text().trim()), "{text}");
    }
    let view = create(&daemon, &json!({"algorithm": "rsa-2048", "use": "decrypt"})).expect(201).json();
    daemon.get(&format!("/v1/keys/{}/csr.pem", view["kid"].as_str().unwrap())).expect(404);
}

#[test]
fn key_pair_without_certificate_is_not_there_for_pingfederate() {
    let (_dir, _token, _configuration, daemon) = serve();
    let request = json!({"ring": "signing:bare", "algorithm": "p-256"});
    create(&daemon, &request).expect(201);
    create(&daemon, &json!({"ring": "signing:whole", "algorithm": "p-256", "certificate": certificate()})).expect(201);
    let listed = daemon.get(SIGNING).expect(200).json();
    let ids: Vec<&str> = listed["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["whole"]);
    let path = format!("{SIGNING}/bare");
    for below in ["", "/certificate", "/csr", "/rotationSettings"] {
        daemon.get(&format!("{path}{below}")).expect(404);
    }
    for (method, below, body) in [
        (Method::DELETE, "", json!({})),
        (Method::POST, "/csr", json!({"fileData": "x"})),
        (Method::POST, "/pem", json!({"password": "correct horse battery"})),
        (Method::PUT, "/rotationSettings", json!({"creationBufferDays": 10, "activationBufferDays": 5})),
    ] {
        daemon.call(method, &format!("{path}{below}")).json(&body).send().expect(404);
    }
    let mut taken = key_pair("EC", Some(256));
    taken["id"] = "bare".into();
    daemon.call(Method::POST, GENERATE).json(&taken).send().expect(422);
    create(&daemon, &request).expect(422);
    daemon.get("/v1/key-rings/signing:bare").expect(200);
}

#[test]
fn request_with_the_same_idempotency_key_makes_one_key() {
    let (_dir, token, configuration, daemon) = serve();
    let send = |body: &Value| daemon.call(Method::POST, "/v1/keys").header("Idempotency-Key", "once").json(body).send();
    let request = json!({"algorithm": "ed25519"});
    let first = send(&request).expect(201);
    let again = send(&request).expect(201);
    assert_eq!((first.json(), first.header("location")), (again.json(), again.header("location")));
    send(&json!({"algorithm": "p-256"})).expect(422);
    let held = agreement_within(std::time::Duration::from_secs(5), &token, &configuration.database());
    assert_eq!(held.keys().len(), 1);
}

#[test]
fn bad_requests_are_refused_with_all_that_is_wrong_and_make_nothing() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token).with_faults(&faults)).start();
    daemon.await_ready();
    let bad = [
        (json!({"algorithm": "p-224"}), 422, vec!["algorithm"]),
        (json!({"algorithm": "p-256", "use": "decrypt"}), 422, vec!["algorithm"]),
        (json!({"algorithm": "rsa-2048", "use": "decrypt", "certificate": certificate()}), 422, vec!["certificate"]),
        (json!({"algorithm": "p-256", "signatureAlgorithm": "RS256"}), 422, vec!["signatureAlgorithm"]),
        (
            json!({"algorithm": "p-256", "permitted": ["ES256", "RS256", "x"]}),
            422,
            vec!["permitted[1]", "permitted[2]"],
        ),
        (json!({"algorithm": "p-256", "permitted": []}), 422, vec!["permitted"]),
        (
            json!({"algorithm": "rsa-2048", "signatureAlgorithm": "PS256", "permitted": ["RS256"]}),
            422,
            vec!["permitted"],
        ),
        (json!({"algorithm": "p-256", "ring": "connection:a"}), 422, vec!["ring"]),
        (json!({"algorithm": "p-256", "ring": "signing:generate"}), 422, vec!["ring"]),
        (json!({"algorithm": "p-256", "ring": "signing:a b"}), 422, vec!["ring"]),
        (json!({"algorithm": "p-256", "ring": "a"}), 422, vec!["ring"]),
        (
            json!({"algorithm": "x", "ring": "x", "certificate": {
                "commonName": " ", "country": "USA", "validDays": 0, "subjectAlternativeNames": ["a..b"]}}),
            422,
            vec![
                "ring",
                "algorithm",
                "certificate.country",
                "certificate.commonName",
                "certificate.subjectAlternativeNames[0]",
                "certificate.validDays",
            ],
        ),
        (json!({"algorithm": "p-256", "provider": "LOCAL"}), 422, vec![]),
        (json!({"algorithm": "p-256", "provider": "TPM"}), 400, vec![]),
        (json!({"algorithm": "p-256", "use": "wrap"}), 400, vec![]),
        (json!({"algorithm": "p-256", "extractable": true}), 400, vec![]),
        (json!({"algorithm": "p-256", "certificate": {"commonName": "a"}}), 400, vec![]),
        (json!({}), 400, vec![]),
    ];
    for (request, status, paths) in bad {
        let problem = create(&daemon, &request).expect(status).json();
        let violations = problem["violations"].as_array().cloned().unwrap_or_default();
        let named: Vec<&str> = violations.iter().map(|violation| violation["path"].as_str().unwrap()).collect();
        assert_eq!(named, paths, "{request} {problem}");
    }
    let twice = r#"{"algorithm": "p-256", "algorithm": "p-384"}"#;
    daemon.call(Method::POST, "/v1/keys").body(twice).send().expect(400);
    daemon.call(Method::POST, "/v1/keys").bearer(AUDITOR).json(&json!({"algorithm": "p-256"})).send().expect(403);
    assert_eq!(faults.calls("C_GenerateKeyPair"), 0, "something reached the token");
    create(&daemon, &json!({"algorithm": "p-256", "permitted": ["SHA384withECDSA"]})).expect(201);
    assert_eq!(faults.calls("C_GenerateKeyPair"), 1, "the count counts");
}

#[test]
fn deletion_takes_the_key_out_of_the_token_unless_it_is_in_use() {
    let (_dir, token, configuration, daemon) = serve();
    let view = create(&daemon, &json!({"algorithm": "p-256"})).expect(201).json();
    let path = format!("/v1/keys/{}", view["kid"].as_str().unwrap());
    daemon.call(Method::DELETE, &path).bearer(AUDITOR).send().expect(403);
    daemon.get(&path).expect(200);
    daemon.delete(&path).expect(204);
    daemon.delete(&path).expect(404);
    daemon.get(&path).expect(404);
    let held = agreement_within(std::time::Duration::from_secs(10), &token, &configuration.database());
    assert_eq!(held.objects.len(), 0);

    let server = "/pf-admin-api/v1/keyPairs/sslServer";
    let mut request = key_pair("EC", Some(256));
    request["id"] = "tls".into();
    daemon.call(Method::POST, &format!("{server}/generate")).json(&request).send().expect(201);
    let settings = json!({"runtimeServerCertRef": {"id": "tls"}, "adminConsoleCertRef": {"id": "tls"}});
    daemon.call(Method::PUT, &format!("{server}/settings")).json(&settings).send().expect(200);
    let kid =
        daemon.get("/v1/key-rings/sslServer:tls").expect(200).json()["keys"][0]["kid"].as_str().unwrap().to_owned();
    let refused = daemon.delete(&format!("/v1/keys/{kid}")).expect(409).json();
    assert_eq!(refused["type"], "urn:strongroom:error:in-use", "{refused}");
    daemon.get(&format!("{server}/tls")).expect(200);
}

#[test]
fn ring_settings_forbid_and_allow_raw_signatures() {
    let (_dir, _token, _configuration, daemon) = serve();
    create(&daemon, &json!({"ring": "signing:a", "algorithm": "p-256"})).expect(201);
    let (ring, settings) = ("/v1/key-rings/signing:a", "/v1/key-rings/signing:a/settings");
    let sign = || {
        let body = json!({"algorithm": "ES256", "message": "AA=="});
        daemon.call(Method::POST, &format!("{ring}/sign")).json(&body).send()
    };
    let put = |body: Value| daemon.call(Method::PUT, settings).json(&body).send();
    sign().expect(200);
    daemon.get(settings).expect(404);
    daemon.delete(settings).expect(404);
    assert_eq!(put(json!({"rawSign": false})).expect(200).json(), json!({"rawSign": false}));
    sign().expect(403);
    daemon.call(Method::POST, &format!("{ring}/jws")).json(&json!({"payload": {}})).send().expect(200);
    assert_eq!(put(json!({"rawSign": true})).expect(200).json(), daemon.get(settings).expect(200).json());
    sign().expect(200);
    put(json!({"rawSign": false})).expect(200);
    daemon.delete(settings).expect(204);
    sign().expect(200);

    for bad in [json!({}), json!({"rawSign": "yes"}), json!({"rawSign": true, "raw": 1}), json!([true])] {
        put(bad).expect(400);
    }
    let body = json!({"rawSign": false});
    daemon.call(Method::PUT, settings).bearer(AUDITOR).json(&body).send().expect(403);
    daemon.call(Method::DELETE, settings).bearer(AUDITOR).send().expect(403);
    daemon.call(Method::PUT, "/v1/key-rings/signing:nobody/settings").json(&body).send().expect(404);
    daemon.call(Method::PUT, "/v1/key-rings/nonsense/settings").json(&body).send().expect(400);
}
