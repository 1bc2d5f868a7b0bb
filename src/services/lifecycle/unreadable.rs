//! Certificates in the store that cannot be read: the intake refuses them, older versions did not.

use strongroom_domain::key::KeyPair;
use strongroom_formats::x509::ParseError;

const UNREADABLE: &str = "strongroom_unreadable_certificates_total";

/// Writes to the log and counts that an answer lacks what a stored certificate should say.
///
/// `holder` is what the certificate belongs to, in words: it is the label of the metric.
pub fn note_unreadable(holder: String, why: &ParseError) {
    tracing::warn!(holder, error = %why, "a stored certificate cannot be read; answers lack what it says");
    metrics::counter!(UNREADABLE, "holder" => holder).increment(1);
}

/// The words for a key pair: `key pair signing:orders-2026`.
#[must_use]
pub fn holder_of(pair: &KeyPair) -> String {
    match &pair.ring {
        Some(ring) => format!("key pair {ring}"),
        None => format!("key pair {}", pair.id),
    }
}
