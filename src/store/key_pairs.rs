//! The rows of key pairs: how they are made, moved and found.

use super::seam::{Columns as _, Connection, Statement};
use super::states::{by_importance, current, named, visible};
use super::{Commit, LeaseOwner, NewReservation, StoreError, TokenPresence, Transition, records};
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
pub(super) async fn occupancy(conn: &mut impl Connection, ring: &RingId) -> Result<Occupancy, StoreError> {
    let states: Vec<(String, i64)> =
        Statement::new("SELECT state, MAX(generation) AS latest FROM key_pairs WHERE ring = $1 GROUP BY state")
            .bind(ring.to_string())
            .fetch_all(conn, |row| Ok((row.get("state")?, row.get("latest")?)))
            .await?;
    Ok(Occupancy {
        taken: states.iter().filter_map(|(state, _)| KeyState::from_name(state)).any(KeyState::reserves_ring_id),
        expected: states.iter().any(|(state, _)| state == KeyState::Reserved.name()),
        latest: states.iter().map(|(_, generation)| *generation).max().unwrap_or(0),
    })
}

/// Inserts a row in state `Reserved`.
pub(super) async fn insert(
    conn: &mut impl Connection,
    new: &NewReservation,
    generation: i64,
) -> Result<KeyPair, StoreError> {
    Statement::new(
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
    .bind(new.owner.instance.as_str())
    .bind(new.owner.life.as_str())
    .bind(new.now.plus(new.lease).as_micros())
    .fetch_one(conn, records::key_pair)
    .await
}

/// Makes a reservation real, in state `to`.
pub(super) async fn commit(conn: &mut impl Connection, commit: &Commit, to: KeyState) -> Result<KeyPair, StoreError> {
    Statement::new(
        "UPDATE key_pairs
         SET state = $3, kid = $4, spki = $5, certificates = $6, activated_at = $7, sealed = $8, version = version + 1
         WHERE id = $1 AND version = $2 AND state = 'Reserved'
         RETURNING *",
    )
    .bind(commit.id.to_string())
    .bind(commit.version)
    .bind(to.name())
    .bind(commit.kid.as_str())
    .bind(commit.spki.as_bytes())
    .bind(records::concatenated(&commit.certificates))
    .bind((to == KeyState::Active).then_some(commit.now.as_micros()))
    .bind(commit.sealed.as_ref().map(SealedKey::as_bytes))
    .fetch_optional(conn, records::key_pair)
    .await?
    .ok_or(StoreError::Conflict)
}

/// Sets the state of a key pair and the times that belong to it; `Destroyed` erases the sealed private half.
pub(super) async fn set_state(
    conn: &mut impl Connection,
    pair: &KeyPair,
    transition: &Transition,
    suspended_from: Option<KeyState>,
) -> Result<KeyPair, StoreError> {
    let Transition { to, now, unpublished, destroy_at, .. } = *transition;
    let (activated_at, deactivated_at) = match (pair.state, to) {
        // A reinstated key continues its life where it was suspended.
        (KeyState::Suspended, _) => (pair.activated_at, pair.deactivated_at),
        (_, KeyState::Active) => (Some(now), None),
        (_, KeyState::Deactivated) => (pair.activated_at, Some(now)),
        _ => (pair.activated_at, pair.deactivated_at),
    };
    let deleted_at = match to {
        KeyState::PendingDestruction | KeyState::Destroying | KeyState::Destroyed => pair.deleted_at.or(Some(now)),
        _ => None,
    };
    let compromised = to == KeyState::Compromised && pair.state != KeyState::PendingDestruction;
    Statement::new(
        "UPDATE key_pairs
         SET state = $3, activated_at = $4, deactivated_at = $5, deleted_at = $6, destroyed_at = $7,
             suspended_from = $8, unpublished = $9, compromised_at = $10, awaits_successor = $11, destroy_at = $12,
             sealed = CASE WHEN $3 = 'Destroyed' THEN NULL ELSE sealed END, version = version + 1
         WHERE id = $1 AND version = $2
         RETURNING *",
    )
    .bind(pair.id.to_string())
    .bind(pair.version)
    .bind(to.name())
    .bind(activated_at.map(Timestamp::as_micros))
    .bind(deactivated_at.map(Timestamp::as_micros))
    .bind(deleted_at.map(Timestamp::as_micros))
    .bind((to == KeyState::Destroyed).then_some(now.as_micros()))
    .bind(suspended_from.map(KeyState::name))
    .bind(to == KeyState::Suspended && unpublished)
    .bind(if compromised { Some(now) } else { pair.compromised_at }.map(Timestamp::as_micros))
    .bind(compromised && pair.is_current())
    .bind(destroy_at.filter(|_| to == KeyState::PendingDestruction).map(Timestamp::as_micros))
    .fetch_optional(conn, records::key_pair)
    .await?
    .ok_or(StoreError::Conflict)
}

/// Replaces the certificates of a visible key pair.
pub(super) async fn replace_certificates(
    conn: &mut impl Connection,
    id: KeyId,
    version: i64,
    certificates: &[CertificateDer],
) -> Result<KeyPair, StoreError> {
    Statement::new(concat!(
        "UPDATE key_pairs SET certificates = $3, version = version + 1
         WHERE id = $1 AND version = $2 AND state IN ",
        visible!(),
        " RETURNING *",
    ))
    .bind(id.to_string())
    .bind(version)
    .bind(records::concatenated(certificates))
    .fetch_optional(conn, records::key_pair)
    .await?
    .ok_or(StoreError::Conflict)
}

/// Replaces the sealed private half of a key pair that has one.
pub(super) async fn reseal(
    conn: &mut impl Connection,
    id: KeyId,
    version: i64,
    sealed: &SealedKey,
) -> Result<KeyPair, StoreError> {
    Statement::new(
        "UPDATE key_pairs SET sealed = $3, version = version + 1
         WHERE id = $1 AND version = $2 AND sealed IS NOT NULL
         RETURNING *",
    )
    .bind(id.to_string())
    .bind(version)
    .bind(sealed.as_bytes())
    .fetch_optional(conn, records::key_pair)
    .await?
    .ok_or(StoreError::Conflict)
}

/// Notes whether the token has the key of a pair that ought to be there.
pub(super) async fn set_presence(
    conn: &mut impl Connection,
    id: KeyId,
    presence: TokenPresence,
) -> Result<(), StoreError> {
    let (since, missing) = match presence {
        TokenPresence::Found => (None, false),
        TokenPresence::Unseen { since } => (Some(since), false),
        TokenPresence::Missing { since } => (Some(since), true),
    };
    let changed = Statement::new(concat!(
        "UPDATE key_pairs SET missing_since = $2, missing = $3, version = version + 1
         WHERE id = $1 AND (state = 'Stocked' OR state IN ",
        visible!(),
        ")",
    ))
    .bind(id.to_string())
    .bind(since.map(Timestamp::as_micros))
    .bind(missing)
    .execute(conn)
    .await?;
    if changed == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// One key pair.
pub(super) async fn find(conn: &mut impl Connection, id: KeyId) -> Result<Option<KeyPair>, StoreError> {
    Statement::new("SELECT * FROM key_pairs WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(conn, records::key_pair)
        .await
}

/// The key pair of an id or a kid, whether users of its ring see it or operators only.
pub(super) async fn find_by_name(conn: &mut impl Connection, name: &KeyName) -> Result<Option<KeyPair>, StoreError> {
    let sql = match name {
        KeyName::Id(_) => concat!("SELECT * FROM key_pairs WHERE id = $1 AND state IN ", named!()),
        KeyName::Kid(_) => concat!("SELECT * FROM key_pairs WHERE kid = $1 AND state IN ", named!(), " ORDER BY id"),
    };
    let mut found: Vec<KeyPair> = Statement::new(sql).bind(name.to_string()).fetch_all(conn, records::key_pair).await?;
    if found.iter().any(|pair| pair.state != KeyState::PendingDestruction) {
        // The kid of a key that is about to be destroyed is free for another.
        found.retain(|pair| pair.state != KeyState::PendingDestruction);
    }
    let pair = found.pop();
    if found.is_empty() {
        Ok(pair)
    } else {
        Err(StoreError::Ambiguous(found.iter().chain(&pair).map(|pair| pair.id).collect()))
    }
}

/// The visible key pairs of a ring, in the order of their importance.
pub(super) async fn of_ring(conn: &mut impl Connection, ring: &RingId) -> Result<Vec<KeyPair>, StoreError> {
    let sql = concat!("SELECT * FROM key_pairs WHERE ring = $1 AND state IN ", visible!(), by_importance!());
    Statement::new(sql).bind(ring.to_string()).fetch_all(conn, records::key_pair).await
}

/// The key pairs of a ring that its plan is made of: the visible ones, those about to be destroyed, and a compromised
/// one without a successor.
pub(super) async fn of_ring_to_plan(conn: &mut impl Connection, ring: &RingId) -> Result<Vec<KeyPair>, StoreError> {
    let sql = concat!(
        "SELECT * FROM key_pairs WHERE ring = $1 AND (awaits_successor = $2 OR state = 'PendingDestruction' OR state IN ",
        visible!(),
        ")",
        by_importance!()
    );
    Statement::new(sql).bind(ring.to_string()).bind(true).fetch_all(conn, records::key_pair).await
}

/// The current key pairs of every ring of a kind.
pub(super) async fn active_of_kind(conn: &mut impl Connection, kind: RingKind) -> Result<Vec<KeyPair>, StoreError> {
    let sql = concat!("SELECT * FROM key_pairs WHERE ring_kind = $1 AND ", current!(), " ORDER BY created_at, id");
    Statement::new(sql).bind(kind.name()).fetch_all(conn, records::key_pair).await
}

/// How many key pairs a provider holds, or will hold once they are made.
pub(super) async fn count_held_by(conn: &mut impl Connection, provider: ProviderKind) -> Result<i64, StoreError> {
    let sql =
        "SELECT COUNT(*) AS pairs FROM key_pairs WHERE provider = $1 AND state NOT IN ('Abandoning', 'Destroyed')";
    Statement::new(sql).bind(provider.name()).fetch_one(conn, |row| row.get("pairs")).await
}

/// What reconcile has to finish.
pub(super) async fn unfinished(
    conn: &mut impl Connection,
    owner: &LeaseOwner,
    now: Timestamp,
) -> Result<Vec<KeyPair>, StoreError> {
    Statement::new(
        "SELECT * FROM key_pairs
         WHERE state IN ('Reserved', 'Abandoning', 'Destroying')
           AND (state <> 'Reserved' OR lease_until <= $1 OR (owner_instance = $2 AND owner_life <> $3))
         ORDER BY id",
    )
    .bind(now.as_micros())
    .bind(owner.instance.as_str())
    .bind(owner.life.as_str())
    .fetch_all(conn, records::key_pair)
    .await
}

/// A page of all rows but old tombstones, by id.
pub(super) async fn page(
    conn: &mut impl Connection,
    after: Option<KeyId>,
    since: Timestamp,
    limit: u32,
) -> Result<Vec<KeyPair>, StoreError> {
    Statement::new(
        "SELECT * FROM key_pairs WHERE id > $1 AND (state <> 'Destroyed' OR destroyed_at >= $2) ORDER BY id LIMIT $3",
    )
    .bind(after.map(|id| id.to_string()).unwrap_or_default())
    .bind(since.as_micros())
    .bind(i64::from(limit))
    .fetch_all(conn, records::key_pair)
    .await
}

/// The latest key pair of a kid in a ring, tombstones included.
pub(super) async fn find_even_deleted(
    conn: &mut impl Connection,
    ring: &RingId,
    kid: &Kid,
) -> Result<Option<KeyPair>, StoreError> {
    let sql = "SELECT * FROM key_pairs WHERE ring = $1 AND kid = $2 ORDER BY generation DESC LIMIT 1";
    Statement::new(sql).bind(ring.to_string()).bind(kid.as_str()).fetch_optional(conn, records::key_pair).await
}

/// The current key pair of a ring.
pub(super) async fn current(conn: &mut impl Connection, ring: &RingId) -> Result<Option<KeyPair>, StoreError> {
    let sql = concat!("SELECT * FROM key_pairs WHERE ring = $1 AND ", current!());
    Statement::new(sql).bind(ring.to_string()).fetch_optional(conn, records::key_pair).await
}

/// Makes room for a key pair that becomes the current one of its ring: a suspended key that was current will return as
/// Deactivated, and no compromised key awaits a successor any more.
pub(super) async fn give_way(conn: &mut impl Connection, pair: &KeyPair, now: Timestamp) -> Result<(), StoreError> {
    let Some(ring) = &pair.ring else { return Ok(()) };
    Statement::new(
        "UPDATE key_pairs SET suspended_from = 'Deactivated', deactivated_at = $2, version = version + 1
         WHERE ring = $1 AND suspended_from = 'Active' AND id <> $3",
    )
    .bind(ring.to_string())
    .bind(now.as_micros())
    .bind(pair.id.to_string())
    .execute(conn)
    .await?;
    Statement::new("UPDATE key_pairs SET awaits_successor = $2 WHERE ring = $1 AND awaits_successor = $3")
        .bind(ring.to_string())
        .bind(false)
        .bind(true)
        .execute(conn)
        .await?;
    Ok(())
}

/// Whether a public key belongs to a key pair that was compromised, tombstones included.
pub(super) async fn is_compromised(conn: &mut impl Connection, spki: &SpkiDer) -> Result<bool, StoreError> {
    let sql = "SELECT id FROM key_pairs WHERE spki = $1 AND compromised_at IS NOT NULL LIMIT 1";
    let found = Statement::new(sql).bind(spki.as_bytes()).fetch_optional(conn, |row| row.get::<String>("id")).await?;
    Ok(found.is_some())
}

/// The beginning of every sealed private half: no more of it than tells its master key.
pub(super) async fn seals(conn: &mut impl Connection) -> Result<Vec<SealedKey>, StoreError> {
    Statement::new("SELECT substr(sealed, 1, 9) AS seal FROM key_pairs WHERE sealed IS NOT NULL")
        .fetch_all(conn, |row| row.get("seal").map(SealedKey::from_bytes))
        .await
}
