//! SoftHSM tokens, and what they hold in the eyes of `pkcs11-tool`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::lane::{assert_token_allowed, on_local_keys};
use super::programs::{built_beside_daemon, softhsm_module, stdout_of};

const SO_PIN: &str = "so-pin-of-a-test";

/// One token, its configuration and its PIN.
#[derive(Clone)]
pub struct Token {
    pub module: &'static Path,
    pub conf: PathBuf,
    pub label: String,
    pub pin: String,
}

/// One object as `pkcs11-tool --list-objects` shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Object {
    pub private: bool,
    /// `EC`, `RSA`, ...: what follows the class.
    pub kind: String,
    pub label: String,
    /// `CKA_ID` in lower-case hex, empty where there is none.
    pub id: String,
    pub usage: Vec<String>,
    pub access: Vec<String>,
}

impl Token {
    /// A fresh token under `dir`, set up with `softhsm2-util`.
    #[track_caller]
    pub fn fresh(dir: &Path) -> Self {
        let token = Self::absent(dir);
        token.appear();
        token
    }

    /// The configuration of a token that is not there yet.
    #[track_caller]
    pub fn absent(dir: &Path) -> Self {
        assert_token_allowed();
        let store = dir.join("tokens");
        fs::create_dir_all(&store).expect("a directory for the token");
        let conf = dir.join("softhsm2.conf");
        let text =
            format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", store.display());
        fs::write(&conf, text).expect("a configuration for SoftHSM");
        Self { module: softhsm_module(), conf, label: "strongroom".to_owned(), pin: "pin-of-a-test".to_owned() }
    }

    /// Makes an absent token.
    pub fn appear(&self) {
        let mut command = Command::new("softhsm2-util");
        command.env("SOFTHSM2_CONF", &self.conf).args(["--init-token", "--free", "--label", &self.label]);
        stdout_of(command.args(["--so-pin", SO_PIN, "--pin", &self.pin]));
    }

    /// The token that `strongroom dev` made under its data directory, unless tests have LOCAL keys.
    pub fn in_use(data: &Path) -> Option<Self> {
        (!on_local_keys()).then(|| Self::of_dev(data))
    }

    /// The token that `strongroom dev` made under its data directory.
    #[track_caller]
    pub fn of_dev(data: &Path) -> Self {
        assert_token_allowed();
        let pin = fs::read_to_string(data.join("pin")).expect("the PIN of dev's token");
        let (label, pin) = ("strongroom".to_owned(), pin.trim_end().to_owned());
        Self { module: softhsm_module(), conf: data.join("softhsm2.conf"), label, pin }
    }

    /// Every key that the token shows to a logged-in user, sorted; the one that seals software keys left out.
    pub fn objects(&self) -> Vec<Object> {
        let mut objects = parse(&self.tool(&["--list-objects"]));
        objects.sort();
        objects
    }

    /// What `pkcs11-tool` prints, logged in; it has to succeed.
    pub fn tool(&self, args: &[&str]) -> String {
        let mut command = Command::new("pkcs11-tool");
        command.env("SOFTHSM2_CONF", &self.conf).env("TOKEN_PIN", &self.pin).arg("--module").arg(self.module);
        command.args(["--token-label", &self.label, "--login", "--pin", "env:TOKEN_PIN"]);
        stdout_of(command.args(args))
    }

    /// The one private key with this `CKA_ID`.
    pub fn private_key(&self, id: &str) -> Object {
        let found: Vec<Object> = self.objects().into_iter().filter(|o| o.private && o.id == id).collect();
        let [key] = found.as_slice() else { panic!("one private key {id} expected, found {found:?}") };
        key.clone()
    }

    /// What the token says when its secret is asked for: `value: ...` and `wrap: ...`.
    pub fn secrecy(&self, id: &str) -> String {
        let mut command = Command::new(built_beside_daemon("token-probe"));
        command.env("SOFTHSM2_CONF", &self.conf).env("TOKEN_PROBE_PIN", &self.pin);
        stdout_of(command.arg(self.module).arg(&self.label).arg(id))
    }

    /// Puts a key of somebody else into the token.
    pub fn add_foreign_key(&self, label: &str, id: &str) {
        self.tool(&["--keypairgen", "--key-type", "EC:prime256v1", "--label", label, "--id", id]);
    }

    /// Puts a secret key of somebody else into the token.
    pub fn add_foreign_secret(&self, label: &str, id: &str) {
        self.tool(&["--keygen", "--key-type", "AES:32", "--label", label, "--id", id]);
    }

    /// Writes a public key (`SubjectPublicKeyInfo` in DER) to a file.
    pub fn write_public_key(&self, id: &str, file: &Path) {
        let file = file.to_str().expect("a path in plain text");
        self.tool(&["--read-object", "--type", "pubkey", "--id", id, "--output-file", file]);
    }
}

fn parse(listing: &str) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    let mut within_key = false;
    for line in listing.lines() {
        if !line.starts_with(' ') {
            within_key = false;
            if let Some((class, kind)) = line.split_once(" Key Object; ") {
                within_key = true;
                objects.push(Object::bare(class == "Private", kind.split_whitespace().next().unwrap_or_default()));
            }
        } else if let (true, Some(object), Some((name, value))) =
            (within_key, objects.last_mut(), line.trim().split_once(':'))
        {
            object.note(name, value.trim());
        }
    }
    objects.retain(|object| !object.label.starts_with("sr-seal:"));
    objects
}

impl Object {
    fn bare(private: bool, kind: &str) -> Self {
        let (label, id) = (String::new(), String::new());
        Self { private, kind: kind.to_owned(), label, id, usage: Vec::new(), access: Vec::new() }
    }

    fn note(&mut self, name: &str, value: &str) {
        let words = || value.split(", ").filter(|word| !word.is_empty()).map(str::to_owned).collect();
        match name {
            "label" => value.clone_into(&mut self.label),
            "ID" => value.clone_into(&mut self.id),
            "Usage" => self.usage = words(),
            "Access" => self.access = words(),
            _ => {}
        }
    }
}
