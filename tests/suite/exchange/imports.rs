//! Every form of file that openssl and keytool make, to either provider.

use serde_json::json;

use super::{
    Bench, P256, PASSWORD, certified_key, encoded, hierarchy, imported, key_and_certificate, key_in_pem, text,
};
use crate::harness::{Answer, keytool, openssl, values};

/// Imports to HSM and LOCAL; both views, certificates and provider are held against openssl.
fn imported_to_both(bench: &Bench, name: &str, data: &str, public: &[u8]) {
    for provider in ["HSM", "LOCAL"] {
        let id = format!("{name}-{provider}");
        let view = bench.post("signing/import", &imported(&id, provider, data)).expect(201).json();
        assert_eq!(
            (&view["id"], &view["cryptoProvider"], &view["status"]),
            (&json!(id), &json!(provider), &json!("VALID"))
        );
        let certificate = bench.get(&format!("signing/{id}/certificate")).expect(200).text();
        assert_eq!(certified_key(&bench.dir, &certificate), public, "{name}");
        // It really signs: openssl checks the request's signature.
        std::fs::write(bench.dir.join("request.pem"), bench.get(&format!("signing/{id}/csr")).expect(200).body)
            .unwrap();
        openssl(&bench.dir, "req -in request.pem -verify -noout");
    }
}

#[test]
fn every_form_that_openssl_writes_is_imported_to_either_provider() {
    let bench = Bench::new();
    let dir = &bench.dir;
    for (name, options) in [("rsa", "rsa:2048"), ("ec", P256)] {
        key_and_certificate(dir, name, options);
        let export = format!("pkcs12 -export -inkey {name}.key -in {name}.pem -passout pass:{PASSWORD}");
        for (form, command) in [
            ("modern.p12", format!("{export} -out modern.p12")),
            ("legacy.p12", format!("{export} -legacy -out legacy.p12")),
            ("encrypted.key", format!("pkcs8 -topk8 -in {name}.key -passout pass:{PASSWORD} -out encrypted.key")),
            ("traditional.key", format!("pkey -in {name}.key -traditional -out traditional.key")),
            ("plain.key", format!("pkey -in {name}.key -out plain.key")),
        ] {
            openssl(dir, &command);
            let public = super::public_half(dir, &format!("{name}.key"), "");
            let data = match form.strip_suffix(".key") {
                // PEM as it is for RSA, in base64 for EC.
                Some(_) => {
                    let pem = text(dir, form) + &text(dir, &format!("{name}.pem"));
                    std::fs::write(dir.join("both.pem"), &pem).unwrap();
                    if name == "rsa" { pem } else { encoded(dir, "both.pem") }
                }
                None => encoded(dir, form),
            };
            let (form, _) = form.split_once('.').unwrap();
            imported_to_both(&bench, &format!("{name}-{form}"), &data, &public);
        }
    }
    assert_eq!(bench.get("signing").expect(200).json()["items"].as_array().unwrap().len(), 20);
    let where_they_are = "SELECT DISTINCT provider || (sealed IS NOT NULL) FROM key_pairs ORDER BY 1";
    assert_eq!(values(&bench.database(), where_they_are), ["HSM0", "LOCAL1"]);
    assert_eq!(bench.token().objects().len(), 20, "ten keys of two halves");
}

#[test]
fn key_stores_of_java_are_imported_to_either_provider() {
    let bench = Bench::new();
    let dir = &bench.dir;
    for (name, options) in [("rsa", "-keyalg RSA -keysize 2048"), ("ec", "-keyalg EC -groupname secp384r1")] {
        let store = format!("-keystore {name}.p12 -storetype PKCS12 -storepass {PASSWORD} -alias mine");
        keytool(dir, &format!("-genkeypair {options} {store} -dname CN={name}"));
        let certificate = keytool(dir, &format!("-exportcert -rfc {store}"));
        imported_to_both(&bench, name, &encoded(dir, &format!("{name}.p12")), &certified_key(dir, &certificate));
    }
}

#[test]
fn chain_of_a_file_is_put_in_order_kept_and_served() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    std::fs::write(dir.join("chain.pem"), text(dir, "root.pem") + &text(dir, "middle.pem")).unwrap();
    openssl(
        dir,
        &format!(
            "pkcs12 -export -inkey leaf.key -in leaf.pem -certfile chain.pem -passout pass:{PASSWORD} -out leaf.p12"
        ),
    );
    for provider in ["HSM", "LOCAL"] {
        let view = bench.import(provider, provider, "leaf.p12").expect(201).json();
        assert_eq!((&view["subjectDN"], &view["issuerDN"]), (&json!("CN=leaf"), &json!("CN=middle")));
        let served = bench.get(&format!("signing/{provider}/certificate")).expect(200).text();
        assert_eq!(served, text(dir, "leaf.pem") + &text(dir, "middle.pem") + &text(dir, "root.pem"));
    }
}

#[test]
fn certificates_that_have_nothing_to_do_with_the_key_are_left_out() {
    let bench = Bench::new();
    let dir = &bench.dir;
    hierarchy(dir);
    key_and_certificate(dir, "stranger", P256);
    let chain = text(dir, "leaf.pem") + &text(dir, "middle.pem") + &text(dir, "root.pem");
    std::fs::write(dir.join("more.pem"), text(dir, "stranger.pem") + &text(dir, "root.pem") + &text(dir, "middle.pem"))
        .unwrap();
    let options = format!("-certfile more.pem -passout pass:{PASSWORD} -out more.p12");
    openssl(dir, &format!("pkcs12 -export -inkey leaf.key -in leaf.pem {options}"));
    std::fs::write(dir.join("more.key"), text(dir, "leaf.key") + &text(dir, "leaf.pem") + &text(dir, "more.pem"))
        .unwrap();
    for (file, provider) in [("more.p12", "HSM"), ("more.p12", "LOCAL"), ("more.key", "HSM"), ("more.key", "LOCAL")] {
        let id = format!("{provider}-{file}");
        assert_eq!(bench.import(&id, provider, file).expect(201).json()["subjectDN"], "CN=leaf");
        assert_eq!(bench.get(&format!("signing/{id}/certificate")).expect(200).text(), chain, "{id}");
    }
}

#[test]
fn expired_certificate_is_imported_and_shown_as_expired() {
    let bench = Bench::new();
    let dir = &bench.dir;
    openssl(dir, &format!("req -new -newkey {P256} -nodes -keyout old.key -out old.csr -subj /CN=old"));
    // Its validity ended a day ago.
    openssl(dir, "x509 -req -in old.csr -signkey old.key -days -1 -out old.pem");
    openssl(dir, &format!("pkcs12 -export -inkey old.key -in old.pem -passout pass:{PASSWORD} -out old.p12"));
    for provider in ["HSM", "LOCAL"] {
        assert_eq!(bench.import(provider, provider, "old.p12").expect(201).json()["status"], "EXPIRED");
        assert_eq!(bench.get(&format!("signing/{provider}")).expect(200).json()["status"], "EXPIRED");
    }
}

#[test]
fn each_family_imports_into_its_own_ids() {
    let bench = Bench::new();
    let pem = key_in_pem(&bench.dir);
    for family in ["signing", "sslServer", "sslClient"] {
        bench.post(&format!("{family}/import"), &imported("same", "LOCAL", &pem)).expect(201);
        assert_eq!(bench.get(&format!("{family}/same")).expect(200).id(), "same");
    }
}

#[test]
fn deleted_import_leaves_nothing_in_the_token_and_its_id_is_free_again() {
    let bench = Bench::new();
    let pem = key_in_pem(&bench.dir);
    for _ in 0..2 {
        bench.post("signing/import", &imported("again", "HSM", &pem)).expect(201);
        assert_eq!(bench.token().objects().len(), 2);
        bench.delete("signing/again").expect(204);
        bench.await_finished();
        assert_eq!(bench.token().objects(), []);
    }
}

#[test]
fn same_import_under_one_idempotency_key_is_one_key_pair() {
    let bench = Bench::new();
    let pem = key_in_pem(&bench.dir);
    let mut request = imported("", "HSM", &pem);
    request.as_object_mut().unwrap().remove("id");
    let send = |request: &serde_json::Value| -> Answer {
        let path = format!("{}/signing/import", super::KEY_PAIRS);
        let call = bench.daemon.call(reqwest::Method::POST, &path).header("Idempotency-Key", "once");
        call.json(request).send()
    };
    let first = send(&request).expect(201).json();
    assert_eq!(send(&request).expect(201).json(), first);
    assert_eq!(bench.token().objects().len(), 2);
    request["cryptoProvider"] = "LOCAL".into();
    send(&request).expect(422);
    let log = bench.daemon.log();
    assert!(!log.contains(PASSWORD) && !log.contains("PRIVATE KEY"), "no secret in the log");
}
