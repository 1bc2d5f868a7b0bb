#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod attributes;
mod exports;
mod hostile;
mod imports;

use std::path::Path;
use std::process::Command;

use super::{KeyFile, KeyFileError, KeyFileFormat, read};
use strongroom_domain::key::KeyAlgorithm;
use strongroom_domain::secret::Secret;

/// In ASCII, since Java knows no other under PBES2.
const PASSWORD: &str = "cheese & bread";

fn password() -> Secret {
    Secret::new(PASSWORD.as_bytes().to_vec())
}

/// What a program prints, run in a folder.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(arguments).current_dir(folder).env("LC_ALL", "C.UTF-8").output();
    let output = output.unwrap_or_else(|_| panic!("{program} is missing"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
    output.stdout
}

/// The words of one openssl command, parted by blanks.
fn openssl(folder: &Path, command: &str) -> Vec<u8> {
    run(folder, "openssl", &command.split_whitespace().collect::<Vec<_>>())
}

/// How openssl is asked for a key of every algorithm.
const KEYS: [(KeyAlgorithm, &str); 7] = [
    (KeyAlgorithm::RSA_2048, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
    (KeyAlgorithm::RSA_3072, "-algorithm RSA -pkeyopt rsa_keygen_bits:3072"),
    (KeyAlgorithm::RSA_4096, "-algorithm RSA -pkeyopt rsa_keygen_bits:4096"),
    (KeyAlgorithm::P256, "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
    (KeyAlgorithm::P384, "-algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
    (KeyAlgorithm::P521, "-algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
    (KeyAlgorithm::ED25519, "-algorithm ED25519"),
];

/// A folder with `key.pem` (PKCS#8), its certificate `leaf.pem` under `ca.pem`, the password in
/// `pw`, and `spki.der`, the public key as openssl knows it.
fn folder(algorithm: KeyAlgorithm) -> tempfile::TempDir {
    let temporary = tempfile::tempdir().unwrap();
    let at = temporary.path();
    std::fs::write(at.join("pw"), PASSWORD).unwrap();
    let (_, options) = KEYS.iter().find(|(key, _)| *key == algorithm).unwrap();
    openssl(at, &format!("genpkey {options} -out key.pem"));
    openssl(at, "pkey -in key.pem -pubout -outform DER -out spki.der");
    openssl(at, "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=CA");
    openssl(at, "req -new -key key.pem -subj /CN=leaf -out leaf.csr");
    openssl(at, "x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem");
    temporary
}

fn file(folder: &Path, name: &str) -> Vec<u8> {
    std::fs::read(folder.join(name)).unwrap()
}

/// Holds what was read against what openssl knows of the key.
fn assert_is_key(read: &Result<KeyFile, KeyFileError>, at: &Path, algorithm: KeyAlgorithm, form: &str) {
    let read = read.as_ref().unwrap_or_else(|failure| panic!("{algorithm} {form}: {failure}"));
    assert_eq!(read.algorithm, algorithm, "{form}");
    assert_eq!(read.spki.as_bytes(), file(at, "spki.der"), "{algorithm} {form}");
    std::fs::write(at.join("read.der"), read.pkcs8.expose()).unwrap();
    let public = openssl(at, "pkey -in read.der -inform DER -pubout -outform DER");
    assert_eq!(public, read.spki.as_bytes(), "{algorithm} {form}");
    assert!(super::private::from_pkcs8(read.pkcs8.expose()).unwrap().pkcs8.expose() == read.pkcs8.expose());
}
