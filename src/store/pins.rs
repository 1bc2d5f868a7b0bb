//! The rows of PINs that were tried, and of the right to try one.

use super::seam::{Columns, Connection, Statement};
use super::{KnownPin, PinTrial, StoreError};
use strongroom_domain::clock::Timestamp;

/// Refused PINs that are remembered of one token; the oldest are forgotten beyond it.
const MOST_REFUSED: i64 = 16;

/// A row.
pub(super) struct PinRow {
    pub(super) pin: KnownPin,
    pub(super) refusals: i64,
    pub(super) open_attempts: i64,
}

/// Every PIN, by token.
pub(super) async fn all(conn: &mut impl Connection) -> Result<Vec<PinRow>, StoreError> {
    Statement::new("SELECT * FROM known_pins ORDER BY token, changed_at, hash").fetch_all(conn, row).await
}

/// Every PIN of one token.
pub(super) async fn of_token(conn: &mut impl Connection, token: &str) -> Result<Vec<PinRow>, StoreError> {
    Statement::new("SELECT * FROM known_pins WHERE token = $1").bind(token).fetch_all(conn, row).await
}

/// Takes the right to try a PIN of a token, unless another daemon has it; whether it did.
pub(super) async fn lease(conn: &mut impl Connection, trial: &PinTrial) -> Result<bool, StoreError> {
    // A lease that ends later than any could was taken under another clock.
    let taken = Statement::new(
        "INSERT INTO pin_trials (token, holder, held_until) VALUES ($1, $2, $3)
         ON CONFLICT (token) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
         WHERE pin_trials.holder = excluded.holder OR pin_trials.held_until <= $4 OR pin_trials.held_until > $5",
    )
    .bind(trial.token.as_str())
    .bind(trial.owner.life.as_str())
    .bind(trial.now.plus(trial.lease).as_micros())
    .bind(trial.now.as_micros())
    .bind(trial.now.plus(trial.lease * 2).as_micros())
    .execute(conn)
    .await?;
    Ok(taken > 0)
}

/// Gives the right to try a PIN back.
pub(super) async fn release(conn: &mut impl Connection, token: &str, holder: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM pin_trials WHERE token = $1 AND holder = $2";
    Statement::new(sql).bind(token).bind(holder).execute(conn).await.map(drop)
}

/// Writes a row.
pub(super) async fn put(conn: &mut impl Connection, row: &PinRow, now: Timestamp) -> Result<(), StoreError> {
    Statement::new(
        "INSERT INTO known_pins (token, hash, worked, refusals, open_attempts, changed_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (token, hash) DO UPDATE SET worked = excluded.worked, refusals = excluded.refusals,
             open_attempts = excluded.open_attempts, changed_at = excluded.changed_at",
    )
    .bind(row.pin.token.as_str())
    .bind(row.pin.hash.as_str())
    .bind(row.pin.worked)
    .bind(row.refusals)
    .bind(row.open_attempts)
    .bind(now.as_micros())
    .execute(conn)
    .await
    .map(drop)
}

/// Notes that the PIN that worked before works no longer: another does.
pub(super) async fn outdate(conn: &mut impl Connection, token: &str, hash: &str) -> Result<(), StoreError> {
    let sql = "UPDATE known_pins SET worked = $3, refusals = 1 WHERE token = $1 AND hash <> $2 AND worked = $4";
    Statement::new(sql).bind(token).bind(hash).bind(false).bind(true).execute(conn).await.map(drop)
}

/// Removes a row.
pub(super) async fn delete(conn: &mut impl Connection, token: &str, hash: &str) -> Result<(), StoreError> {
    let sql = "DELETE FROM known_pins WHERE token = $1 AND hash = $2";
    Statement::new(sql).bind(token).bind(hash).execute(conn).await.map(drop)
}

/// Forgets the oldest refused PINs of a token, beyond as many as are remembered.
pub(super) async fn trim(conn: &mut impl Connection, token: &str) -> Result<(), StoreError> {
    Statement::new(
        "DELETE FROM known_pins WHERE token = $1 AND worked = $2 AND hash NOT IN (
             SELECT hash FROM known_pins WHERE token = $1 ORDER BY changed_at DESC LIMIT $3)",
    )
    .bind(token)
    .bind(false)
    .bind(MOST_REFUSED)
    .execute(conn)
    .await
    .map(drop)
}

/// Forgets every PIN that did not work.
pub(super) async fn forget_refused(conn: &mut impl Connection) -> Result<(), StoreError> {
    Statement::new("DELETE FROM known_pins WHERE worked = $1").bind(false).execute(conn).await.map(drop)
}

fn row(row: &impl Columns) -> sqlx::Result<PinRow> {
    let pin = KnownPin { token: row.get("token")?, hash: row.get("hash")?, worked: row.get("worked")? };
    Ok(PinRow { pin, refusals: row.get("refusals")?, open_attempts: row.get("open_attempts")? })
}
