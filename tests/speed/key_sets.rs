//! Key sets over HTTP, asked for by `wrk`, beside a fixed string of the same daemon.

use std::process::Command;

use reqwest::Method;
use serde_json::json;

use super::harness::{Configuration, Daemon, Launch, Scratch, Token, key_pair, run};

const CONNECTIONS: &str = "64";
const SECONDS: &str = "3";

/// The fixed string, the set of one ring, and the set of four referenced key pairs.
const PATHS: [&str; 3] = ["/livez", "/v1/key-rings/signing:p256/jwks.json", "/pf/JWKS"];

/// Prints one line for each path; in turn, so that a busy moment of the machine meets all of them.
pub(crate) fn print() {
    let dir = Scratch::new();
    let token = Token::fresh(&dir);
    // Neither side writes lines to the log.
    let mut daemon = Launch::serve(&Configuration::new(&dir, &token)).env("STRONGROOM_LOG", "warn").start();
    daemon.await_ready();
    for (id, algorithm, size) in [("rsa", "RSA", 2048), ("p256", "EC", 256), ("p384", "EC", 384), ("p521", "EC", 521)] {
        let mut request = key_pair(algorithm, Some(size));
        request["id"] = id.into();
        daemon.generate(&request).expect(201);
    }
    let mut settings = json!({"staticJwksEnabled": true});
    for id in ["rsa", "p256", "p384", "p521"] {
        settings[format!("{id}ActiveCertRef")] = json!({"id": id});
    }
    let path = "/pf-admin-api/v1/keyPairs/oauthOpenIdConnect";
    daemon.call(Method::PUT, path).json(&settings).send().expect(200);
    let mut rates = [0.0; PATHS.len()];
    const ROUNDS: u32 = 3;
    for _ in 0..ROUNDS {
        for (rate, path) in rates.iter_mut().zip(PATHS) {
            *rate += rate_of(&daemon, path) / f64::from(ROUNDS);
        }
    }
    println!("key sets, {CONNECTIONS} connections, the mean of {ROUNDS} rounds in turn");
    for (rate, path) in rates.iter().zip(PATHS) {
        let bytes = daemon.call(Method::GET, path).anonymous().send().expect(200).body.len();
        println!("{path:<40} {bytes:>5} bytes {rate:>9.0}/s = {:.2}", rate / rates[0]);
    }
    println!("ratios: to a fixed string; the aim is 0.5 or more\n");
}

fn rate_of(daemon: &Daemon, path: &str) -> f64 {
    let mut command = Command::new("wrk");
    let output =
        run(command.args(["-t1", "-c", CONNECTIONS, "-d", SECONDS]).arg(format!("{}{path}", daemon.base())), b"");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("Non-2xx"), "{said}");
    let rate = said.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
    rate.unwrap_or_else(|| panic!("wrk said {said}{}", String::from_utf8_lossy(&output.stderr)))
}
