//! What the keys of connections are.

use std::process::Command;

use serde_json::Value;

use super::{create, kids, list, rotate, served};
use crate::harness::{Certificate, Launch, Scratch, Token, agreement, openssl, python, run};

const ALGORITHMS: [(&str, &str); 7] = [
    ("RS256", "Signature Algorithm: sha256WithRSAEncryption"),
    ("RS384", "Signature Algorithm: sha384WithRSAEncryption"),
    ("RS512", "Signature Algorithm: sha512WithRSAEncryption"),
    ("PS256", "Signature Algorithm: rsassaPss"),
    ("PS384", "Signature Algorithm: rsassaPss"),
    ("ES256", "Signature Algorithm: ecdsa-with-SHA256"),
    ("ES384", "Signature Algorithm: ecdsa-with-SHA384"),
];

#[test]
fn every_algorithm_makes_keys_that_openssl_and_joserfc_describe_alike() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    for (algorithm, signature) in ALGORITHMS {
        let made = create(&daemon, &format!("con_{algorithm}"), algorithm).expect(201).json();
        assert_eq!(made.as_array().unwrap().len(), 2);
        for key in made.as_array().unwrap() {
            assert_eq!(key["algorithm"], algorithm);
            let text = assert_described(key);
            assert!(text.contains(signature), "{algorithm}: {text}");
            if let Some(bits) = algorithm.strip_prefix("PS") {
                assert!(text.contains(&format!("Hash Algorithm: sha{bits}")), "{text}");
            }
            for extension in ["CA:FALSE", "Digital Signature", "X509v3 Subject Key Identifier"] {
                assert!(text.contains(extension), "{extension}: {text}");
            }
        }
    }
    assert_eq!(agreement(&Token::of_dev(&dir), &dir.join("strongroom.db")).quarrel(), None);
}

#[test]
fn a_key_signs_with_the_algorithm_that_was_asked_for_and_no_other() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let made = create(&daemon, "con_ps", "PS256").expect(201).json();
    let key = daemon.get(&format!("/v1/keys/{}", made[0]["kid"].as_str().unwrap())).expect(200).json();
    assert_eq!(key["permitted"], serde_json::json!(["SHA256withRSAandMGF1"]), "{key}");
}

#[test]
fn the_largest_keys_of_the_longest_name_fit_into_their_fields() {
    let dir = Scratch::new();
    let daemon = served(&dir, "[auth0]\nrsa-bits = 4096\nvalid-days = 30");
    // Four bytes a character, and longer than a certificate's name may be.
    let name = "𝕏".repeat(200);
    let made = create(&daemon, &"%F0%9D%95%8F".repeat(200), "PS384").expect(201).json();
    for key in made.as_array().unwrap() {
        assert_eq!(key["subject_dn"], format!("/CN={}", name.chars().take(128).collect::<String>()));
        for field in ["cert", "pkcs"] {
            let length = key[field].as_str().unwrap().len();
            assert!(length <= 4096, "{field} has {length}");
        }
        let text = certificate(key).text();
        assert!(text.contains("Public-Key: (4096 bit)"), "{text}");
        certificate(key).verify().unwrap();
        let facts = certificate(key).facts();
        let day = |name: &str| facts[name][..10].to_owned();
        assert_ne!(day("validFrom"), day("expires"));
    }
}

#[test]
fn an_id_may_have_any_characters_that_are_percent_encoded() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    for (encoded, id) in
        [("con%7Cx%2Fy", "con|x/y"), ("a%20b%25", "a b%"), ("con|raw", "con|raw"), ("%2F..%2F", "/../")]
    {
        let made = create(&daemon, encoded, "ES256").expect(201).json();
        assert_eq!(made[0]["subject_dn"], format!("/CN={id}"));
        assert_eq!(kids(&list(&daemon, encoded)), kids(made.as_array().unwrap()));
        rotate(&daemon, encoded, "ES256").expect(201);
    }
}

#[test]
fn an_idempotency_key_gives_the_same_keys_once() {
    let dir = Scratch::new();
    let daemon = Launch::dev(&dir).start();
    let ask = |path: &str, body: &str| {
        let call = daemon.call(reqwest::Method::POST, &format!("/api/v2/connections/con_i/keys{path}"));
        call.header("Idempotency-Key", "once").body(body).send()
    };
    let first = ask("", "{}").expect(201).json();
    assert_eq!(ask("", "{}").expect(201).json(), first);
    ask("", "null").expect(400);
    let next = ask("/rotate", "").expect(201).json();
    assert_eq!(ask("/rotate", "").expect(201).json(), next);
    assert_eq!(list(&daemon, "con_i").len(), 3);
}

/// What `openssl x509 -text` says of a key's certificate, once its other fields agree.
fn assert_described(key: &Value) -> String {
    let pem = key["cert"].as_str().unwrap();
    let certificate = certificate(key);
    certificate.verify().unwrap();
    let printed = &certificate.facts()["sha1Fingerprint"];
    assert_eq!(key["thumbprint"], **printed);
    assert_eq!(key["fingerprint"].as_str().unwrap().replace(':', ""), **printed);

    let dir = Scratch::new();
    std::fs::write(dir.join("chain.p7"), key["pkcs"].as_str().unwrap()).unwrap();
    std::fs::write(dir.join("cert.pem"), pem).unwrap();
    let inside = String::from_utf8(openssl(&dir, "pkcs7 -print_certs -in chain.p7")).unwrap();
    let block = inside.find("-----BEGIN").map(|start| inside[start..].trim_end());
    assert_eq!(block, Some(pem.replace("\r\n", "\n").trim_end()), "{inside}");
    openssl(&dir, "x509 -in cert.pem -pubkey -noout -out public.pem");
    let script = "import sys; from joserfc.jwk import ECKey, RSAKey\n\
                  pem = open(sys.argv[1], 'rb').read()\n\
                  print((ECKey if sys.argv[2][0] == 'E' else RSAKey).import_key(pem).thumbprint())";
    let mut command: Command = python();
    let algorithm = key["algorithm"].as_str().unwrap();
    let output = run(command.args(["-c", script]).arg(dir.join("public.pem")).arg(algorithm), b"");
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert_eq!(key["kid"], said, "{}", String::from_utf8_lossy(&output.stderr));
    certificate.text()
}

fn certificate(key: &Value) -> Certificate {
    Certificate(key["cert"].as_str().unwrap().to_owned())
}
