//! The rows of key pairs: how they are made, moved and found.

use super::sqlite::Connection;
use super::states::{by_importance, current, named, visible};
use super::{
    Commit, LeaseOwner, NewReservation, StoreError, Transition, documents, idempotency, master_keys, meta, records,
    rings,
};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{
    CertificateDer, KeyId, KeyName, KeyPair, KeyState, Kid, ProviderKind, RingId, RingKind, SealedKey, SpkiDer,
};

/// What a ring's name stands for.
pub(super) struct Occupancy {
    /// A key holds the name.
    pub(super) taken: bool,
    /// A key is on its way there.
    pub(super) expected: bool,
    /// The generation of the latest key, tombstones included; 0 when there was none.
    pub(super) latest: i64,
}

/// Who sits in a ring.
pub(super) async fn occupancy(conn: &mut Connection, ring: &RingId) -> Result<Occupancy, StoreError> {
    let states: Vec<(String, i64)> =
        sqlx::query_as("SELECT state, MAX(generation) FROM key_pairs WHERE ring = $1 GROUP BY state")
            .bind(ring.to_string())
            .fetch_all(conn)
            .await?;
    Ok(Occupancy {
        taken: states.iter().filter_map(|(state, _)| KeyState::from_name(state)).any(KeyState::reserves_ring_id),
        expected: states.iter().any(|(state, _)| state == KeyState::Reserved.name()),
        latest: states.iter().map(|(_, generation)| *generation).max().unwrap_or(0),
    })
}

/// Inserts a row in state `Reserved`.
pub(super) async fn insert(
    conn: &mut Connection,
    new: &NewReservation,
    generation: i64,
) -> Result<KeyPair, StoreError> {
    Ok(sqlx::query(
        "INSERT INTO key_pairs (
             id, ring, ring_kind, generation, state, provider, locator, origin, key_use, algorithm,
             signature_algorithm, permitted, created_at, version, owner_instance, owner_life, lease_until
         ) VALUES ($1, $2, $3, $4, 'Reserved', $5, $6, $7, $8, $9, $10, $11, $12, 1, $13, $14, $15)
         RETURNING *",
    )
    .bind(new.id.to_string())
    .bind(new.ring.as_ref().map(ToString::to_string))
    .bind(new.ring.as_ref().map(|ring| ring.kind().name()))
    .bind(generation)
    .bind(new.provider.name())
    .bind(new.locator.as_bytes())
    .bind(new.origin.name())
    .bind(new.key_use.name())
    .bind(new.algorithm.name())
    .bind(new.signature_algorithm.jca_name())
    .bind(records::names(&new.permitted))
    .bind(new.now.as_micros())
    .bind(&new.owner.instance)
    .bind(&new.owner.life)
    .bind(new.now.plus(new.lease).as_micros())
    .try_map(records::key_pair)
    .fetch_one(conn)
    .await?)
}

/// Makes a reservation real.
pub(super) async fn commit(conn: &mut Connection, commit: &Commit) -> Result<KeyPair, StoreError> {
    let Commit { id, version, state, now, .. } = *commit;
    let reserved = seen(conn, id, version).await?;
    let idle = commit.active_if_none && !has_active(conn, reserved.ring.as_ref()).await?;
    let to = if idle { KeyState::Active } else { state };
    if reserved.state != KeyState::Reserved {
        return Err(StoreError::Conflict);
    }
    if let Some(sealed) = &commit.sealed {
        master_keys::check(conn, sealed).await?;
    }
    check_not_compromised(conn, &commit.spki).await?;
    let placed = reserved.ring.is_some() == (to != KeyState::Stocked);
    if to == KeyState::Abandoning || !KeyState::Reserved.may_become(to, false) || !placed {
        return Err(StoreError::Forbidden { from: KeyState::Reserved, to });
    }
    meta::advance_epoch(conn).await?;
    rings::make_due(conn, reserved.ring.as_ref()).await?;
    if to == KeyState::Active {
        take_over(conn, &reserved, now).await?;
    }
    sqlx::query(
        "UPDATE key_pairs
         SET state = $3, kid = $4, spki = $5, certificates = $6, activated_at = $7, sealed = $8, version = version + 1
         WHERE id = $1 AND version = $2
         RETURNING *",
    )
    .bind(id.to_string())
    .bind(version)
    .bind(to.name())
    .bind(commit.kid.as_str())
    .bind(commit.spki.as_bytes())
    .bind(records::concatenated(&commit.certificates))
    .bind((to == KeyState::Active).then_some(now.as_micros()))
    .bind(commit.sealed.as_ref().map(SealedKey::as_bytes))
    .try_map(records::key_pair)
    .fetch_optional(conn)
    .await?
    .ok_or(StoreError::Conflict)
}

/// Moves a key pair along its states.
pub(super) async fn transition(conn: &mut Connection, transition: Transition) -> Result<KeyPair, StoreError> {
    let Transition { id, version, to, now, .. } = transition;
    let pair = seen(conn, id, version).await?;
    if !may_move(&pair, transition) {
        return Err(StoreError::Forbidden { from: pair.state, to });
    }
    let (activated_at, deactivated_at) = match (pair.state, to) {
        // Whoever returns takes up its life where it was left.
        (KeyState::Suspended, _) => (pair.activated_at, pair.deactivated_at),
        (_, KeyState::Active) => (Some(now), None),
        (_, KeyState::Deactivated) => (pair.activated_at, Some(now)),
        _ => (pair.activated_at, pair.deactivated_at),
    };
    match to {
        KeyState::Abandoning => idempotency::forget(conn, id).await?,
        // A compromised key serves no document any more.
        KeyState::Destroying if pair.state != KeyState::Compromised => documents::check_release(conn, &pair).await?,
        KeyState::Active => take_over(conn, &pair, now).await?,
        _ => {}
    }
    let suspended = to == KeyState::Suspended;
    let compromised = to == KeyState::Compromised;
    meta::advance_epoch(conn).await?;
    // What no plan sees makes no ring due.
    if pair.state.is_visible() || to.is_visible() {
        rings::make_due(conn, pair.ring.as_ref()).await?;
    }
    let moved: KeyPair = sqlx::query(
        "UPDATE key_pairs
         SET state = $3, activated_at = $4, deactivated_at = $5, deleted_at = $6, destroyed_at = $7,
             suspended_from = $8, unpublished = $9, compromised_at = $10, awaits_successor = $11,
             sealed = CASE WHEN $3 = 'Destroyed' THEN NULL ELSE sealed END, version = version + 1
         WHERE id = $1 AND version = $2
         RETURNING *",
    )
    .bind(id.to_string())
    .bind(version)
    .bind(to.name())
    .bind(activated_at.map(Timestamp::as_micros))
    .bind(deactivated_at.map(Timestamp::as_micros))
    .bind(if to == KeyState::Destroying { Some(now) } else { pair.deleted_at }.map(Timestamp::as_micros))
    .bind((to == KeyState::Destroyed).then_some(now.as_micros()))
    .bind(suspended.then(|| pair.state.name()))
    .bind(suspended && transition.unpublished)
    .bind(if compromised { Some(now) } else { pair.compromised_at }.map(Timestamp::as_micros))
    .bind(compromised && pair.is_current())
    .try_map(records::key_pair)
    .fetch_optional(&mut *conn)
    .await?
    .ok_or(StoreError::Conflict)?;
    if let (KeyState::Destroying, Some(ring)) = (to, &moved.ring) {
        documents::delete_with_last_key(conn, ring).await?;
    }
    Ok(moved)
}

/// Replaces the certificates of a visible key pair.
pub(super) async fn replace_certificates(
    conn: &mut Connection,
    id: KeyId,
    version: i64,
    certificates: &[CertificateDer],
) -> Result<KeyPair, StoreError> {
    meta::advance_epoch(conn).await?;
    let pair: KeyPair = sqlx::query(concat!(
        "UPDATE key_pairs SET certificates = $3, version = version + 1
         WHERE id = $1 AND version = $2 AND state IN ",
        visible!(),
        " RETURNING *",
    ))
    .bind(id.to_string())
    .bind(version)
    .bind(records::concatenated(certificates))
    .try_map(records::key_pair)
    .fetch_optional(&mut *conn)
    .await?
    .ok_or(StoreError::Conflict)?;
    rings::make_due(conn, pair.ring.as_ref()).await?;
    Ok(pair)
}

/// Replaces the sealed private half of a key pair that has one.
pub(super) async fn reseal(
    conn: &mut Connection,
    id: KeyId,
    version: i64,
    sealed: &SealedKey,
) -> Result<KeyPair, StoreError> {
    master_keys::check(conn, sealed).await?;
    meta::advance_epoch(conn).await?;
    sqlx::query(
        "UPDATE key_pairs SET sealed = $3, version = version + 1
         WHERE id = $1 AND version = $2 AND sealed IS NOT NULL
         RETURNING *",
    )
    .bind(id.to_string())
    .bind(version)
    .bind(sealed.as_bytes())
    .try_map(records::key_pair)
    .fetch_optional(conn)
    .await?
    .ok_or(StoreError::Conflict)
}

/// Notes whether the token has the key of a pair that ought to be there.
pub(super) async fn mark_missing(
    conn: &mut Connection,
    id: KeyId,
    since: Option<(Timestamp, bool)>,
) -> Result<(), StoreError> {
    meta::advance_epoch(conn).await?;
    sqlx::query(concat!(
        "UPDATE key_pairs SET missing_since = $2, missing = $3, version = version + 1
         WHERE id = $1 AND (state = 'Stocked' OR state IN ",
        visible!(),
        ")",
    ))
    .bind(id.to_string())
    .bind(since.map(|(moment, _)| moment.as_micros()))
    .bind(since.is_some_and(|(_, established)| established))
    .execute(conn)
    .await
    .map_err(StoreError::from)
    .and_then(|done| if done.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Conflict) })
}

/// One key pair.
pub(super) async fn find(conn: &mut Connection, id: KeyId) -> Result<Option<KeyPair>, StoreError> {
    Ok(sqlx::query("SELECT * FROM key_pairs WHERE id = $1")
        .bind(id.to_string())
        .try_map(records::key_pair)
        .fetch_optional(conn)
        .await?)
}

/// The visible or compromised key pair of an id or a kid.
pub(super) async fn find_by_name(conn: &mut Connection, name: &KeyName) -> Result<Option<KeyPair>, StoreError> {
    let sql = match name {
        KeyName::Id(_) => concat!("SELECT * FROM key_pairs WHERE id = $1 AND state IN ", named!()),
        KeyName::Kid(_) => concat!("SELECT * FROM key_pairs WHERE kid = $1 AND state IN ", named!(), " ORDER BY id"),
    };
    let mut found: Vec<KeyPair> =
        sqlx::query(sql).bind(name.to_string()).try_map(records::key_pair).fetch_all(conn).await?;
    let pair = found.pop();
    if found.is_empty() {
        Ok(pair)
    } else {
        Err(StoreError::Ambiguous(found.iter().chain(&pair).map(|pair| pair.id).collect()))
    }
}

/// The visible key pairs of a ring, in the order of their importance.
pub(super) async fn of_ring(conn: &mut Connection, ring: &RingId) -> Result<Vec<KeyPair>, StoreError> {
    let sql = concat!("SELECT * FROM key_pairs WHERE ring = $1 AND state IN ", visible!(), by_importance!());
    Ok(sqlx::query(sql).bind(ring.to_string()).try_map(records::key_pair).fetch_all(conn).await?)
}

/// The key pairs of a ring that its plan is made of: the visible ones, and a compromised one that none has followed yet.
pub(super) async fn of_ring_to_plan(conn: &mut Connection, ring: &RingId) -> Result<Vec<KeyPair>, StoreError> {
    let sql = concat!(
        "SELECT * FROM key_pairs WHERE ring = $1 AND (awaits_successor = 1 OR state IN ",
        visible!(),
        ")",
        by_importance!()
    );
    Ok(sqlx::query(sql).bind(ring.to_string()).try_map(records::key_pair).fetch_all(conn).await?)
}

/// The current key pairs of every ring of a kind.
pub(super) async fn active_of_kind(conn: &mut Connection, kind: RingKind) -> Result<Vec<KeyPair>, StoreError> {
    let sql = concat!("SELECT * FROM key_pairs WHERE ring_kind = $1 AND ", current!(), " ORDER BY created_at, id");
    Ok(sqlx::query(sql).bind(kind.name()).try_map(records::key_pair).fetch_all(conn).await?)
}

/// How many key pairs a provider holds, or will hold once they are made.
pub(super) async fn count_held_by(conn: &mut Connection, provider: ProviderKind) -> Result<i64, StoreError> {
    let sql = "SELECT COUNT(*) FROM key_pairs WHERE provider = $1 AND state NOT IN ('Abandoning', 'Destroyed')";
    Ok(sqlx::query_scalar(sql).bind(provider.name()).fetch_one(conn).await?)
}

/// What reconcile has to finish.
pub(super) async fn unfinished(
    conn: &mut Connection,
    owner: &LeaseOwner,
    now: Timestamp,
) -> Result<Vec<KeyPair>, StoreError> {
    Ok(sqlx::query(
        "SELECT * FROM key_pairs
         WHERE state IN ('Reserved', 'Abandoning', 'Destroying')
           AND (state <> 'Reserved' OR lease_until <= $1 OR (owner_instance = $2 AND owner_life <> $3))
         ORDER BY id",
    )
    .bind(now.as_micros())
    .bind(&owner.instance)
    .bind(&owner.life)
    .try_map(records::key_pair)
    .fetch_all(conn)
    .await?)
}

/// A page of all rows but old tombstones, by id.
pub(super) async fn page(
    conn: &mut Connection,
    after: Option<KeyId>,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<KeyPair>, StoreError> {
    Ok(sqlx::query(
        "SELECT * FROM key_pairs WHERE id > $1 AND (state <> 'Destroyed' OR destroyed_at >= $2) ORDER BY id LIMIT $3",
    )
    .bind(after.map(|id| id.to_string()).unwrap_or_default())
    .bind(since.as_micros())
    .bind(i64::from(limit))
    .try_map(records::key_pair)
    .fetch_all(conn)
    .await?)
}

/// The latest key pair of a kid in a ring, tombstones included.
pub(super) async fn find_even_deleted(
    conn: &mut Connection,
    ring: &RingId,
    kid: &Kid,
) -> Result<Option<KeyPair>, StoreError> {
    let sql = "SELECT * FROM key_pairs WHERE ring = $1 AND kid = $2 ORDER BY generation DESC LIMIT 1";
    Ok(sqlx::query(sql)
        .bind(ring.to_string())
        .bind(kid.as_str())
        .try_map(records::key_pair)
        .fetch_optional(conn)
        .await?)
}

/// Whether a ring has a current key pair.
pub(super) async fn has_active(conn: &mut Connection, ring: Option<&RingId>) -> Result<bool, StoreError> {
    let found: Option<i64> = sqlx::query_scalar(concat!("SELECT 1 FROM key_pairs WHERE ring = $1 AND ", current!()))
        .bind(ring.map(ToString::to_string))
        .fetch_optional(conn)
        .await?;
    Ok(found.is_some())
}

/// Makes room for a key pair that becomes the current one of its ring: a suspended one that was has been succeeded, and
/// a compromised one waits for nobody any more.
async fn take_over(conn: &mut Connection, pair: &KeyPair, now: Timestamp) -> Result<(), StoreError> {
    let Some(ring) = &pair.ring else { return Ok(()) };
    sqlx::query(
        "UPDATE key_pairs SET suspended_from = 'Deactivated', deactivated_at = $2, version = version + 1
         WHERE ring = $1 AND suspended_from = 'Active' AND id <> $3",
    )
    .bind(ring.to_string())
    .bind(now.as_micros())
    .bind(pair.id.to_string())
    .execute(&mut *conn)
    .await?;
    sqlx::query("UPDATE key_pairs SET awaits_successor = 0 WHERE ring = $1 AND awaits_successor = 1")
        .bind(ring.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

/// Refuses a public key that was ever compromised, whatever way it comes.
async fn check_not_compromised(conn: &mut Connection, spki: &SpkiDer) -> Result<(), StoreError> {
    let known: Option<i64> =
        sqlx::query_scalar("SELECT 1 FROM key_pairs WHERE spki = $1 AND compromised_at IS NOT NULL")
            .bind(spki.as_bytes())
            .fetch_optional(conn)
            .await?;
    if known.is_some() { Err(StoreError::Compromised) } else { Ok(()) }
}

/// The key pair, if it is still what the caller saw.
async fn seen(conn: &mut Connection, id: KeyId, version: i64) -> Result<KeyPair, StoreError> {
    find(conn, id).await?.filter(|pair| pair.version == version).ok_or(StoreError::Conflict)
}

/// Whether a transition is allowed outside of reserve and commit: `Reserved` leads to `Abandoning` only,
/// a visible state needs a ring, `Suspended` leads back to where the key came from, and `Deactivated` leads to `Active` in the ring of web keys only.
fn may_move(pair: &KeyPair, Transition { to, reactivate, .. }: Transition) -> bool {
    let returns = pair.state == KeyState::Suspended && !matches!(to, KeyState::Compromised | KeyState::Destroying);
    let web_key = pair.ring.as_ref().is_some_and(|ring| ring.kind() == RingKind::WebKeys);
    pair.state.may_become(to, reactivate && web_key)
        && (pair.state != KeyState::Reserved || to == KeyState::Abandoning)
        && to != KeyState::Reserved
        && (!returns || pair.suspended_from == Some(to))
        && (pair.ring.is_some() || !to.is_visible())
}
