//! Requests seen: what became of an `Idempotency-Key`.

use super::sqlite::Connection;
use super::{IdempotencyClaim, ReserveOutcome, StoreError};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{KeyId, KeyState};

/// Forgets what has expired.
pub(super) async fn forget_expired(conn: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM idempotency WHERE expires <= $1").bind(now.as_micros()).execute(conn).await?;
    Ok(())
}

/// What the same claim led to before; `None` when it is new at `now`.
pub(super) async fn prior_outcome(
    conn: &mut Connection,
    claim: &IdempotencyClaim,
    now: Timestamp,
) -> Result<Option<ReserveOutcome>, StoreError> {
    let seen: Option<(Vec<u8>, String, String)> = sqlx::query_as(
        "SELECT i.fingerprint, k.id, k.state FROM idempotency i JOIN key_pairs k ON k.id = i.key_id
         WHERE i.principal = $1 AND i.route = $2 AND i.key = $3 AND i.expires > $4",
    )
    .bind(&claim.principal)
    .bind(&claim.route)
    .bind(&claim.key)
    .bind(now.as_micros())
    .fetch_optional(conn)
    .await?;
    let Some((fingerprint, id, state)) = seen else { return Ok(None) };
    if fingerprint != claim.fingerprint {
        return Ok(Some(ReserveOutcome::BodyMismatch));
    }
    if state == KeyState::Reserved.name() {
        return Ok(Some(ReserveOutcome::InProgress));
    }
    // Past `Reserved` it was committed: an abandoned reservation has lost its claim.
    if [KeyState::Destroying, KeyState::Destroyed].iter().any(|gone| gone.name() == state) {
        return Ok(Some(ReserveOutcome::Deleted));
    }
    let id = id.parse().map_err(|wrong| StoreError::Inconsistent(format!("an id that is {wrong}")))?;
    Ok(Some(ReserveOutcome::Replay(id)))
}

/// Remembers that the claim led to `id`.
pub(super) async fn remember(conn: &mut Connection, claim: &IdempotencyClaim, id: KeyId) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO idempotency (principal, route, key, fingerprint, key_id, expires)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&claim.principal)
    .bind(&claim.route)
    .bind(&claim.key)
    .bind(claim.fingerprint.as_slice())
    .bind(id.to_string())
    .bind(claim.expires.as_micros())
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets the claim that led to `id`.
pub(super) async fn forget(conn: &mut Connection, id: KeyId) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM idempotency WHERE key_id = $1").bind(id.to_string()).execute(conn).await?;
    Ok(())
}
