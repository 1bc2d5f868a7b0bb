//! Rows and what they mean: the only place that knows how a value is stored.

use super::seam::{Columns, FromColumn, unreadable};

use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{
    CertificateDer, KeyAlgorithm, KeyOrigin, KeyPair, KeyState, KeyUse, Kid, Locator, ProviderKind, SealedKey,
    SignatureAlgorithm, SpkiDer,
};

/// The key pair of a row of `key_pairs`.
///
/// # Errors
/// When a column holds a value that this program does not write.
pub(super) fn key_pair(row: &impl Columns) -> sqlx::Result<KeyPair> {
    Ok(KeyPair {
        id: required(row, "id", |text: &str| text.parse().ok())?,
        ring: optional(row, "ring", |text: &str| text.parse().ok())?,
        generation: row.get("generation")?,
        state: required(row, "state", KeyState::from_name)?,
        missing_since: optional(row, "missing_since", moment)?,
        missing: row.get("missing")?,
        provider: required(row, "provider", ProviderKind::from_name)?,
        locator: required(row, "locator", |bytes| Locator::from_bytes(bytes).ok())?,
        sealed: optional(row, "sealed", |bytes: &[u8]| Some(SealedKey::from_bytes(bytes.to_vec())))?,
        origin: required(row, "origin", KeyOrigin::from_name)?,
        key_use: required(row, "key_use", KeyUse::from_name)?,
        algorithm: required(row, "algorithm", KeyAlgorithm::from_name)?,
        signature_algorithm: required(row, "signature_algorithm", SignatureAlgorithm::from_jca_name)?,
        permitted: required(row, "permitted", |names: &str| {
            names.split_whitespace().map(SignatureAlgorithm::from_jca_name).collect()
        })?,
        kid: optional(row, "kid", |text: &str| Kid::parse(text).ok())?,
        spki: optional(row, "spki", |bytes: &[u8]| SpkiDer::parse(bytes.to_vec()).ok())?,
        certificates: required(row, "certificates", |bytes| split(bytes).ok())?,
        created_at: required(row, "created_at", moment)?,
        activated_at: optional(row, "activated_at", moment)?,
        deactivated_at: optional(row, "deactivated_at", moment)?,
        suspended_from: optional(row, "suspended_from", KeyState::from_name)?,
        unpublished: row.get("unpublished")?,
        compromised_at: optional(row, "compromised_at", moment)?,
        awaits_successor: row.get("awaits_successor")?,
        destroy_at: optional(row, "destroy_at", moment)?,
        deleted_at: optional(row, "deleted_at", moment)?,
        destroyed_at: optional(row, "destroyed_at", moment)?,
        version: row.get("version")?,
    })
}

/// An audit event and its number in the trail.
pub(super) fn audit_event(row: &impl Columns) -> sqlx::Result<(i64, Event)> {
    let event = Event {
        at: required(row, "at", moment)?,
        principal: row.get("principal")?,
        action: required(row, "action", Action::from_name)?,
        key: optional(row, "key_id", |text: &str| text.parse().ok())?,
        ring: optional(row, "ring", |text: &str| text.parse().ok())?,
        detail: row.get("detail")?,
        request_id: row.nullable("request_id")?,
    };
    Ok((row.get("number")?, event))
}

/// The stored form of a list of signature algorithms.
pub(super) fn names(algorithms: &[SignatureAlgorithm]) -> String {
    algorithms.iter().map(|algorithm| algorithm.jca_name()).collect::<Vec<_>>().join(" ")
}

/// The stored form of a certificate chain.
pub(super) fn concatenated(certificates: &[CertificateDer]) -> Vec<u8> {
    certificates.iter().flat_map(CertificateDer::as_bytes).copied().collect()
}

fn split(bytes: &[u8]) -> Result<Vec<CertificateDer>, Box<dyn std::error::Error>> {
    use der::Reader as _;
    let mut reader = der::SliceReader::new(bytes)?;
    let mut certificates = Vec::new();
    while !reader.is_finished() {
        certificates.push(CertificateDer::from_stored(reader.tlv_bytes()?.to_vec()));
    }
    Ok(certificates)
}

#[allow(clippy::unnecessary_wraps, reason = "the shape of the other readers")]
const fn moment(micros: i64) -> Option<Timestamp> {
    Some(Timestamp::from_micros(micros))
}

fn required<'r, T: FromColumn<'r>, U>(
    row: &'r impl Columns,
    column: &'static str,
    read: impl FnOnce(T) -> Option<U>,
) -> sqlx::Result<U> {
    read(row.get(column)?).ok_or_else(|| unreadable(column))
}

fn optional<'r, T: FromColumn<'r>, U>(
    row: &'r impl Columns,
    column: &'static str,
    read: impl FnOnce(T) -> Option<U>,
) -> sqlx::Result<Option<U>> {
    row.nullable(column)?.map(|value| read(value).ok_or_else(|| unreadable(column))).transpose()
}
