//! Errors of one operation on one input, which cost no host.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::json;

use super::Bench;
use crate::harness::{Answer, Configuration, Launch, Scratch, Token};

#[test]
fn ciphertexts_that_a_token_answers_with_a_device_error_cost_no_host() {
    let bench = Bench::new(1, "");
    let request = json!({"algorithm": "rsa-2048", "use": "decrypt"});
    let made = bench.daemon.call(Method::POST, "/v1/keys").json(&request).send().expect(201).json();
    let kid = made["kid"].as_str().unwrap();
    let decrypt = |ciphertext: &[u8]| -> Answer {
        let body = json!({"algorithm": "RSA-OAEP", "ciphertext": STANDARD.encode(ciphertext)});
        bench.daemon.call(Method::POST, &format!("/v1/keys/{kid}/decrypt")).json(&body).send()
    };
    decrypt(&[1; 256]).expect(422);
    let hosts = bench.daemon.hosts();
    // As Kryoptic answers whatever it cannot decrypt.
    bench.faults.set("C_Decrypt error=30");
    for seed in 0..24 {
        let answer = decrypt(&[seed; 256]);
        assert_eq!(answer.status.as_u16(), 422, "{}", answer.text());
    }
    assert_eq!(bench.daemon.hosts(), hosts);
    assert_eq!(bench.sign(&bench.keys[0]).status.as_u16(), 200);
}

#[test]
fn a_key_that_cannot_sign_costs_no_host_while_others_can() {
    let bench = Bench::new(1, "workers = 1");
    let unable = bench.key("ed25519", "Ed25519");
    bench.all_sign_within(std::time::Duration::from_secs(5));
    bench.sign(&unable).expect(200);
    let hosts = bench.daemon.hosts();
    bench.faults.set("C_SignInit mechanism=1057 rv=30");
    for _ in 0..24 {
        bench.sign(&bench.keys[0]).expect(200);
        for _ in 0..3 {
            bench.sign(&unable).expect(503);
        }
    }
    for _ in 0..24 {
        bench.sign(&unable).expect(503);
    }
    assert_eq!(bench.daemon.hosts(), hosts);
    bench.faults.clear();
    bench.sign(&unable).expect(200);
}

#[test]
fn labels_that_are_there_are_listed_for_whoever_names_another() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    let configuration = Configuration::new(&dir, &token).selected_by("label = \"another\"");
    let file = configuration.write();
    let output = Launch::command(["check".as_ref(), "--config".as_ref(), file.as_os_str()]).run();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(said.contains("there are \"strongroom\""), "{said}");
}
