//! Files, links and settings that must be refused, and leave nothing behind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Bench, KEY_PAIRS, P256, PASSWORD, encoded, hierarchy, imported, key_and_certificate, key_in_pem, text};
use crate::harness::{key_pair, openssl};

const DATA: (&str, &str) = ("fileData", "invalid_value");

/// Refused as an import to either provider.
#[track_caller]
fn refuses_import(bench: &Bench, data: &str, violation: (&str, &str), words: &str) {
    for provider in ["HSM", "LOCAL"] {
        bench.refuses("signing/import", &imported("bad", provider, data), violation, words);
    }
}

fn pkcs12(bench: &Bench, name: &str, options: &str) -> Vec<u8> {
    let export = format!("pkcs12 -export -inkey {name}.key -in {name}.pem -passout pass:{PASSWORD} {options}");
    openssl(&bench.dir, &export)
}

#[test]
fn wrong_and_missing_passwords_are_told_at_the_password() {
    let bench = Bench::new();
    key_and_certificate(&bench.dir, "key", P256);
    for options in ["", "-legacy", "-nomac"] {
        let data = STANDARD.encode(pkcs12(&bench, "key", options));
        for provider in ["HSM", "LOCAL"] {
            let mut request = imported("bad", provider, &data);
            request["password"] = "no-such-word".into();
            bench.refuses("signing/import", &request, ("password", "invalid_value"), "password must be");
            // The empty one is one like any other.
            request["password"] = "".into();
            bench.refuses("signing/import", &request, ("password", "invalid_value"), "password must be");
            request["password"] = Value::Null;
            bench.refuses("signing/import", &request, ("password", "required"), "password is required");
        }
    }
    assert!(!bench.daemon.log().contains("no-such-word"));
}

#[test]
fn truncated_and_oversized_files_are_told_at_the_data() {
    let bench = Bench::new();
    key_and_certificate(&bench.dir, "key", P256);
    let whole = pkcs12(&bench, "key", "");
    for length in [1, 40, whole.len() / 2, whole.len() - 1] {
        refuses_import(&bench, &STANDARD.encode(&whole[..length]), DATA, "fileData cannot be used");
    }
    let pem = text(&bench.dir, "key.key") + &text(&bench.dir, "key.pem");
    refuses_import(&bench, &pem[..pem.len() / 2], DATA, "fileData cannot be used");
    let many = text(&bench.dir, "key.key") + &text(&bench.dir, "key.pem").repeat(33);
    refuses_import(&bench, &many, ("fileData", "too_long"), "certificates");

    let before = bench.holdings();
    let answer = bench.post("signing/import", &imported("bad", "HSM", &"A".repeat(300_000))).expect(413);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["resultId"], "request_too_large");
    assert_eq!(bench.holdings(), before);
}

#[test]
fn bomb_of_iterations_is_refused_before_it_goes_off() {
    let bench = Bench::new();
    key_and_certificate(&bench.dir, "key", P256);
    // 65,793 iterations are patched to become 8,366,677.
    let (small, large) = ([0x02, 0x03, 0x01, 0x01, 0x01], [0x02, 0x03, 0x7f, 0xaa, 0x55]);
    for options in ["-iter 65793", "-iter 65793 -legacy"] {
        let mut data = pkcs12(&bench, "key", options);
        let places: Vec<usize> = (0..=data.len() - 5).filter(|at| data[*at..at + 5] == small).collect();
        assert!(!places.is_empty());
        for at in places {
            data[at..at + 5].copy_from_slice(&large);
        }
        let start = std::time::Instant::now();
        refuses_import(&bench, &STANDARD.encode(&data), ("fileData", "too_long"), "iterations");
        assert!(start.elapsed() < std::time::Duration::from_secs(5), "{:?}", start.elapsed());
    }
}

#[test]
fn certificates_that_do_not_fit_the_key_are_told_so() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    let key = text(dir, "leaf.key");
    let [leaf, middle, root] = ["leaf.pem", "middle.pem", "root.pem"].map(|name| text(dir, name));
    refuses_import(&bench, &format!("{key}{middle}"), DATA, "the public keys differ");
    refuses_import(&bench, &format!("{key}{leaf}{root}"), DATA, "the issuer CN=middle is missing");
    refuses_import(&bench, &key, DATA, "fileData cannot be used");
    refuses_import(&bench, &leaf, DATA, "fileData cannot be used");
}

#[test]
fn keys_that_nothing_here_signs_with_are_refused_with_what_is_accepted() {
    let bench = Bench::new();
    for (name, options, accepted) in [
        ("short", "rsa:1024", ["2048", "3072", "4096"]),
        ("curve", "ec -pkeyopt ec_paramgen_curve:secp256k1", ["P-256", "P-384", "P-521"]),
    ] {
        key_and_certificate(&bench.dir, name, options);
        for data in [
            STANDARD.encode(pkcs12(&bench, name, "")),
            text(&bench.dir, &format!("{name}.key")) + &text(&bench.dir, &format!("{name}.pem")),
        ] {
            for words in accepted {
                refuses_import(&bench, &data, DATA, words);
            }
        }
    }
}

#[test]
fn id_is_given_once_however_its_key_pair_is_made() {
    let bench = Bench::new();
    let pem = key_in_pem(&bench.dir);
    let generate = |id: &str| {
        let mut request = key_pair("EC", None);
        request["id"] = id.into();
        request
    };
    bench.post("signing/generate", &generate("made")).expect(201);
    bench.post("signing/import", &imported("brought", "LOCAL", &pem)).expect(201);
    let taken = ("id", "not_unique");
    for id in ["made", "brought"] {
        bench.refuses("signing/generate", &generate(id), taken, "already in use");
        bench.refuses("signing/import", &imported(id, "HSM", &pem), taken, "already in use");
        bench.refuses("signing/import", &imported(id, "LOCAL", &pem), taken, "already in use");
    }
    for id in ["", "import", "-x", "a b", &"x".repeat(65)] {
        bench.refuses("signing/import", &imported(id, "HSM", &pem), ("id", "invalid_value"), "id");
    }
}

#[test]
fn import_is_refused_with_all_its_violations_at_once() {
    let bench = Bench::new();
    let before = bench.holdings();
    let answer = bench.post("signing/import", &json!({"id": "link", "encryptedPassword": "x"})).expect(422);
    let of = |field: &str, rule: &str| (field.to_owned(), rule.to_owned());
    let expected = [
        of("encryptedPassword", "invalid_value"),
        of("fileData", "required"),
        of("id", "invalid_value"),
        of("password", "required"),
    ];
    assert_eq!(answer.violations(), expected);
    for body in [json!({"format": "JKS"}), json!({"fileData": 1}), json!({"surprise": true}), json!([])] {
        let answer = bench.post("signing/import", &body).expect(400);
        assert_eq!(answer.json()["resultId"], "malformed_request", "{body}");
    }
    assert_eq!(bench.holdings(), before);
}

#[test]
fn responses_that_do_not_fit_leave_the_certificates_as_they_were() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    let mut request = key_pair("EC", None);
    request["id"] = "mine".into();
    bench.post("signing/generate", &request).expect(201);
    let before = bench.get("signing/mine/certificate").expect(200).text();
    std::fs::write(dir.join("mine.csr"), bench.get("signing/mine/csr").expect(200).body).unwrap();
    super::issue(dir, "mine", "middle", "");
    openssl(dir, "crl2pkcs7 -nocrl -certfile middle.pem -certfile root.pem -out leafless.p7b");
    openssl(dir, "crl2pkcs7 -nocrl -out empty.p7b");
    std::fs::write(dir.join("gap.pem"), text(dir, "mine.pem") + &text(dir, "root.pem")).unwrap();
    for (file, words) in [
        ("leaf.pem", "the public keys differ"),
        ("leafless.p7b", "the public keys differ"),
        ("empty.p7b", "no certificate"),
        ("gap.pem", "the issuer CN=middle is missing"),
        ("mine.csr", "CERTIFICATE"),
        ("leaf.key", "CERTIFICATE"),
    ] {
        bench.refuses("signing/mine/csr", &json!({"fileData": encoded(dir, file)}), DATA, words);
    }
    openssl(dir, "x509 -req -in mine.csr -CA middle.pem -CAkey middle.key -CAcreateserial -days -1 -out past.pem");
    bench.refuses("signing/mine/csr", &json!({"fileData": encoded(dir, "past.pem")}), DATA, "expired");
    bench.refuses("signing/mine/csr", &json!({}), ("fileData", "required"), "fileData");
    bench.refuses("signing/mine/csr", &json!({"fileData": "%%%"}), DATA, "base64");
    assert_eq!(bench.get("signing/mine/certificate").expect(200).text(), before);
}

#[test]
fn export_wants_a_password_and_a_local_key() {
    let bench = Bench::new();
    let pem = key_in_pem(&bench.dir);
    for provider in ["HSM", "LOCAL"] {
        bench.post("signing/import", &imported(provider, provider, &pem)).expect(201);
    }
    for form in ["pkcs12", "pem"] {
        for body in [json!({}), json!({"password": ""}), json!({"password": null})] {
            bench.refuses(&format!("signing/LOCAL/{form}"), &body, ("password", "required"), "password is required");
        }
        for body in [json!({"password": PASSWORD}), json!({"password": ""}), json!({}), json!([]), json!({"no": 1})] {
            let refused = bench.post(&format!("signing/HSM/{form}"), &body).expect(403);
            assert_eq!(refused.json()["resultId"], "not_exportable");
        }
        bench.post(&format!("signing/nobody/{form}"), &json!({"password": PASSWORD})).expect(404);
    }
}

#[test]
fn settings_that_name_unknown_ids_are_refused_at_each_of_them() {
    let bench = Bench::new();
    let pem = key_in_pem(&bench.dir);
    bench.post("sslServer/import", &imported("there", "LOCAL", &pem)).expect(201);
    // Another family's ids do not count.
    bench.post("signing/import", &imported("signing", "LOCAL", &pem)).expect(201);
    let path = format!("{KEY_PAIRS}/sslServer/settings");
    let before = bench.daemon.get(&path).expect(200).json();
    let link = |id: &str| json!({"id": id});
    let settings = json!({
        "runtimeServerCertRef": link("nobody"),
        "adminConsoleCertRef": link("there"),
        "activeRuntimeServerCerts": [link("there"), link("nobody")],
        "activeAdminConsoleCerts": [link("there"), link("signing")],
    });
    let answer = bench.daemon.call(Method::PUT, &path).json(&settings).send().expect(422);
    let fields: Vec<_> = answer.violations().into_iter().map(|(field, _)| field).collect();
    assert!(fields.iter().any(|field| field.starts_with("runtimeServerCertRef")), "{fields:?}");
    assert!(fields.iter().any(|field| field.starts_with("activeRuntimeServerCerts[1]")), "{fields:?}");
    assert!(fields.iter().any(|field| field.starts_with("activeAdminConsoleCerts[1]")), "{fields:?}");
    assert_eq!(bench.daemon.get(&path).expect(200).json(), before);
}
