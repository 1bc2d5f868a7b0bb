//! The textual form of certificates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::key::CertificateDer;

const LINE: usize = 64;

/// The certificate as PEM with lines of 64 characters, each ended by LF (RFC 7468
/// section 5.1).
#[must_use]
pub fn to_pem(certificate: &CertificateDer) -> String {
    let mut pem = String::from("-----BEGIN CERTIFICATE-----");
    for (index, char) in STANDARD.encode(certificate.as_bytes()).chars().enumerate() {
        if index.is_multiple_of(LINE) {
            pem.push('\n');
        }
        pem.push(char);
    }
    pem.push_str("\n-----END CERTIFICATE-----\n");
    pem
}
