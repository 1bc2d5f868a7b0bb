//! Certificates that cannot be shown: refused whichever way they come, and no harm where one is in the store.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Bench, P256, PASSWORD, encoded, hierarchy, imported, issue, key_and_certificate, text};
use crate::harness::{Answer, key_pair, openssl, plant_certificate, plant_document, values};

const CAS: &str = "/pf-admin-api/v1/certificates/ca";
const KEYS: &str = "/api/v2/connections/acme/keys";

/// Values of a subjectAltName that are no SEQUENCE of names, by what is wrong with them.
const MALFORMED: [(&str, &str); 7] = [
    ("wrapped-twice", "04:0d:30:0b:82:09:61:2e:65:78:61:6d:70:6c:65"),
    ("set", "31:03:82:01:61"),
    ("null", "05:00"),
    ("trailing", "30:03:82:01:61:00"),
    ("cut-name", "30:03:82:05:61"),
    ("indefinite", "30:80:82:01:61:00:00"),
    ("long-form", "30:81:03:82:01:61"),
];

/// `{name}.key` and a self-signed `{name}.pem` whose subjectAltName has this value.
fn malformed(dir: &Path, name: &str, value: &str) {
    key_and_certificate(dir, name, &format!("{P256} -addext subjectAltName=DER:{value}"));
}

fn both(dir: &Path, name: &str) -> String {
    text(dir, &format!("{name}.key")) + &text(dir, &format!("{name}.pem"))
}

/// A key pair that is in order.
fn good(bench: &Bench, id: &str) {
    let mut request = key_pair("EC", None);
    request["id"] = id.into();
    bench.post("signing/generate", &request).expect(201);
}

fn ids(list: &Answer) -> Vec<String> {
    let list = list.json();
    let mut ids: Vec<_> = list["items"].as_array().unwrap().iter().map(|item| item["id"].to_string()).collect();
    ids.sort();
    ids
}

#[test]
fn import_of_what_cannot_be_shown_leaves_nothing_behind() {
    let bench = Bench::new();
    good(&bench, "good");
    for (name, value) in MALFORMED {
        malformed(&bench.dir, name, value);
        for provider in ["HSM", "LOCAL"] {
            let request = imported("bad", provider, &both(&bench.dir, name));
            bench.refuses("signing/import", &request, ("fileData", "invalid_value"), "subjectAltName");
        }
        bench.get("signing/bad").expect(404);
        assert_eq!(ids(&bench.get("signing").expect(200)), ["\"good\""], "{name}");
    }
    // The same inside of PKCS#12, and whose id is taken besides.
    let export = format!("pkcs12 -export -inkey set.key -in set.pem -passout pass:{PASSWORD} -out set.p12");
    openssl(&bench.dir, &export);
    let answer = bench.import("good", "LOCAL", "set.p12").expect(422);
    let of = |field: &str, rule: &str| (field.to_owned(), rule.to_owned());
    assert_eq!(answer.violations(), [of("fileData", "invalid_value"), of("id", "not_unique")]);
}

#[test]
fn chain_with_an_issuer_that_cannot_be_shown_is_refused() {
    let bench = Bench::new();
    let dir = &bench.dir;
    malformed(dir, "root", MALFORMED[0].1);
    openssl(dir, &format!("req -new -newkey {P256} -nodes -keyout leaf.key -out leaf.csr -subj /CN=leaf"));
    issue(dir, "leaf", "root", "");
    for provider in ["HSM", "LOCAL"] {
        let data = both(dir, "leaf") + &text(dir, "root.pem");
        let request = imported("bad", provider, &data);
        bench.refuses("signing/import", &request, ("fileData", "invalid_value"), "issuer 1 of the chain");
        // Without it all is well.
        bench.post("signing/import", &imported(provider, provider, &both(dir, "leaf"))).expect(201);
    }
}

#[test]
fn link_of_a_key_with_a_certificate_that_cannot_be_shown_is_refused() {
    let bench = Bench::new();
    hierarchy(&bench.dir);
    super::links::foreign_key(&bench, "51", "EC:prime256v1");
    let by = "-CA middle.pem -CAkey middle.key -CAcreateserial -days 30";
    for (name, value) in MALFORMED {
        std::fs::write(bench.dir.join("odd.ext"), format!("subjectAltName=DER:{value}\n")).unwrap();
        let subject = "-new -force_pubkey public.pem -subj /CN=linked";
        openssl(&bench.dir, &format!("x509 {subject} {by} -extfile odd.ext -out {name}.pem"));
        let request = super::links::linked("51", &text(&bench.dir, &format!("{name}.pem")));
        bench.refuses("signing/link", &request, ("certificateData", "invalid_value"), "subjectAltName");
    }
    bench.post("signing/link", &super::links::linked("51", &text(&bench.dir, "51.pem"))).expect(201);
}

#[test]
fn response_that_cannot_be_shown_leaves_the_certificates_as_they_were() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    good(&bench, "mine");
    let before = bench.get("signing/mine").expect(200).json();
    std::fs::write(dir.join("mine.csr"), bench.get("signing/mine/csr").expect(200).body).unwrap();
    for (_, value) in MALFORMED {
        std::fs::write(dir.join("odd.ext"), format!("subjectAltName=DER:{value}\n")).unwrap();
        issue(dir, "mine", "middle", "-extfile odd.ext");
        let request = json!({"fileData": text(dir, "mine.pem")});
        bench.refuses("signing/mine/csr", &request, ("fileData", "invalid_value"), "subjectAltName");
        assert_eq!(bench.get("signing/mine").expect(200).json(), before);
    }
}

#[test]
fn trusted_authority_that_cannot_be_shown_is_refused() {
    let bench = Bench::new();
    for (name, value) in MALFORMED {
        malformed(&bench.dir, name, value);
        let body = json!({"id": "bad", "fileData": encoded(&bench.dir, &format!("{name}.pem"))});
        let refused = bench.daemon.call(Method::POST, &format!("{CAS}/import")).json(&body).send().expect(422);
        assert_eq!(refused.violations(), [("fileData".to_owned(), "invalid_value".to_owned())]);
        assert!(refused.text().contains("subjectAltName"), "{}", refused.text());
        assert_eq!(bench.daemon.get(CAS).expect(200).json(), json!({"items": []}));
    }
}

#[test]
fn names_that_a_second_extension_would_hide_are_refused() {
    let bench = Bench::new();
    let dir = &bench.dir;
    let names = "-addext subjectAltName=DNS:shown -addext issuerAltName=DNS:hidden";
    key_and_certificate(dir, "two", &format!("{P256} {names}"));
    // openssl writes no extension twice: its identifier is patched into that of another.
    let mut der = openssl(dir, "x509 -in two.pem -outform DER");
    let (issuer, subject) = ([0x06, 0x03, 0x55, 0x1d, 0x12], [0x06, 0x03, 0x55, 0x1d, 0x11]);
    let at = der.windows(5).position(|bytes| bytes == issuer).unwrap();
    der[at..at + 5].copy_from_slice(&subject);
    std::fs::write(dir.join("two.der"), der).unwrap();
    openssl(dir, "x509 -inform DER -in two.der -out two.pem");
    let shown = String::from_utf8(openssl(dir, "x509 -in two.pem -noout -text")).unwrap();
    assert_eq!(shown.matches("Subject Alternative Name").count(), 2, "{shown}");
    let request = imported("bad", "LOCAL", &both(dir, "two"));
    bench.refuses("signing/import", &request, ("fileData", "invalid_value"), "subjectAltName");
}

/// A self-signed certificate whose subject is of some type with some bytes, whatever the signature says.
fn renamed(dir: &Path, tag: u8, value: [u8; 5]) -> String {
    key_and_certificate(dir, "abcde", P256);
    let mut der = openssl(dir, "x509 -in abcde.pem -outform DER");
    let name = [&[0x0c, 5][..], b"abcde"].concat();
    let changed = [&[tag, 5][..], &value].concat();
    for at in 0..der.len() - name.len() {
        if der[at..at + name.len()] == name[..] {
            der[at..at + name.len()].copy_from_slice(&changed);
        }
    }
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der));
    text(dir, "abcde.key") + &pem
}

#[test]
fn odd_certificates_are_shown_whole_or_refused() {
    let bench = Bench::new();
    let dir = &bench.dir;
    let mut files = Vec::new();
    for (tag, value) in [
        (0x1e, *b"\0a\0bc"),
        (0x1e, [0xd8, 0, 0xd8, 0, 0]),
        (0x1c, *b"\0\0\0ab"),
        (0x14, [0xff, 0xfe, 0, b'a', b'b']),
        (0x13, [0xff, 0xfe, 0, b'a', b'b']),
        (0x0c, [0xff, 0xfe, 0, b'a', b'b']),
        (0x16, [0x80; 5]),
        (0x04, [1; 5]),
    ] {
        files.push(renamed(dir, tag, value));
    }
    for options in [
        "-set_serial -1",
        "-set_serial 0",
        "-set_serial 0xffffffffffffffffffffffffffffffffffffffff",
        "-set_serial 0x7fffffffffffffffffffffffffffffffffffffffffffffffffff",
        "-days 1000000",
        "-addext subjectAltName=DER:30:00",
        "-addext subjectAltName=DER:30:07:87:05:01:02:03:04:05",
        "-addext subjectAltName=DER:30:04:82:02:ff:fe",
        "-addext subjectAltName=critical,DER:31:00",
        "-addext keyUsage=DER:04:00",
    ] {
        openssl(dir, &format!("req -x509 -newkey {P256} -nodes -keyout odd.key -out odd.pem -subj /CN=odd {options}"));
        files.push(both(dir, "odd"));
    }
    let mut taken = 0;
    for (index, file) in files.iter().enumerate() {
        let id = format!("odd-{index}");
        let answer = bench.post("signing/import", &imported(&id, "LOCAL", file));
        if answer.status.as_u16() == 201 {
            taken += 1;
            let view = answer.json();
            assert!(view["status"].is_string() && view["subjectAlternativeNames"].is_array(), "{view}");
            assert_eq!(bench.get(&format!("signing/{id}")).expect(200).json(), view);
        } else {
            let refused = answer.expect(422);
            assert_eq!(refused.violations(), [("fileData".to_owned(), "invalid_value".to_owned())]);
            bench.get(&format!("signing/{id}")).expect(404);
        }
        assert_eq!(bench.get("signing").expect(200).json()["items"].as_array().unwrap().len(), taken);
    }
    assert!(taken >= 8, "{taken}");
}

/// Bytes in the place of a certificate, as openssl makes them, and what is still known of them.
fn unreadable(dir: &Path) -> [(Vec<u8>, bool); 2] {
    malformed(dir, "poison", MALFORMED[0].1);
    [(openssl(dir, "x509 -in poison.pem -outform DER"), true), (b"\x30\x03\x02\x01\x07".to_vec(), false)]
}

#[test]
fn unreadable_certificate_in_the_store_takes_no_list_down() {
    for (index, (der, is_certificate)) in unreadable(&Bench::new().dir).into_iter().enumerate() {
        let bench = Bench::new();
        for id in ["bad", "good"] {
            good(&bench, id);
        }
        let whole = bench.get("signing/good").expect(200).json();
        bench.daemon.call(Method::POST, KEYS).json(&json!({"signing_alg": "ES256"})).send().expect(201);
        assert_eq!(plant_certificate(&bench.database(), "signing:bad", &der), 1);
        assert_eq!(plant_certificate(&bench.database(), "connection:acme", &der), 2);
        let bench = bench.restarted();

        let list = bench.get("signing").expect(200);
        assert_eq!(ids(&list), ["\"bad\"", "\"good\""], "{index}");
        let items = list.json()["items"].as_array().unwrap().clone();
        let shown = items.iter().find(|item| item["id"] == "bad").unwrap().clone();
        assert!(items.contains(&whole), "{items:?}");
        assert_eq!(bench.get("signing/bad").expect(200).json(), shown);
        check_mark(&shown, is_certificate);

        check_key_sets(&bench);
        check_connection(&bench, is_certificate);
        let certificate = bench.get("signing/bad/certificate").expect(200).text();
        assert!(certificate.starts_with("-----BEGIN CERTIFICATE-----"), "{certificate}");
        bench.daemon.call(Method::POST, "/v1/rotation/sweep").send().expect(200);
        check_telling(&bench);

        bench.delete("signing/bad").expect(204);
        bench.await_finished();
        assert_eq!(ids(&bench.get("signing").expect(200)), ["\"good\""]);
        assert_eq!(bench.token().objects().len(), 6, "three key pairs of two halves");
    }
}

/// No status; every other member that is known all the same.
fn check_mark(shown: &Value, is_certificate: bool) {
    for name in ["status", "subjectAlternativeNames"] {
        assert!(shown.get(name).is_none(), "{shown}");
    }
    for name in ["keyAlgorithm", "sha1Fingerprint", "sha256Fingerprint", "cryptoProvider"] {
        assert!(shown[name].is_string(), "{shown}");
    }
    assert_eq!(shown["keySize"], 256);
    for name in ["serialNumber", "subjectDN", "issuerDN", "validFrom", "expires", "signatureAlgorithm", "version"] {
        assert_eq!(shown.get(name).is_some(), is_certificate, "{name} in {shown}");
    }
}

/// The key is published; its certificates, over which verifiers would stumble, are not.
fn check_key_sets(bench: &Bench) {
    let set = bench.daemon.get("/v1/key-rings/signing:bad/jwks.json").expect(200).json();
    assert_eq!(set["keys"].as_array().unwrap().len(), 1);
    assert!(set["keys"][0].get("x5c").is_none() && set["keys"][0]["kid"].is_string(), "{set}");
    let set = bench.daemon.get("/v1/key-rings/signing:good/jwks.json").expect(200).json();
    assert!(set["keys"][0]["x5c"].is_array(), "{set}");
    let set = bench.daemon.get("/oauth/connection/acme/.well-known/jwks.json").expect(200).json();
    assert_eq!(set["keys"].as_array().unwrap().len(), 2);
}

/// Everything that Auth0's schema asks for, and the subject where it is known.
fn check_connection(bench: &Bench, is_certificate: bool) {
    let keys = bench.daemon.get(KEYS).expect(200).json();
    assert_eq!(keys.as_array().unwrap().len(), 2);
    for key in keys.as_array().unwrap() {
        for name in ["kid", "cert", "fingerprint", "thumbprint"] {
            assert!(key[name].as_str().is_some_and(|text| !text.is_empty()), "{key}");
        }
        for name in ["subject_dn", "pkcs"] {
            assert_eq!(key.get(name).is_some(), is_certificate, "{key}");
        }
    }
    bench.daemon.get("/v1/keys").expect(200);
    bench.daemon.get("/v1/key-rings").expect(200);
    bench.daemon.get("/v1/key-rings/signing:bad").expect(200);
}

/// Metric and log say which.
fn check_telling(bench: &Bench) {
    let metrics = bench.daemon.get("/metrics").expect(200).text();
    let counted = "strongroom_unreadable_certificates_total{holder=\"key pair signing:bad\"}";
    assert!(metrics.contains(counted), "{metrics}");
    let log = bench.daemon.log();
    assert!(log.contains("a stored certificate cannot be read") && log.contains("key pair signing:bad"), "{log}");
}

#[test]
fn unreadable_trusted_authority_in_the_store_takes_no_list_down() {
    for (der, is_certificate) in unreadable(&Bench::new().dir) {
        let bench = Bench::new();
        hierarchy(&bench.dir);
        for id in ["good", "bad"] {
            let body = json!({"id": id, "fileData": encoded(&bench.dir, "root.pem")});
            bench.daemon.call(Method::POST, &format!("{CAS}/import")).json(&body).send().expect(201);
        }
        let whole = bench.daemon.get(&format!("{CAS}/good")).expect(200).json();
        assert_eq!(plant_document(&bench.database(), "bad", &der), 1);
        let bench = bench.restarted();
        let list = bench.daemon.get(CAS).expect(200);
        assert_eq!(ids(&list), ["\"bad\"", "\"good\""]);
        let items = list.json()["items"].as_array().unwrap().clone();
        assert!(items.contains(&whole), "{items:?}");
        let shown = bench.daemon.get(&format!("{CAS}/bad")).expect(200).json();
        assert!(items.contains(&shown) && shown.get("status").is_none(), "{shown}");
        assert_eq!(shown.get("subjectDN").is_some(), is_certificate, "{shown}");
        let metrics = bench.daemon.get("/metrics").expect(200).text();
        assert!(metrics.contains("{holder=\"trusted CA bad\"}"), "{metrics}");
        bench.daemon.delete(&format!("{CAS}/bad")).expect(204);
        assert_eq!(ids(&bench.daemon.get(CAS).expect(200)), ["\"good\""]);
    }
}

#[test]
fn rotation_of_a_key_with_an_unreadable_certificate_fails_alone() {
    let bench = Bench::new();
    for id in ["bad", "good"] {
        good(&bench, id);
        let path = format!("{}/signing/{id}/rotationSettings", super::KEY_PAIRS);
        let settings = json!({"creationBufferDays": 2, "activationBufferDays": 1});
        bench.daemon.call(Method::PUT, &path).json(&settings).send().expect(200);
    }
    let (der, _) = unreadable(&bench.dir).into_iter().next().unwrap();
    assert_eq!(plant_certificate(&bench.database(), "signing:bad", &der), 1);
    let bench = bench.restarted();
    let rotate = |id: &str| bench.daemon.call(Method::POST, &format!("/v1/key-rings/signing:{id}/rotate")).send();
    rotate("good").expect(200);
    let refused = rotate("bad");
    assert!(!refused.status.is_success(), "{}", refused.text());
    bench.daemon.call(Method::POST, "/v1/rotation/sweep").send().expect(200);
    assert_eq!(ids(&bench.get("signing").expect(200)), ["\"bad\"", "\"good\""]);
    let bad = "SELECT state FROM key_pairs WHERE ring = 'signing:bad' ORDER BY state";
    assert_eq!(values(&bench.database(), bad), ["Active"]);
}
