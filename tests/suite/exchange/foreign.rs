//! Files and certificates as other products write them: taken with a remark, or refused for the true reason.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Bench, KEY_PAIRS, P256, PASSWORD, encoded, hierarchy, imported, issue, key_and_certificate, text};
use crate::harness::{Answer, Configuration, Launch, Scratch, key_pair, openssl, values};

const DATA: (&str, &str) = ("fileData", "invalid_value");

fn generated(bench: &Bench, id: &str) {
    let mut request = key_pair("EC", None);
    request["id"] = id.into();
    bench.post("signing/generate", &request).expect(201);
    std::fs::write(bench.dir.join("mine.csr"), bench.get(&format!("signing/{id}/csr")).expect(200).body).unwrap();
}

fn remarks(answer: &Answer) -> Vec<String> {
    let all = answer.headers.get_all("strongroom-remark").iter();
    all.map(|value| value.to_str().unwrap().to_owned()).collect()
}

/// `root.pem` of some algorithm, which issued `mine.pem` for `mine.csr`.
fn issued_by(dir: &Path, root: &str, options: &str) {
    openssl(dir, &format!("genpkey -algorithm {root} -out root.key"));
    openssl(dir, &format!("req -x509 -new -key root.key {options} -subj /CN=root -days 30 -out root.pem"));
    issue(dir, "mine", "root", options);
}

#[test]
fn responses_by_authorities_of_every_kind_are_taken_and_what_was_not_verified_is_said() {
    let bench = Bench::new();
    let dir = &bench.dir;
    generated(&bench, "mine");
    let pss = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen";
    for (root, options, unverified) in [
        ("RSA -pkeyopt rsa_keygen_bits:2048", format!("{pss}:max"), None),
        ("RSA -pkeyopt rsa_keygen_bits:2048", format!("{pss}:17"), None),
        ("RSA -pkeyopt rsa_keygen_bits:1024", "-sha1".to_owned(), None),
        ("EC -pkeyopt ec_paramgen_curve:secp256k1", "-sha224".to_owned(), None),
        ("EC -pkeyopt ec_paramgen_curve:brainpoolP384r1", String::new(), Some("brainpoolP384r1")),
        ("ED448", String::new(), Some("Ed448")),
    ] {
        issued_by(dir, root, &options);
        let chain = text(dir, "mine.pem") + &text(dir, "root.pem");
        for sent in [chain.clone(), text(dir, "root.pem") + &text(dir, "mine.pem")] {
            let answer = bench.post("signing/mine/csr", &json!({"fileData": sent})).expect(200);
            assert_eq!(answer.json()["issuerDN"], "CN=root");
            assert_eq!(bench.get("signing/mine/certificate").expect(200).text(), chain, "{root}");
            let said = remarks(&answer);
            assert_eq!(said.len(), usize::from(unverified.is_some()), "{root}: {said:?}");
            let trail =
                values(&bench.database(), "SELECT detail FROM audit_events WHERE action = 'key.certificates-replaced'");
            if let Some(what) = unverified {
                assert!(said[0].contains("was not verified") && said[0].contains(what), "{said:?}");
                assert!(trail.last().unwrap().contains(&said[0]), "{trail:?}");
            }
        }
    }
}

#[test]
fn policy_refuses_what_cannot_be_verified_by_its_name() {
    let dir = Scratch::new();
    let configuration = Configuration::usual(&dir).with("[pingfederate]\nrequire-trusted-issuer = true\n");
    let mut daemon = Launch::serve(&configuration).start();
    daemon.await_ready();
    let call = |path: &str, body: &Value| daemon.call(Method::POST, path).json(body).send();
    let made = call(&format!("{KEY_PAIRS}/signing/generate"), &key_pair("EC", None)).expect(201).id();
    let path = format!("{KEY_PAIRS}/signing/{made}/csr");
    std::fs::write(dir.join("mine.csr"), daemon.get(&path).expect(200).body).unwrap();
    issued_by(&dir, "ED448", "");
    let trust = json!({"fileData": text(&dir, "root.pem")});
    call("/pf-admin-api/v1/certificates/ca/import", &trust).expect(201);
    let sent = json!({"fileData": text(&dir, "mine.pem") + &text(&dir, "root.pem")});
    let refused = call(&path, &sent).expect(422);
    assert_eq!(refused.violations(), [("fileData".to_owned(), "invalid_value".to_owned())]);
    for words in ["cannot be verified here (Ed448)", "require-trusted-issuer"] {
        assert!(refused.text().contains(words), "{}", refused.text());
    }
}

#[test]
fn serial_number_that_breaks_verifiers_is_kept_out_of_key_sets_and_said() {
    let bench = Bench::new();
    let dir = &bench.dir;
    for (id, serial, words) in [("good", "7", None), ("zero", "0", Some("zero")), ("below", "-5", Some("negative"))] {
        key_and_certificate(dir, id, &format!("{P256} -set_serial {serial}"));
        let data = text(dir, &format!("{id}.key")) + &text(dir, &format!("{id}.pem"));
        let answer = bench.post("signing/import", &imported(id, "LOCAL", &data)).expect(201);
        assert_eq!(answer.json()["serialNumber"], serial);
        let said = remarks(&answer);
        assert_eq!(said.len(), usize::from(words.is_some()), "{said:?}");
        assert!(
            said.first().is_none_or(|remark| remark.contains("x5c") && remark.contains(words.unwrap())),
            "{said:?}"
        );
        let keys = bench.daemon.get(&format!("/v1/key-rings/signing:{id}/jwks.json")).expect(200).json();
        assert_eq!(keys["keys"][0].get("x5c").is_some(), words.is_none(), "{keys}");
    }
    assert_eq!(bench.get("signing").expect(200).json()["items"].as_array().unwrap().len(), 3);
}

#[test]
fn of_two_certificates_for_a_key_in_pkcs12_the_expired_one_is_never_taken_silently() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    openssl(dir, "x509 -req -in leaf.csr -CA middle.pem -CAkey middle.key -CAcreateserial -days -1 -out over.pem");
    let export = |leaf: &str, more: &str| {
        let files = format!("-inkey leaf.key -in {leaf}.pem -certfile {more}.pem -name it");
        openssl(dir, &format!("pkcs12 -export {files} -passout pass:{PASSWORD} -out {leaf}.p12"));
    };
    export("leaf", "over");
    let answer = bench.import("renewed", "LOCAL", "leaf.p12").expect(201);
    assert_eq!(answer.json()["status"], "VALID");
    assert!(remarks(&answer)[0].starts_with("Left out: CN=leaf by CN=middle, valid until"), "{answer:?}");
    let trail = values(&bench.database(), "SELECT detail FROM audit_events WHERE action = 'key.requested'");
    assert!(trail.last().unwrap().contains("The file calls the key \"it\"."), "{trail:?}");
    // The file says that the other one belongs to the key.
    export("over", "leaf");
    let answer = bench.import("over", "LOCAL", "over.p12").expect(201);
    assert_eq!(answer.json()["status"], "EXPIRED");
    assert!(remarks(&answer)[0].contains("expired"), "{answer:?}");
    // Nothing says so in PEM.
    let data = text(dir, "leaf.key") + &text(dir, "over.pem") + &text(dir, "leaf.pem");
    let answer = bench.post("signing/import", &imported("pem", "LOCAL", &data)).expect(201);
    assert_eq!((&answer.json()["status"], remarks(&answer).len()), (&json!("VALID"), 1));
}

#[test]
fn empty_password_opens_what_was_closed_with_it_and_pbmac1_is_written_on_request() {
    let bench = Bench::new();
    let dir = &bench.dir;
    key_and_certificate(dir, "key", P256);
    openssl(dir, "pkcs12 -export -inkey key.key -in key.pem -passout pass: -out key.p12");
    for provider in ["HSM", "LOCAL"] {
        let mut request = imported(provider, provider, &encoded(dir, "key.p12"));
        request["password"] = "".into();
        bench.post("signing/import", &request).expect(201);
    }
    let asked = |mac: Value| json!({"password": PASSWORD, "mac": mac});
    let pbmac1 = bench.post("signing/LOCAL/pkcs12", &asked("PBMAC1".into())).expect(200).body;
    let plain = bench.post("signing/LOCAL/pkcs12", &asked("PKCS12_KDF".into())).expect(200).body;
    let oid = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0e];
    let has = |data: &[u8]| data.windows(oid.len()).any(|bytes| bytes == oid);
    assert!(has(&pbmac1) && !has(&plain));
    for (id, data) in [("again", &pbmac1), ("plain", &plain)] {
        bench.post("signing/import", &imported(id, "LOCAL", &STANDARD.encode(data))).expect(201);
    }
    bench.post("signing/LOCAL/pkcs12", &asked("MD5".into())).expect(400);
}

#[test]
fn armours_that_are_not_taken_are_named() {
    let bench = Bench::new();
    let dir = &bench.dir;
    key_and_certificate(dir, "key", P256);
    let data = text(dir, "key.key") + &text(dir, "key.pem");
    let wide: Vec<u8> = [0xfeff].into_iter().chain(data.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    openssl(dir, &format!("pkcs12 -export -inkey key.key -in key.pem -passout pass:{PASSWORD} -out key.p12"));
    let twice = STANDARD.encode(encoded(dir, "key.p12"));
    for (sent, words) in [(STANDARD.encode(&wide), "UTF-16"), (twice, "base64 of base64")] {
        bench.refuses("signing/import", &imported("bad", "LOCAL", &sent), DATA, words);
    }
    for after in [&b"\0\0\0"[..], b"\r\n"] {
        let sent = [std::fs::read(dir.join("key.p12")).unwrap().as_slice(), after].concat();
        let id = format!("after-{}", after.len());
        bench.post("signing/import", &imported(&id, "LOCAL", &STANDARD.encode(sent))).expect(201);
    }
}

#[test]
fn hostile_files_are_refused_in_words_and_in_no_time() {
    let bench = Bench::new();
    let dir = &bench.dir;
    key_and_certificate(dir, "key", P256);
    let before = Instant::now();
    let pem = text(dir, "key.pem");
    // Thirty-three are enough: the count is bounded before anything else is asked.
    let many = text(dir, "key.key") + &pem.repeat(40);
    bench.refuses("signing/import", &imported("bad", "LOCAL", &many), ("fileData", "too_long"), "32 certificates");
    generated(&bench, "mine");
    bench.refuses("signing/mine/csr", &json!({"fileData": pem.repeat(40)}), DATA, "40 certificates, at most 32");
    let bag = |kind: u8, value: &[u8]| {
        let kind = [0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x0a, 0x01, kind];
        tlv(0x30, &[kind.as_slice(), &tlv(0xa0, value)].concat())
    };
    let file = |bags: &[u8]| {
        let data = |contents: &[u8]| {
            let kind = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
            tlv(0x30, &[kind.as_slice(), &tlv(0xa0, &tlv(0x04, contents))].concat())
        };
        let safe = tlv(0x30, &data(&tlv(0x30, bags)));
        tlv(0x30, &[&[2, 1, 3][..], &data(&safe)].concat())
    };
    let nested = (0..100).fold(bag(4, &[5, 0]), |inside, _| bag(6, &tlv(0x30, &inside)));
    for data in [file(&bag(4, &[5, 0]).repeat(4_000)), file(&nested)] {
        let sent = STANDARD.encode(&data);
        bench.refuses("signing/import", &imported("bad", "LOCAL", &sent), ("fileData", "too_long"), "bags");
    }
    assert!(before.elapsed() < Duration::from_secs(20), "{:?}", before.elapsed());
}

/// An element of DER.
fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length: Vec<u8> = contents.len().to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let header = match u8::try_from(contents.len()) {
        Ok(short @ 0..0x80) => vec![tag, short],
        _ => [&[tag, 0x80 | u8::try_from(length.len()).unwrap()], length.as_slice()].concat(),
    };
    [header.as_slice(), contents].concat()
}
