//! Other families' word on signatures: openssl, joserfc, jose.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::programs::{python, run};
use super::scratch::Scratch;

/// A public key in PEM, and what others say to signatures by it.
pub struct PublicKey(pub String);

impl PublicKey {
    /// Whether openssl finds that `signature` (ECDSA as DER) is this key's over `message`.
    pub fn openssl_verifies(&self, jca_name: &str, message: &[u8], signature: &[u8]) -> bool {
        let dir = Scratch::new();
        let (key, message_file, signature_file) = (dir.join("key.pem"), dir.join("message"), dir.join("signature"));
        for (file, bytes) in [(&key, self.0.as_bytes()), (&message_file, message), (&signature_file, signature)] {
            std::fs::write(file, bytes).expect("a file for openssl");
        }
        let mut command = Command::new("openssl");
        if jca_name == "Ed25519" {
            command.args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"]).arg(&key);
            command.arg("-sigfile").arg(&signature_file).arg("-in").arg(&message_file);
        } else {
            let hash = jca_name.split_once("with").expect("a hash").0.to_lowercase();
            command.args(["dgst", &format!("-{hash}"), "-verify"]).arg(&key).arg("-signature").arg(&signature_file);
            if jca_name.ends_with("MGF1") {
                command.args(["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]);
            }
            command.arg(&message_file);
        }
        run(&mut command, b"").status.success()
    }

    /// What joserfc (Python) finds in a JWS: `header` and `payload`; `None` when it does not verify.
    pub fn joserfc_reads(&self, algorithm: &str, jws: &str) -> Option<Value> {
        self.read(python().arg(oracle("verify.py")), algorithm, jws)
    }

    /// What jose (JavaScript) finds in a JWS; `None` when it does not verify.
    pub fn jose_reads(&self, algorithm: &str, jws: &str) -> Option<Value> {
        let python = std::env::var("STRONGROOM_ORACLES_PYTHON").expect("the oracles, as `make test` prepares them");
        let home = Path::new(&python).ancestors().nth(2).expect("their directory");
        let mut node = Command::new("node");
        self.read(node.env("STRONGROOM_ORACLES", home).arg(oracle("verify.mjs")), algorithm, jws)
    }

    /// How many of some signatures Python's cryptography finds right, and how many wrong: lines of
    /// message and ECDSA signature (DER) over its SHA-256, both base64.
    pub fn cryptography_verifies(&self, lines: &str) -> (usize, usize) {
        let dir = Scratch::new();
        let key = dir.join("key.pem");
        std::fs::write(&key, &self.0).expect("a file for the key");
        let output = run(python().arg(oracle("signatures.py")).arg(&key), lines.as_bytes());
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let counts: Vec<usize> = said.split_whitespace().filter_map(|count| count.parse().ok()).collect();
        let [good, bad] = counts.as_slice() else { panic!("{said}{}", String::from_utf8_lossy(&output.stderr)) };
        (*good, *bad)
    }

    fn read(&self, program: &mut Command, algorithm: &str, jws: &str) -> Option<Value> {
        let dir = Scratch::new();
        let key = dir.join("key.pem");
        std::fs::write(&key, &self.0).expect("a file for the key");
        let output = run(program.arg(&key).arg(algorithm), jws.as_bytes());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let absent =
            ["No module named", "Cannot find module", "MODULE_NOT_FOUND"].iter().any(|sign| said.contains(sign));
        assert!(!absent, "{said}\n`make test` installs it; by hand: tests/oracles/setup DIR");
        if output.status.success() { serde_json::from_slice(&output.stdout).ok() } else { None }
    }
}

/// A script of another family.
pub fn oracle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(name)
}
