//! Key pairs and certificates that come from elsewhere or go there: made and read by openssl,
//! keytool and `pkcs11-tool`.

mod crashes;
mod exports;
mod foreign;
mod imports;
mod links;
mod refusals;
mod requests;
mod unreadable;

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Agreement, Answer, Daemon, Launch, Scratch, Token, agreement, eventually, openssl, rows};

const KEY_PAIRS: &str = "/pf-admin-api/v1/keyPairs";
const PASSWORD: &str = "secret-of-a-file";
const PATIENCE: Duration = Duration::from_secs(40);

/// A daemon, its token, and the files of its clients.
struct Bench {
    daemon: Daemon,
    dir: Scratch,
}

impl Bench {
    fn new() -> Self {
        Self::launched(|launch| launch)
    }

    fn launched(change: impl FnOnce(Launch) -> Launch) -> Self {
        let dir = Scratch::new();
        let daemon = change(Launch::dev(&dir)).start();
        Self { daemon, dir }
    }

    /// The same directory under a new daemon.
    fn restarted(self) -> Self {
        self.daemon.kill();
        let daemon = Launch::dev(&self.dir).start();
        Self { daemon, dir: self.dir }
    }

    fn token(&self) -> Token {
        Token::of_dev(&self.dir)
    }

    fn database(&self) -> PathBuf {
        self.dir.join("strongroom.db")
    }

    /// Every object of the token and every row of the store.
    fn holdings(&self) -> Agreement {
        agreement(&self.token(), &self.database())
    }

    /// Waits until reconcile has nothing left to do.
    fn await_finished(&self) {
        let finished = || rows(&self.database()).iter().all(|row| !row.is_unfinished());
        eventually("the end of reconcile", PATIENCE, || finished().then_some(()));
    }

    /// Posts to a path below the key pairs.
    fn post(&self, path: &str, body: &Value) -> Answer {
        self.daemon.call(Method::POST, &format!("{KEY_PAIRS}/{path}")).json(body).send()
    }

    fn get(&self, path: &str) -> Answer {
        self.daemon.get(&format!("{KEY_PAIRS}/{path}"))
    }

    fn delete(&self, path: &str) -> Answer {
        self.daemon.delete(&format!("{KEY_PAIRS}/{path}"))
    }

    /// Imports a file as a signing key pair.
    fn import(&self, id: &str, provider: &str, file: &str) -> Answer {
        self.post("signing/import", &imported(id, provider, &encoded(&self.dir, file)))
    }

    /// Refuses with one violation that says these words, and neither token nor store changes.
    #[track_caller]
    fn refuses(&self, path: &str, body: &Value, violation: (&str, &str), words: &str) {
        let before = self.holdings();
        let answer = self.post(path, body).expect(422);
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.json()["resultId"], "validation_error");
        let (field, rule) = violation;
        assert_eq!(answer.violations(), [(field.to_owned(), rule.to_owned())], "{}", answer.text());
        assert!(answer.text().contains(words), "`{words}` in {}", answer.text());
        assert_eq!(self.holdings(), before, "a refused request left something behind");
    }
}

/// A request for an import.
fn imported(id: &str, provider: &str, data: &str) -> Value {
    json!({"id": id, "fileData": data, "password": PASSWORD, "cryptoProvider": provider})
}

fn encoded(dir: &Path, name: &str) -> String {
    STANDARD.encode(std::fs::read(dir.join(name)).unwrap())
}

fn text(dir: &Path, name: &str) -> String {
    std::fs::read_to_string(dir.join(name)).unwrap()
}

/// `{name}.key` and its self-signed `{name}.pem`, for `openssl req -newkey`'s options.
fn key_and_certificate(dir: &Path, name: &str, options: &str) {
    openssl(dir, &format!("req -x509 -newkey {options} -nodes -keyout {name}.key -out {name}.pem -subj /CN={name}"));
}

/// A private key and its certificate in one text.
fn key_in_pem(dir: &Path) -> String {
    key_and_certificate(dir, "key", P256);
    text(dir, "key.key") + &text(dir, "key.pem")
}

const P256: &str = "ec -pkeyopt ec_paramgen_curve:P-256";

/// `root.pem` issued `middle.pem` issued `leaf.pem`; each has its key beside.
fn hierarchy(dir: &Path) {
    key_and_certificate(dir, "root", P256);
    std::fs::write(dir.join("ca.ext"), "basicConstraints=critical,CA:TRUE\n").unwrap();
    for (name, issuer) in [("middle", "root"), ("leaf", "middle")] {
        openssl(dir, &format!("req -new -newkey {P256} -nodes -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        issue(dir, name, issuer, if name == "middle" { "-extfile ca.ext" } else { "" });
    }
}

/// `{name}.pem` for `{name}.csr`, by an issuer of the hierarchy.
fn issue(dir: &Path, name: &str, issuer: &str, options: &str) {
    let by = format!("-CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial");
    openssl(dir, &format!("x509 -req -in {name}.csr {by} -days 30 {options} -out {name}.pem"));
}

/// The public key of a PEM file's private key.
fn public_half(dir: &Path, file: &str, password: &str) -> Vec<u8> {
    openssl(dir, &format!("pkey -in {file} -passin pass:{password} -pubout"))
}

/// The public key that a certificate in PEM is for.
fn certified_key(dir: &Path, certificate: &str) -> Vec<u8> {
    std::fs::write(dir.join("certified.pem"), certificate).unwrap();
    openssl(dir, "x509 -in certified.pem -noout -pubkey")
}
