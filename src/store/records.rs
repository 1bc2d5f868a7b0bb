//! Rows and what they mean: the only place that knows how a value is stored.

use sqlx::{ColumnIndex, Decode, FromRow, Row, Type};

use super::sqlite::DbRow;

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
#[allow(clippy::needless_pass_by_value, reason = "the shape that `try_map` asks for")]
pub(super) fn key_pair(row: DbRow) -> sqlx::Result<KeyPair> {
    Ok(KeyPair {
        id: required(&row, "id", |text: &str| text.parse().ok())?,
        ring: optional(&row, "ring", |text: &str| text.parse().ok())?,
        generation: row.try_get("generation")?,
        state: required(&row, "state", KeyState::from_name)?,
        missing_since: optional(&row, "missing_since", moment)?,
        missing: row.try_get("missing")?,
        provider: required(&row, "provider", ProviderKind::from_name)?,
        locator: required(&row, "locator", |bytes| Locator::from_bytes(bytes).ok())?,
        sealed: optional(&row, "sealed", |bytes: &[u8]| Some(SealedKey::from_bytes(bytes.to_vec())))?,
        origin: required(&row, "origin", KeyOrigin::from_name)?,
        key_use: required(&row, "key_use", KeyUse::from_name)?,
        algorithm: required(&row, "algorithm", KeyAlgorithm::from_name)?,
        signature_algorithm: required(&row, "signature_algorithm", SignatureAlgorithm::from_jca_name)?,
        permitted: required(&row, "permitted", |names: &str| {
            names.split_whitespace().map(SignatureAlgorithm::from_jca_name).collect()
        })?,
        kid: optional(&row, "kid", |text: &str| Kid::parse(text).ok())?,
        spki: optional(&row, "spki", |bytes: &[u8]| SpkiDer::parse(bytes.to_vec()).ok())?,
        certificates: required(&row, "certificates", |bytes| split(bytes).ok())?,
        created_at: required(&row, "created_at", moment)?,
        activated_at: optional(&row, "activated_at", moment)?,
        deactivated_at: optional(&row, "deactivated_at", moment)?,
        suspended_from: optional(&row, "suspended_from", KeyState::from_name)?,
        unpublished: row.try_get("unpublished")?,
        compromised_at: optional(&row, "compromised_at", moment)?,
        awaits_successor: row.try_get("awaits_successor")?,
        deleted_at: optional(&row, "deleted_at", moment)?,
        destroyed_at: optional(&row, "destroyed_at", moment)?,
        version: row.try_get("version")?,
    })
}

/// An audit event and its number in the trail.
pub(super) struct AuditRow(pub(super) i64, pub(super) Event);

impl<'r, R: Row> FromRow<'r, R> for AuditRow
where
    &'static str: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    &'r str: Decode<'r, R::Database> + Type<R::Database>,
    String: Decode<'r, R::Database> + Type<R::Database>,
{
    fn from_row(row: &'r R) -> sqlx::Result<Self> {
        let event = Event {
            at: required(row, "at", moment)?,
            principal: row.try_get("principal")?,
            action: required(row, "action", Action::from_name)?,
            key: optional(row, "key_id", |text: &str| text.parse().ok())?,
            ring: optional(row, "ring", |text: &str| text.parse().ok())?,
            detail: row.try_get("detail")?,
            request_id: row.try_get("request_id")?,
        };
        Ok(Self(row.try_get("number")?, event))
    }
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

fn required<'r, R: Row, T, U>(row: &'r R, column: &'static str, read: impl FnOnce(T) -> Option<U>) -> sqlx::Result<U>
where
    &'static str: ColumnIndex<R>,
    T: Decode<'r, R::Database> + Type<R::Database>,
{
    read(row.try_get(column)?).ok_or_else(|| unreadable(column))
}

fn optional<'r, R: Row, T, U>(
    row: &'r R,
    column: &'static str,
    read: impl FnOnce(T) -> Option<U>,
) -> sqlx::Result<Option<U>>
where
    &'static str: ColumnIndex<R>,
    T: Decode<'r, R::Database> + Type<R::Database>,
{
    let value: Option<T> = row.try_get(column)?;
    value.map(|value| read(value).ok_or_else(|| unreadable(column))).transpose()
}

fn unreadable(column: &str) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: column.to_owned(), source: "not a value that this program writes".into() }
}
