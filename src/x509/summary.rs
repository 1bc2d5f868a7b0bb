//! What a certificate says, in the words that users see.

use super::AlternativeName;
use crate::clock::Timestamp;
use crate::key::CertificateDer;

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
pub struct Unreadable(pub String);

impl CertificateSummary {
    /// Reads a certificate.
    ///
    /// # Errors
    /// When a field is outside of what can be shown.
    pub fn of(_certificate: &CertificateDer) -> Result<Self, Unreadable> {
        Err(Unreadable("not yet".to_owned()))
    }
}
