//! Requests seen: what became of an `Idempotency-Key`.

use super::seam::{Columns as _, Connection, Statement, unreadable};
use super::{IdempotencyClaim, StoreError};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::KeyId;

/// Forgets what has expired.
pub(super) async fn forget_expired(conn: &mut impl Connection, now: Timestamp) -> Result<(), StoreError> {
    Statement::new("DELETE FROM idempotency WHERE expires <= $1").bind(now.as_micros()).execute(conn).await?;
    Ok(())
}

/// An earlier request with the same claim.
pub(super) struct EarlierRequest {
    pub(super) fingerprint: Vec<u8>,
    /// The key pair that it reserved.
    pub(super) key: KeyId,
}

/// The earlier request with the same claim; `None` when the claim is new at `now`.
pub(super) async fn find(
    conn: &mut impl Connection,
    claim: &IdempotencyClaim,
    now: Timestamp,
) -> Result<Option<EarlierRequest>, StoreError> {
    Statement::new(
        "SELECT fingerprint, key_id FROM idempotency
         WHERE principal = $1 AND route = $2 AND key = $3 AND expires > $4",
    )
    .bind(claim.principal.as_str())
    .bind(claim.route.as_str())
    .bind(claim.key.as_str())
    .bind(now.as_micros())
    .fetch_optional(conn, |row| {
        let key = row.get::<&str>("key_id")?.parse().map_err(|_| unreadable("key_id"))?;
        Ok(EarlierRequest { fingerprint: row.get("fingerprint")?, key })
    })
    .await
}

/// Remembers that the claim led to `id`, unless another request with it was faster; whether it did.
pub(super) async fn remember(
    conn: &mut impl Connection,
    claim: &IdempotencyClaim,
    id: KeyId,
) -> Result<bool, StoreError> {
    let remembered = Statement::new(
        "INSERT INTO idempotency (principal, route, key, fingerprint, key_id, expires)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(claim.principal.as_str())
    .bind(claim.route.as_str())
    .bind(claim.key.as_str())
    .bind(claim.fingerprint.as_slice())
    .bind(id.to_string())
    .bind(claim.expires.as_micros())
    .execute(conn)
    .await?;
    Ok(remembered == 1)
}

/// Forgets the claim that led to `id`.
pub(super) async fn forget(conn: &mut impl Connection, id: KeyId) -> Result<(), StoreError> {
    Statement::new("DELETE FROM idempotency WHERE key_id = $1").bind(id.to_string()).execute(conn).await?;
    Ok(())
}
