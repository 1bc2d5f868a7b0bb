//! Key pairs and certificates as files, made and read by openssl.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Daemon, Launch, SIGNING, Scratch, Token, key_pair, openssl};

/// `key.pem` and `certificate.pem`, both as `pair.pem`, and as `pair.p12` under the password `secret`.
pub fn pair(dir: &Path) {
    openssl(dir, "req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out certificate.pem -subj /CN=brought -days 30");
    openssl(dir, "pkcs12 -export -inkey key.pem -in certificate.pem -out pair.p12 -passout pass:secret");
    let pem = ["key.pem", "certificate.pem"].map(|name| std::fs::read_to_string(dir.join(name)).unwrap());
    std::fs::write(dir.join("pair.pem"), pem.concat()).unwrap();
}

fn encoded(dir: &Path, name: &str) -> String {
    STANDARD.encode(std::fs::read(dir.join(name)).unwrap())
}

fn post(daemon: &Daemon, path: &str, body: &Value) -> Answer {
    daemon.call(Method::POST, &format!("{SIGNING}/{path}")).json(body).send()
}

#[test]
fn local_key_pair_is_imported_and_exported_and_a_key_of_the_token_is_not() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    pair(&dir);
    let file = |id: &str, provider: &str| json!({"id": id, "fileData": encoded(&dir, "pair.p12"), "password": "secret", "cryptoProvider": provider});
    let view = post(&daemon, "import", &file("soft", "LOCAL")).expect(201).json();
    assert_eq!((&view["subjectDN"], &view["cryptoProvider"]), (&json!("CN=brought"), &json!("LOCAL")));
    assert_eq!(post(&daemon, "import", &file("hard", "HSM")).expect(201).json()["cryptoProvider"], "HSM");

    let password = json!({"password": "another"});
    let exported = post(&daemon, "soft/pkcs12", &password).expect(200);
    assert_eq!(exported.header("content-type"), "application/x-pkcs12");
    std::fs::write(dir.join("out.p12"), &exported.body).unwrap();
    let key = openssl(&dir, "pkcs12 -in out.p12 -passin pass:another -nocerts -nodes");
    std::fs::write(dir.join("out.key"), key).unwrap();
    assert_eq!(openssl(&dir, "pkey -in out.key -pubout"), openssl(&dir, "pkey -in key.pem -pubout"));

    let exported = post(&daemon, "soft/pem", &password).expect(200);
    assert_eq!(exported.header("content-type"), "application/x-pem-file");
    std::fs::write(dir.join("out.pem"), &exported.body).unwrap();
    assert_eq!(
        openssl(&dir, "pkey -in out.pem -passin pass:another -pubout"),
        openssl(&dir, "pkey -in key.pem -pubout")
    );

    for form in ["hard/pkcs12", "hard/pem"] {
        assert_eq!(post(&daemon, form, &password).expect(403).json()["resultId"], "not_exportable");
    }
    let empty = post(&daemon, "soft/pem", &json!({"password": ""})).expect(422);
    assert_eq!(empty.violations(), [("password".to_owned(), "required".to_owned())]);
}

#[test]
fn bad_files_are_refused_at_their_field_and_leave_nothing_behind() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    pair(&dir);
    openssl(&dir, "req -x509 -newkey rsa:2048 -nodes -keyout other.key -out other.pem -subj /CN=other -days 30");
    let whole = std::fs::read(dir.join("pair.p12")).unwrap();
    let pem = |names: [&str; 2]| names.map(|name| std::fs::read_to_string(dir.join(name)).unwrap()).concat();
    let table = [
        (json!({"fileData": encoded(&dir, "pair.p12"), "password": "wrong"}), "password"),
        (json!({"fileData": STANDARD.encode(&whole[..whole.len() / 2]), "password": "secret"}), "fileData"),
        (json!({"fileData": "%%%", "password": "secret"}), "fileData"),
        (json!({"fileData": pem(["key.pem", "other.pem"]), "password": "secret"}), "fileData"),
        (json!({"fileData": encoded(&dir, "key.pem"), "password": "secret"}), "fileData"),
    ];
    let objects = Token::of_dev(&dir).objects().len();
    for (body, field) in table {
        let refused = post(&daemon, "import", &body).expect(422);
        assert_eq!(refused.violations(), [(field.to_owned(), "invalid_value".to_owned())], "{}", refused.text());
    }
    assert_eq!(daemon.get(SIGNING).expect(200).json(), json!({"items": []}));
    assert_eq!(Token::of_dev(&dir).objects().len(), objects);
}

#[test]
fn certification_request_becomes_the_certificate_of_a_ca() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    pair(&dir);
    for id in ["mine", "other"] {
        let mut request = key_pair("EC", Some(256));
        request["id"] = id.into();
        daemon.generate(&request).expect(201);
    }
    let request = daemon.get(&format!("{SIGNING}/mine/csr")).expect(200);
    assert_eq!(request.header("content-type"), "application/pkcs10");
    std::fs::write(dir.join("request.pem"), &request.body).unwrap();
    openssl(&dir, "req -in request.pem -verify -noout");
    openssl(&dir, "x509 -req -in request.pem -CA certificate.pem -CAkey key.pem -days 9 -set_serial 77 -out leaf.pem");
    openssl(&dir, "crl2pkcs7 -nocrl -certfile certificate.pem -certfile leaf.pem -out leaf.p7b");
    for name in ["leaf.pem", "leaf.p7b"] {
        let response = json!({"fileData": encoded(&dir, name)});
        let view = post(&daemon, "mine/csr", &response).expect(200).json();
        assert_eq!((&view["issuerDN"], &view["serialNumber"]), (&json!("CN=brought"), &json!("77")), "{name}");
        let refused = post(&daemon, "other/csr", &response).expect(422);
        assert_eq!(refused.violations(), [("fileData".to_owned(), "invalid_value".to_owned())]);
    }
    let served = daemon.get(&format!("{SIGNING}/mine/certificate")).expect(200).text();
    assert_eq!(served.matches("BEGIN CERTIFICATE").count(), 2, "the chain is kept and served");
    let settings = json!({"creationBufferDays": 2, "activationBufferDays": 1});
    let path = format!("{SIGNING}/mine/rotationSettings");
    daemon.call(Method::PUT, &path).json(&settings).send().expect(422);
    daemon.get(&format!("{SIGNING}/nobody/csr")).expect(404);
}
