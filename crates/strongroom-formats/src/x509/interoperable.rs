//! Whether verifiers read a certificate: one that they stumble over costs them the whole key set that shows it.

use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, ID_RSASSA_PSS, RSA_ENCRYPTION};
use der::Tag;
use der::Tagged as _;
use spki::SubjectPublicKeyInfoRef;

use super::ParseError;
use super::parsed::ParsedCertificate;
use strongroom_domain::key::CertificateDer;

/// Octets of a serial number (RFC 5280 section 4.1.2.2).
const LONGEST_SERIAL: usize = 20;

/// Passes when the usual verifiers read every certificate.
///
/// Go's `crypto/x509` refuses negative serial numbers, RSA keys without NULL and compressed points; Python's `cryptography`
/// refuses serial numbers that are not positive; webpki those of more than 20 octets.
///
/// # Errors
/// The first that they refuse, and why.
pub fn check_interoperable(certificates: &[CertificateDer]) -> Result<(), ParseError> {
    for certificate in certificates {
        let parsed = ParsedCertificate::of(certificate)?;
        if let Some(oddity) = oddity(&parsed) {
            return Err(ParseError(format!("{}: {oddity}", parsed.subject.to_text())));
        }
    }
    Ok(())
}

fn oddity(parsed: &ParsedCertificate<'_>) -> Option<&'static str> {
    if parsed.serial.first().is_some_and(|byte| byte & 0x80 != 0) {
        return Some("its serial number is negative");
    }
    if parsed.serial.iter().all(|byte| *byte == 0) {
        return Some("its serial number is zero");
    }
    if parsed.serial.len() > LONGEST_SERIAL {
        return Some("its serial number has more than 20 octets");
    }
    let Ok(key) = SubjectPublicKeyInfoRef::try_from(parsed.spki) else { return Some("its public key cannot be read") };
    match key.algorithm.oid {
        RSA_ENCRYPTION if key.algorithm.parameters.is_none_or(|parameters| parameters.tag() != Tag::Null) => {
            Some("its RSA key lacks the NULL of RFC 3279")
        }
        ID_RSASSA_PSS => Some("its key is one of RSASSA-PSS alone"),
        ID_EC_PUBLIC_KEY if key.subject_public_key.raw_bytes().first() != Some(&4) => Some("its point is compressed"),
        _ => None,
    }
}
