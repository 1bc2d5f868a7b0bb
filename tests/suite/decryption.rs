//! Decryption over HTTP: what others encrypt, and how little is said of what does not decrypt.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{
    AUDITOR, Answer, Configuration, Daemon, Faults, Launch, Scratch, Token, openssl, oracle, python, run,
};
use crate::hybrid::SEALED_BY_TOKEN;

const SECRET: &[u8] = b"what nobody else may read";

/// A decryption key with its public half in a file of its own.
struct Key {
    dir: Scratch,
    kid: String,
    ring: String,
}

impl Key {
    fn make(daemon: &Daemon, provider: &str) -> Self {
        let request = json!({"algorithm": "rsa-2048", "use": "decrypt", "provider": provider});
        let view = daemon.call(Method::POST, "/v1/keys").json(&request).send().expect(201).json();
        assert_eq!((view["use"].as_str(), &view["signatureAlgorithm"]), (Some("decrypt"), &Value::Null));
        assert_eq!(view["permitted"], json!(["RSA-OAEP", "RSA-OAEP-256"]));
        let text = |name: &str| view[name].as_str().unwrap().to_owned();
        let key = Self { dir: Scratch::new(), kid: text("kid"), ring: text("ring") };
        let public = daemon.get(&format!("/v1/keys/{}/public.pem", key.kid)).expect(200).text();
        std::fs::write(key.dir.join("public.pem"), public).unwrap();
        key
    }

    /// What openssl makes of a plaintext with OAEP of this hash.
    fn encrypted(&self, hash: &str, plaintext: &[u8]) -> Vec<u8> {
        std::fs::write(self.dir.join("plaintext"), plaintext).unwrap();
        let oaep = format!("rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:{hash} -pkeyopt rsa_mgf1_md:{hash}");
        openssl(&self.dir, &format!("pkeyutl -encrypt -pubin -inkey public.pem -in plaintext -pkeyopt {oaep}"))
    }

    /// A compact JWE that joserfc (Python) makes.
    fn jwe(&self, algorithm: &str, plaintext: &[u8]) -> String {
        let mut command = python();
        let output = run(command.arg(oracle("encrypt.py")).arg(self.dir.join("public.pem")).arg(algorithm), plaintext);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}\n`make test` installs it; by hand: tests/oracles/setup DIR");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

fn decrypt(daemon: &Daemon, path: &str, algorithm: &str, ciphertext: &[u8]) -> Answer {
    let body = json!({"algorithm": algorithm, "ciphertext": STANDARD.encode(ciphertext)});
    daemon.call(Method::POST, &format!("{path}/decrypt")).json(&body).send()
}

fn plaintext(answer: &Value) -> Vec<u8> {
    STANDARD.decode(answer["plaintext"].as_str().expect("a plaintext")).unwrap()
}

/// The content of a JWE whose content encryption key was decrypted.
fn content(jwe: &str, cek: &[u8]) -> Vec<u8> {
    let parts: Vec<&str> = jwe.split('.').collect();
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, cek).unwrap());
    let nonce = Nonce::try_assume_unique_for_key(&bytes(parts[2])).unwrap();
    let mut sealed = [bytes(parts[3]), bytes(parts[4])].concat();
    key.open_in_place(nonce, Aad::from(parts[0].as_bytes()), &mut sealed).unwrap().to_vec()
}

fn serve(sections: &str) -> (Scratch, Daemon) {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let mut daemon =
        Launch::serve(&Configuration::new(&dir, &token).with(sections)).env("STRONGROOM_LOG", "trace").start();
    daemon.await_ready();
    (dir, daemon)
}

#[test]
fn ciphertext_of_openssl_and_python_is_decrypted_and_never_logged() {
    let (_dir, daemon) = serve(SEALED_BY_TOKEN);
    for (provider, algorithms) in
        [("HSM", &[("RSA-OAEP", "sha1")][..]), ("LOCAL", &[("RSA-OAEP", "sha1"), ("RSA-OAEP-256", "sha256")])]
    {
        let key = Key::make(&daemon, provider);
        let paths = [format!("/v1/keys/{}", key.kid), format!("/v1/key-rings/{}", key.ring)];
        for (algorithm, hash) in algorithms {
            for path in &paths {
                let answer = decrypt(&daemon, path, algorithm, &key.encrypted(hash, SECRET)).expect(200);
                assert_eq!(answer.header("cache-control"), "no-store");
                let answer = answer.json();
                assert_eq!(plaintext(&answer), SECRET, "{provider} {algorithm}");
                assert_eq!((&answer["kid"], &answer["algorithm"]), (&json!(key.kid), &json!(algorithm)));
            }
            let empty = decrypt(&daemon, &paths[0], algorithm, &key.encrypted(hash, b"")).expect(200).json();
            assert_eq!(plaintext(&empty), b"");
            let jwe = key.jwe(algorithm, SECRET);
            let encrypted = URL_SAFE_NO_PAD.decode(jwe.split('.').nth(1).unwrap()).unwrap();
            let cek = plaintext(&decrypt(&daemon, &paths[0], algorithm, &encrypted).expect(200).json());
            assert_eq!(content(&jwe, &cek), SECRET);
        }
    }
    let log = daemon.log();
    let listed = format!("{SECRET:?}");
    for secret in [String::from_utf8_lossy(SECRET).into_owned(), STANDARD.encode(SECRET), listed[1..40].to_owned()] {
        assert!(!log.contains(&secret), "a plaintext is in the log");
    }
    assert!(log.contains("/decrypt"), "the log tells of decryptions");
}

#[test]
fn every_ciphertext_that_does_not_decrypt_gets_one_and_the_same_answer() {
    let (_dir, daemon) = serve(SEALED_BY_TOKEN);
    for provider in ["HSM", "LOCAL"] {
        let (key, other) = (Key::make(&daemon, provider), Key::make(&daemon, provider));
        let good = key.encrypted("sha1", SECRET);
        let (mut first, mut last) = (good.clone(), good.clone());
        first[0] ^= 0x40;
        last[255] ^= 1;
        let pkcs1 = openssl(&key.dir, "pkeyutl -encrypt -pubin -inkey public.pem -in plaintext");
        let bad = [
            first,
            last,
            pkcs1,
            other.encrypted("sha1", SECRET),
            key.encrypted("sha256", SECRET),
            vec![0xff; 256],
            vec![0; 256],
            good[..255].to_vec(),
            [good.as_slice(), &[0]].concat(),
            Vec::new(),
        ];
        let refusal = |ciphertext: &Vec<u8>| {
            let answer = decrypt(&daemon, &format!("/v1/keys/{}", key.kid), "RSA-OAEP", ciphertext).expect(422);
            let mut problem = answer.json();
            assert!(problem["requestId"].is_string());
            problem["requestId"] = Value::Null;
            let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            headers.sort();
            (problem, headers)
        };
        let refusals: Vec<_> = bad.iter().map(refusal).collect();
        assert_eq!(refusals[0].0["violations"][0]["path"], "ciphertext");
        for (n, refused) in refusals.iter().enumerate() {
            assert_eq!(refused, &refusals[0], "{provider} {n}");
        }
        decrypt(&daemon, &format!("/v1/keys/{}", key.kid), "RSA-OAEP", &good).expect(200);
    }
}

#[test]
fn refused_ciphertext_never_reaches_the_token() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let faults = Faults::new(&dir);
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token).with_faults(&faults)).start();
    daemon.await_ready();
    let key = Key::make(&daemon, "HSM");
    let good = key.encrypted("sha1", SECRET);
    let path = format!("/v1/keys/{}", key.kid);
    let signer = daemon.call(Method::POST, "/v1/keys").json(&json!({"algorithm": "rsa-2048"})).send().expect(201);
    let signer = format!("/v1/keys/{}", signer.json()["kid"].as_str().unwrap());
    let before = (faults.calls("C_DecryptInit"), faults.calls("C_SignInit"));

    decrypt(&daemon, &path, "RSA-OAEP-256", &good).expect(422);
    decrypt(&daemon, &path, "RSA1_5", &good).expect(422);
    decrypt(&daemon, &path, "RSA-OAEP", &good[1..]).expect(422);
    decrypt(&daemon, &signer, "RSA-OAEP", &good).expect(403);
    decrypt(&daemon, "/v1/keys/nobody", "RSA-OAEP", &good).expect(404);
    decrypt(&daemon, "/v1/key-rings/signing:nobody", "RSA-OAEP", &good).expect(404);
    decrypt(&daemon, "/v1/key-rings/nonsense", "RSA-OAEP", &good).expect(400);
    let body = json!({"algorithm": "RSA-OAEP", "ciphertext": STANDARD.encode(&good)});
    let call = || daemon.call(Method::POST, &format!("{path}/decrypt"));
    call().bearer(AUDITOR).json(&body).send().expect(403);
    call().anonymous().json(&body).send().expect(401);
    call().json(&json!({"algorithm": "RSA-OAEP", "ciphertext": "a b"})).send().expect(422);
    for malformed in [
        r#"{"algorithm": "RSA-OAEP"}"#,
        r#"{"algorithm": "RSA-OAEP", "ciphertext": "AA==", "ciphertext": "AA=="}"#,
        r#"{"algorithm": "RSA-OAEP", "ciphertext": "AA==", "label": "x"}"#,
        r#"["RSA-OAEP", "AA=="]"#,
    ] {
        call().body(malformed).send().expect(400);
    }
    call().body(vec![b' '; 300 * 1024]).send().expect(413);
    for sign in ["sign", "jws", "sign-batch"] {
        let body = match sign {
            "sign" => json!({"algorithm": "RS256", "message": "AA=="}),
            "jws" => json!({"payload": {}}),
            _ => json!({"algorithm": "RS256", "items": [{"message": "AA=="}]}),
        };
        daemon.call(Method::POST, &format!("{path}/{sign}")).json(&body).send().expect(403);
    }
    assert_eq!((faults.calls("C_DecryptInit"), faults.calls("C_SignInit")), before, "something reached the token");
    decrypt(&daemon, &path, "RSA-OAEP", &good).expect(200);
    assert!(faults.calls("C_DecryptInit") > before.0, "the count counts");
}
