//! PEM, written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use strongroom_domain::key::{CertificateDer, SpkiDer};

const LINE: usize = 64;

/// The certificate as PEM (RFC 7468 section 5.1).
#[must_use]
pub fn to_pem(certificate: &CertificateDer) -> String {
    encode_pem("CERTIFICATE", certificate.as_bytes())
}

/// A certification request as PEM (RFC 7468 section 7).
#[must_use]
pub fn request_to_pem(request: &[u8]) -> String {
    encode_pem("CERTIFICATE REQUEST", request)
}

/// A public key as PEM (RFC 7468 section 13).
#[must_use]
pub fn public_key_to_pem(spki: &SpkiDer) -> String {
    encode_pem("PUBLIC KEY", spki.as_bytes())
}

/// DER as PEM with lines of 64 characters, each ended by LF (RFC 7468 section 2).
#[must_use]
pub fn encode_pem(label: &str, der: &[u8]) -> String {
    let mut pem = format!("-----BEGIN {label}-----");
    for (index, char) in STANDARD.encode(der).chars().enumerate() {
        if index.is_multiple_of(LINE) {
            pem.push('\n');
        }
        pem.push(char);
    }
    pem.push_str("\n-----END ");
    pem.push_str(label);
    pem.push_str("-----\n");
    pem
}
