//! What openssl and keytool make, and openssl's word on a certificate.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use super::programs::{run, stdout_of};
use super::scratch::Scratch;

/// What one openssl command, its words parted by blanks, prints in a directory; it has to succeed.
#[track_caller]
pub fn openssl(dir: &Path, line: &str) -> Vec<u8> {
    let output = run(Command::new("openssl").args(line.split_whitespace()).current_dir(dir), b"");
    assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// What one keytool command prints in a directory; it has to succeed.
#[track_caller]
pub fn keytool(dir: &Path, line: &str) -> String {
    stdout_of(Command::new("keytool").args(line.split_whitespace()).current_dir(dir))
}

/// A certificate in PEM.
pub struct Certificate(pub String);

impl Certificate {
    /// Whether openssl accepts it as its own issuer, signature included; else why not.
    ///
    /// # Errors
    /// With what openssl printed.
    pub fn verify(&self) -> Result<(), String> {
        let dir = Scratch::new();
        let file = dir.join("certificate.pem");
        std::fs::write(&file, &self.0).expect("a file for the certificate");
        // Without check_ss_sig openssl takes a trusted certificate's signature on trust.
        let mut command = Command::new("openssl");
        let output = run(command.args(["verify", "-check_ss_sig", "-CAfile"]).arg(&file).arg(&file), b"");
        if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
    }

    /// `openssl x509 -text`.
    pub fn text(&self) -> String {
        self.print(&["-text"])
    }

    /// What a view says of it, as openssl prints it: `serialNumber`, `subjectDN`,
    /// `issuerDN`, `validFrom`, `expires`, `sha1Fingerprint`, `sha256Fingerprint`.
    pub fn facts(&self) -> BTreeMap<&'static str, String> {
        let names = ["-serial", "-subject", "-issuer", "-dates", "-dateopt", "iso_8601"];
        let form = ["-nameopt", "sep_comma_plus_space,dn_rev,sname,esc_2253,utf8"];
        let printed = self.print(&[&names[..], &form[..]].concat());
        let value = |name: &str| {
            let line = printed.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
            line.unwrap_or_else(|| panic!("{name} in {printed}")).to_owned()
        };
        let date = |name: &str| value(name).replace(' ', "T").replace('Z', ".000Z");
        let fingerprint = |hash: &str| {
            let line = self.print(&["-fingerprint", hash]);
            line.trim().split_once('=').expect("a fingerprint").1.replace(':', "")
        };
        BTreeMap::from([
            ("serialNumber", u128::from_str_radix(&value("serial"), 16).expect("a serial number").to_string()),
            ("subjectDN", value("subject")),
            ("issuerDN", value("issuer")),
            ("validFrom", date("notBefore")),
            ("expires", date("notAfter")),
            ("sha1Fingerprint", fingerprint("-sha1")),
            ("sha256Fingerprint", fingerprint("-sha256")),
        ])
    }

    fn print(&self, options: &[&str]) -> String {
        let dir = Scratch::new();
        let file = dir.join("certificate.pem");
        std::fs::write(&file, &self.0).expect("a file for the certificate");
        stdout_of(Command::new("openssl").arg("x509").arg("-in").arg(&file).arg("-noout").args(options))
    }
}
