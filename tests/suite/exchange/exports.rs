//! Key pairs that leave, read by openssl and keytool.

use serde_json::json;

use super::{Bench, PASSWORD, certified_key, hierarchy, imported, public_half, text};
use crate::harness::{key_pair, keytool, openssl, values};

#[test]
fn every_export_is_read_by_openssl_and_keytool() {
    let bench = Bench::new();
    let dir = &bench.dir;
    for (algorithm, size) in [("RSA", Some(2048)), ("EC", Some(256)), ("EC", Some(521)), ("Ed25519", None)] {
        let mut request = key_pair(algorithm, size);
        request["cryptoProvider"] = "LOCAL".into();
        let id = bench.post("signing/generate", &request).expect(201).id();
        let certificate = bench.get(&format!("signing/{id}/certificate")).expect(200).text();
        let public = certified_key(dir, &certificate);
        let password = json!({"password": PASSWORD});

        let pem = bench.post(&format!("signing/{id}/pem"), &password).expect(200).text();
        std::fs::write(dir.join("out.pem"), &pem).unwrap();
        assert_eq!(public_half(dir, "out.pem", PASSWORD), public, "{algorithm}");
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----") && pem.ends_with(&certificate));
        // keytool reads no private key in PEM, nor a file that begins with one.
        openssl(dir, "x509 -in out.pem -out certificate.pem");
        assert_eq!(text(dir, "certificate.pem"), certificate);
        std::fs::write(dir.join("certificates.pem"), &pem[pem.find("-----BEGIN CERTIFICATE").unwrap()..]).unwrap();
        for file in ["certificate.pem", "certificates.pem"] {
            assert!(keytool(dir, &format!("-printcert -file {file}")).contains("Owner: CN=Example"), "{file}");
        }

        std::fs::write(dir.join("out.p12"), bench.post(&format!("signing/{id}/pkcs12"), &password).expect(200).body)
            .unwrap();
        openssl(dir, &format!("pkcs12 -in out.p12 -passin pass:{PASSWORD} -nodes -out all.pem"));
        assert_eq!(public_half(dir, "all.pem", ""), public);
        // keytool opens the key and writes it anew.
        let (from, to) = (format!("-srckeystore out.p12 -srcstorepass {PASSWORD}"), "-deststorepass another");
        let _ = std::fs::remove_file(dir.join("again.p12"));
        let types = "-srcstoretype PKCS12 -deststoretype PKCS12";
        keytool(dir, &format!("-importkeystore {from} -destkeystore again.p12 {to} {types} -noprompt"));
        openssl(dir, "pkcs12 -in again.p12 -passin pass:another -nodes -out again.pem");
        assert_eq!(public_half(dir, "again.pem", ""), public, "{algorithm}");

        let wrong = "pkcs12 -in out.p12 -passin pass:wrong -nokeys";
        let mut command = std::process::Command::new("openssl");
        assert!(!crate::harness::run(command.args(wrong.split(' ')).current_dir(&**dir), b"").status.success());
    }
    let audited = values(&bench.database(), "SELECT detail FROM audit_events WHERE action = 'key.exported'");
    assert_eq!(audited.len(), 8, "each export is on record");
}

#[test]
fn exported_key_pair_is_imported_with_its_chain() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    let chain = text(dir, "leaf.pem") + &text(dir, "middle.pem") + &text(dir, "root.pem");
    bench.post("signing/import", &imported("soft", "LOCAL", &(text(dir, "leaf.key") + &chain))).expect(201);
    for (form, provider) in [("pkcs12", "HSM"), ("pem", "HSM"), ("pkcs12", "LOCAL"), ("pem", "LOCAL")] {
        let file = bench.post(&format!("signing/soft/{form}"), &json!({"password": PASSWORD})).expect(200);
        std::fs::write(dir.join("out"), &file.body).unwrap();
        let id = format!("{form}-{provider}");
        bench.import(&id, provider, "out").expect(201);
        assert_eq!(bench.get(&format!("signing/{id}/certificate")).expect(200).text(), chain);
        if form == "pkcs12" {
            let store = format!("-keystore out -storetype PKCS12 -storepass {PASSWORD}");
            let listed = keytool(dir, &format!("-list -v {store}"));
            assert!(listed.contains("Certificate chain length: 3"), "{listed}");
        }
    }
}
