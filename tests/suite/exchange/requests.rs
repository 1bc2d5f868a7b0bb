//! Certification requests, and what a CA by openssl answers to them.

use reqwest::Method;
use serde_json::json;

use super::{Bench, KEY_PAIRS, encoded, hierarchy, issue, text};
use crate::harness::{Configuration, Launch, Scratch, Token, key_pair, openssl, values};

#[test]
fn ca_answers_requests_of_every_algorithm_of_either_provider() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    let algorithms = [("RSA", Some(2048)), ("EC", Some(256)), ("EC", Some(384)), ("EC", Some(521)), ("Ed25519", None)];
    for (number, (algorithm, size)) in algorithms.into_iter().enumerate() {
        for provider in ["HSM", "LOCAL"] {
            let mut request = key_pair(algorithm, size);
            request["id"] = format!("{provider}-{number}").into();
            request["cryptoProvider"] = provider.into();
            request["subjectAlternativeNames"] = json!(["www.example.org", "192.0.2.7"]);
            let id = bench.post("sslServer/generate", &request).expect(201).id();
            std::fs::write(dir.join("site.csr"), bench.get(&format!("sslServer/{id}/csr")).expect(200).body).unwrap();
            let shown = openssl(dir, "req -in site.csr -verify -noout -text");
            let shown = String::from_utf8_lossy(&shown).into_owned();
            assert!(shown.contains("DNS:www.example.org, IP Address:192.0.2.7"), "{shown}");
            issue(dir, "site", "middle", "-copy_extensions copyall");
            openssl(dir, "verify -CAfile root.pem -untrusted middle.pem site.pem");

            let chain = text(dir, "site.pem") + &text(dir, "middle.pem") + &text(dir, "root.pem");
            let answer = json!({"fileData": chain});
            let view = bench.post(&format!("sslServer/{id}/csr"), &answer).expect(200).json();
            assert_eq!((&view["issuerDN"], &view["cryptoProvider"]), (&json!("CN=middle"), &json!(provider)));
            assert_eq!(view["subjectAlternativeNames"], json!(["www.example.org", "192.0.2.7"]));
            assert_eq!(view, bench.get(&format!("sslServer/{id}")).expect(200).json());
            assert_eq!(bench.get(&format!("sslServer/{id}/certificate")).expect(200).text(), chain);
        }
    }
}

#[test]
fn response_is_read_in_every_form_and_kept_over_a_restart() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    let mut request = key_pair("EC", None);
    request["id"] = "mine".into();
    bench.post("signing/generate", &request).expect(201);
    std::fs::write(dir.join("mine.csr"), bench.get("signing/mine/csr").expect(200).body).unwrap();
    issue(dir, "mine", "middle", "");
    let all = "-certfile root.pem -certfile mine.pem -certfile middle.pem";
    openssl(dir, &format!("crl2pkcs7 -nocrl {all} -out all.p7b"));
    openssl(dir, &format!("crl2pkcs7 -nocrl {all} -outform DER -out all.der"));
    let (leaf, whole) =
        (text(dir, "mine.pem"), text(dir, "mine.pem") + &text(dir, "middle.pem") + &text(dir, "root.pem"));
    let bare: String = leaf.lines().filter(|line| !line.starts_with('-')).collect();
    let forms = [
        (leaf.clone(), &leaf),
        (encoded(dir, "mine.pem"), &leaf),
        (bare, &leaf),
        (leaf.replace('\n', "\\n"), &leaf),
        (text(dir, "all.p7b"), &whole),
        (encoded(dir, "all.p7b"), &whole),
        (encoded(dir, "all.der"), &whole),
    ];
    for (data, served) in forms {
        bench.post("signing/mine/csr", &json!({"fileData": data})).expect(200);
        assert_eq!(bench.get("signing/mine/certificate").expect(200).text(), *served, "{data}");
    }
    let replaced =
        values(&bench.database(), "SELECT detail FROM audit_events WHERE action = 'key.certificates-replaced'");
    assert_eq!(replaced.len(), 7);
    let view = bench.get("signing/mine").expect(200).json();
    let bench = bench.restarted();
    assert_eq!(bench.get("signing/mine").expect(200).json(), view);
}

#[test]
fn certificate_of_a_ca_voids_the_rotation_settings_for_good() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    let mut request = key_pair("EC", None);
    request["id"] = "mine".into();
    let own = bench.post("signing/generate", &request).expect(201).json();
    let self_signed = bench.get("signing/mine/certificate").expect(200).text();
    let settings = json!({"creationBufferDays": 2, "activationBufferDays": 1});
    let path = format!("{KEY_PAIRS}/signing/mine/rotationSettings");
    let set = || bench.daemon.call(Method::PUT, &path).json(&settings).send();
    set().expect(200);
    // Another certificate that the key has signed itself changes nothing about them.
    bench.post("signing/mine/csr", &json!({"fileData": self_signed})).expect(200);
    bench.daemon.get(&path).expect(200);
    std::fs::write(dir.join("mine.csr"), bench.get("signing/mine/csr").expect(200).body).unwrap();
    issue(dir, "mine", "middle", "");

    let view = bench.post("signing/mine/csr", &json!({"fileData": text(dir, "mine.pem")})).expect(200).json();
    assert!(view.get("rotationSettings").is_none(), "{view}");
    assert!(bench.get("signing/mine").expect(200).json().get("rotationSettings").is_none());
    bench.daemon.get(&path).expect(404);
    bench.daemon.delete(&path).expect(404);
    let removed = "SELECT ring FROM audit_events WHERE action = 'settings.removed'";
    assert_eq!(values(&bench.database(), removed), ["signing:mine"]);
    set().expect(422);
    // They do not come back with a certificate that they would be for.
    let view = bench.post("signing/mine/csr", &json!({"fileData": self_signed})).expect(200).json();
    assert_eq!(view, own);
    assert!(values(&bench.database(), "SELECT id FROM documents").is_empty());
}

#[test]
fn where_a_trusted_issuer_is_required_the_root_comes_first() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let section = "[pingfederate]\nrequire-trusted-issuer = true\n";
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token).with(section)).start();
    daemon.await_ready();
    hierarchy(&dir);
    let mut request = key_pair("EC", None);
    request["id"] = "mine".into();
    daemon.generate(&request).expect(201);
    let path = format!("{KEY_PAIRS}/signing/mine");
    std::fs::write(dir.join("mine.csr"), daemon.get(&format!("{path}/csr")).expect(200).body).unwrap();
    issue(&dir, "mine", "middle", "");
    let before = daemon.get(&path).expect(200).json();
    let respond =
        |data: String| daemon.call(Method::POST, &format!("{path}/csr")).json(&json!({"fileData": data})).send();
    let chain = text(&dir, "mine.pem") + &text(&dir, "middle.pem");
    let refused = respond(chain.clone()).expect(422);
    assert_eq!(refused.violations(), [("fileData".to_owned(), "invalid_value".to_owned())]);
    assert_eq!(daemon.get(&path).expect(200).json(), before);

    let root = json!({"id": "root", "fileData": encoded(&dir, "root.pem")});
    daemon.call(Method::POST, "/pf-admin-api/v1/certificates/ca/import").json(&root).send().expect(201);
    // The leaf alone does not lead to the root.
    respond(text(&dir, "mine.pem")).expect(422);
    let view = respond(chain.clone()).expect(200).json();
    assert_eq!(view["issuerDN"], "CN=middle");
    daemon.delete("/pf-admin-api/v1/certificates/ca/root").expect(204);
    respond(chain).expect(422);
}
