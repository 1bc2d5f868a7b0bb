//! The rows of stock: keys that were made ahead of need.

use super::seam::{Connection, Statement};
use super::{NewReservation, StoreError, records};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{KeyAlgorithm, KeyPair, KeyUse};

/// Makes a reservation of a key in stock, if it is as the caller saw it; it is created anew, and has no name yet.
pub(super) async fn claim(
    conn: &mut impl Connection,
    new: &NewReservation,
    version: i64,
    generation: i64,
) -> Result<KeyPair, StoreError> {
    Statement::new(
        "UPDATE key_pairs
         SET state = 'Reserved', ring = $3, ring_kind = $4, generation = $5, signature_algorithm = $6, permitted = $7,
             kid = NULL, created_at = $8, owner_instance = $9, owner_life = $10, lease_until = $11,
             version = version + 1
         WHERE id = $1 AND version = $2 AND state = 'Stocked'
           AND provider = $12 AND locator = $13 AND key_use = $14 AND algorithm = $15
         RETURNING *",
    )
    .bind(new.id.to_string())
    .bind(version)
    .bind(new.ring.as_ref().map(ToString::to_string))
    .bind(new.ring.as_ref().map(|ring| ring.kind().name()))
    .bind(generation)
    .bind(new.signature_algorithm.jca_name())
    .bind(records::names(&new.permitted))
    .bind(new.now.as_micros())
    .bind(new.owner.instance.as_str())
    .bind(new.owner.life.as_str())
    .bind(new.now.plus(new.lease).as_micros())
    .bind(new.provider.name())
    .bind(new.locator.as_bytes())
    .bind(new.key_use.name())
    .bind(new.algorithm.name())
    .fetch_optional(conn, records::key_pair)
    .await?
    .ok_or(StoreError::Conflict)
}

/// The oldest usable key that was made after `since`.
pub(super) async fn next(
    conn: &mut impl Connection,
    algorithm: KeyAlgorithm,
    key_use: KeyUse,
    since: Timestamp,
) -> Result<Option<KeyPair>, StoreError> {
    Statement::new(
        "SELECT * FROM key_pairs
         WHERE state = 'Stocked' AND algorithm = $1 AND key_use = $2 AND created_at > $3 AND missing_since IS NULL
         ORDER BY created_at, id LIMIT 1",
    )
    .bind(algorithm.name())
    .bind(key_use.name())
    .bind(since.as_micros())
    .fetch_optional(conn, records::key_pair)
    .await
}

/// The stock and what is about to be, the oldest first.
pub(super) async fn all(conn: &mut impl Connection) -> Result<Vec<KeyPair>, StoreError> {
    Statement::new(
        "SELECT * FROM key_pairs WHERE state = 'Stocked'
         UNION ALL
         SELECT * FROM key_pairs WHERE state = 'Reserved' AND ring IS NULL
         ORDER BY created_at, id",
    )
    .fetch_all(conn, records::key_pair)
    .await
}
