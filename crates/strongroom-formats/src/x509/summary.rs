//! What a certificate says, in the words that users see.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use der::Decode;
use der::asn1::AnyRef;

use super::algorithm::jca_name;
use super::parsed::ParsedCertificate;
use super::{AlternativeName, KeyFacts};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::CertificateDer;

/// The facts of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSummary {
    /// Decimal, of any length.
    pub serial_number: String,
    /// `CN=..., OU=..., O=..., L=..., ST=..., C=...`: the reverse of the encoded order.
    pub subject: String,
    pub issuer: String,
    /// DNS, IP, e-mail and URI names in the encoded order.
    pub alternative_names: Vec<AlternativeName>,
    pub not_before: Timestamp,
    pub not_after: Timestamp,
    /// JCA name where there is one, else the dotted OID.
    pub signature_algorithm: String,
    /// The X.509 version: 1, 2 or 3.
    pub version: u32,
    /// Upper-case hex without separators, over the DER.
    pub sha1_fingerprint: String,
    pub sha256_fingerprint: String,
}

/// A certificate whose fields are outside of what can be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate cannot be read: {0}")]
pub struct ParseError(pub String);

impl ParseError {
    /// The same about an issuer in a chain, counted from the leaf.
    fn of_issuer(self, index: usize) -> Self {
        Self(format!("issuer {index} of the chain: {}", self.0))
    }
}

impl CertificateSummary {
    /// Reads a certificate.
    ///
    /// # Errors
    /// When a field is outside of what can be shown.
    pub fn of(certificate: &CertificateDer) -> Result<Self, ParseError> {
        let parsed = ParsedCertificate::of(certificate)?;
        let alternative_names = alternative_names(&parsed)?;
        Ok(Self { alternative_names, ..Self::without_alternative_names(certificate, &parsed) })
    }

    /// Reads what is left of a certificate whose alternative names cannot be read; they are empty.
    ///
    /// # Errors
    /// When the bytes are no certificate.
    pub fn remains(certificate: &CertificateDer) -> Result<Self, ParseError> {
        Ok(Self::without_alternative_names(certificate, &ParsedCertificate::of(certificate)?))
    }

    fn without_alternative_names(certificate: &CertificateDer, parsed: &ParsedCertificate<'_>) -> Self {
        Self {
            serial_number: decimal(parsed.serial),
            subject: parsed.subject.to_text(),
            issuer: parsed.issuer.to_text(),
            alternative_names: Vec::new(),
            not_before: parsed.not_before,
            not_after: parsed.not_after,
            signature_algorithm: jca_name(&parsed.signature_algorithm),
            version: parsed.version,
            sha1_fingerprint: sha1_fingerprint(certificate),
            sha256_fingerprint: sha256_fingerprint(certificate),
        }
    }
}

/// Passes when every view can show every certificate: the gate of all that come from outside.
///
/// It reads them as views do, by [`CertificateSummary::read`] and [`KeyFacts::read`].
///
/// # Errors
/// The first that cannot be shown, by its place where there are several, and why.
pub fn check_readable(certificates: &[CertificateDer]) -> Result<(), ParseError> {
    for (index, certificate) in certificates.iter().enumerate() {
        let read = CertificateSummary::of(certificate).and_then(|_| KeyFacts::of(certificate));
        read.map_err(|why| if index == 0 { why } else { why.of_issuer(index) })?;
    }
    Ok(())
}

/// SHA-1 over the DER of a certificate, in upper-case hex without separators.
#[must_use]
pub fn sha1_fingerprint(certificate: &CertificateDer) -> String {
    fingerprint(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate.as_bytes())
}

/// SHA-256 over the DER of a certificate, in upper-case hex without separators.
#[must_use]
pub fn sha256_fingerprint(certificate: &CertificateDer) -> String {
    fingerprint(&digest::SHA256, certificate.as_bytes())
}

/// Names of other types are passed over, so that a directory name hides no DNS name; a second
/// extension is refused, because the names of one would hide those of the other (RFC 5280 section 4.2).
fn alternative_names(parsed: &ParsedCertificate<'_>) -> Result<Vec<AlternativeName>, ParseError> {
    let mut extensions = parsed.extensions.iter().filter(|extension| extension.id == ID_CE_SUBJECT_ALT_NAME);
    let Some(extension) = extensions.next() else {
        return Ok(Vec::new());
    };
    if extensions.next().is_some() {
        return Err(ParseError("subjectAltName: it is there twice".to_owned()));
    }
    let names = Vec::<AnyRef<'_>>::from_der(extension.value)
        .map_err(|failure| ParseError(format!("subjectAltName: {failure}")))?;
    Ok(names.into_iter().filter_map(AlternativeName::of_general_name).collect())
}

fn fingerprint(algorithm: &'static digest::Algorithm, der: &[u8]) -> String {
    let mut hex = String::new();
    for byte in digest::digest(algorithm, der).as_ref() {
        let _ = write!(hex, "{byte:02X}");
    }
    hex
}

/// The decimal of a big-endian two's complement integer: serial numbers of others may be
/// negative (RFC 5280 section 4.1.2.2).
pub(super) fn decimal(integer: &[u8]) -> String {
    const BASE: u64 = 1_000_000_000;
    let negative = integer.first().is_some_and(|byte| byte & 0x80 != 0);
    // Little-endian limbs of nine digits. The magnitude of a negative number is the
    // complement of its bits, plus one.
    let mut limbs: Vec<u64> = Vec::new();
    let mut add = |factor: u64, summand: u64| {
        let mut carry = summand;
        for limb in &mut limbs {
            let value = *limb * factor + carry;
            *limb = value % BASE;
            carry = value / BASE;
        }
        if carry != 0 {
            limbs.push(carry);
        }
    };
    for byte in integer {
        add(256, u64::from(if negative { !byte } else { *byte }));
    }
    add(1, u64::from(negative));
    let mut text = if negative { "-".to_owned() } else { String::new() };
    let mut most_significant_first = limbs.iter().rev();
    let _ = write!(text, "{}", most_significant_first.next().unwrap_or(&0));
    for limb in most_significant_first {
        let _ = write!(text, "{limb:09}");
    }
    text
}
