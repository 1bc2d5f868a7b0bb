//! The textual form of certificates and public keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::{CertificateDer, SpkiDer};

const LINE: usize = 64;

/// The certificate as PEM with lines of 64 characters, each ended by LF (RFC 7468
/// section 5.1).
#[must_use]
pub fn to_pem(certificate: &CertificateDer) -> String {
    textual("CERTIFICATE", certificate.as_bytes())
}

/// The public key as PEM of the same shape (RFC 7468 section 13).
#[must_use]
pub fn public_key_to_pem(spki: &SpkiDer) -> String {
    textual("PUBLIC KEY", spki.as_bytes())
}

fn textual(label: &str, der: &[u8]) -> String {
    let mut pem = format!("-----BEGIN {label}-----");
    for (index, char) in STANDARD.encode(der).chars().enumerate() {
        if index.is_multiple_of(LINE) {
            pem.push('\n');
        }
        pem.push(char);
    }
    pem + &format!("\n-----END {label}-----\n")
}
