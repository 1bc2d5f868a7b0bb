//! Rules of the transactions of key pairs: rows of other tables that change together with a key pair's.

use super::documents::{delete, write};
use super::master_keys;
use crate::store::seam::Connection;
use crate::store::{
    CertificateReplacement, Commit, DocumentKind, IdempotencyClaim, KeyPairChange, NewReservation, Placement,
    ReserveOutcome, RotationSettingsChange, StoreError, TokenPresence, Transition, documents, idempotency, key_pairs,
    meta, rings, stock,
};
use strongroom_domain::audit::Event;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{KeyId, KeyPair, KeyState, RingKind, SealedKey};

/// Reserves a key pair; any outcome but [`ReserveOutcome::Reserved`] has changed nothing that is to be kept.
pub(super) async fn reserve(conn: &mut impl Connection, new: &NewReservation) -> Result<ReserveOutcome, StoreError> {
    if let Some(claim) = &new.idempotency {
        idempotency::forget_expired(conn, new.now).await?;
        if let Some(prior) = prior_outcome(conn, claim, new.now).await? {
            return Ok(prior);
        }
    }
    let generation = match &new.ring {
        Some(ring) => {
            let occupancy = key_pairs::occupancy(conn, ring).await?;
            match new.placement {
                Placement::NewRing if occupancy.taken => return Ok(ReserveOutcome::RingExists),
                Placement::Successor if occupancy.expected => return Ok(ReserveOutcome::SuccessorPending),
                Placement::NewRing | Placement::Successor | Placement::Additional => {}
            }
            occupancy.latest + 1
        }
        // Stock has no place in a ring yet.
        None => 0,
    };
    let pair = match new.stock {
        Some(version) => stock::claim(conn, new, version, generation).await?,
        None => key_pairs::insert(conn, new, generation).await?,
    };
    if let Some(claim) = &new.idempotency {
        idempotency::remember(conn, claim, new.id).await?;
    }
    Ok(ReserveOutcome::Reserved(Box::new(pair)))
}

/// The outcome of an earlier request with the same claim; `None` when the claim is new at `now`.
pub(super) async fn prior_outcome(
    conn: &mut impl Connection,
    claim: &IdempotencyClaim,
    now: Timestamp,
) -> Result<Option<ReserveOutcome>, StoreError> {
    let Some(earlier) = idempotency::find(conn, claim, now).await? else { return Ok(None) };
    if earlier.fingerprint != claim.fingerprint {
        return Ok(Some(ReserveOutcome::BodyMismatch));
    }
    let lost = || StoreError::Inconsistent("an idempotency key without its key pair".to_owned());
    let pair = key_pairs::find(conn, earlier.key).await?.ok_or_else(lost)?;
    Ok(Some(match pair.state {
        KeyState::Reserved => ReserveOutcome::InProgress,
        KeyState::Destroying | KeyState::Destroyed => ReserveOutcome::Deleted,
        // Past `Reserved` it was committed: an abandoned reservation has lost its claim.
        _ => ReserveOutcome::Replay(earlier.key),
    }))
}

/// Applies transitions, then commits, then writes documents.
pub(super) async fn change(conn: &mut impl Connection, wanted: &KeyPairChange) -> Result<Vec<KeyPair>, StoreError> {
    if let Some(fence) = wanted.fence {
        meta::check_fence(conn, fence).await?;
    }
    let mut rows = Vec::with_capacity(wanted.moves.len() + wanted.commits.len());
    for step in &wanted.moves {
        rows.push(transition(conn, step).await?);
    }
    for reservation in &wanted.commits {
        rows.push(commit(conn, reservation).await?);
    }
    for document in &wanted.documents {
        write(conn, document).await?;
    }
    Ok(rows)
}

/// Makes a reservation real.
async fn commit(conn: &mut impl Connection, commit: &Commit) -> Result<KeyPair, StoreError> {
    let reserved = unchanged(conn, commit.id, commit.version).await?;
    if reserved.state != KeyState::Reserved {
        return Err(StoreError::Conflict);
    }
    let to = match &reserved.ring {
        Some(ring) if commit.active_if_none && key_pairs::active(conn, ring).await?.is_none() => KeyState::Active,
        None if commit.active_if_none => KeyState::Active,
        _ => commit.state,
    };
    if let Some(sealed) = &commit.sealed {
        master_keys::check(conn, sealed).await?;
    }
    let placed = reserved.ring.is_some() == (to != KeyState::Stocked);
    if to == KeyState::Abandoning || !KeyState::Reserved.may_become(to, false) || !placed {
        return Err(StoreError::Forbidden { from: KeyState::Reserved, to });
    }
    meta::advance_epoch(conn).await?;
    rings::make_due(conn, reserved.ring.as_ref()).await?;
    key_pairs::commit(conn, commit, to).await
}

/// Moves a key pair along its states.
pub(super) async fn transition(conn: &mut impl Connection, transition: &Transition) -> Result<KeyPair, StoreError> {
    let Transition { id, version, to, now, .. } = *transition;
    let pair = unchanged(conn, id, version).await?;
    if !may_move(&pair, transition) {
        return Err(StoreError::Forbidden { from: pair.state, to });
    }
    match to {
        KeyState::Abandoning => idempotency::forget(conn, id).await?,
        KeyState::Destroying => check_release(conn, &pair).await?,
        _ => {}
    }
    meta::advance_epoch(conn).await?;
    // A change that no plan sees makes no ring due.
    if pair.state.is_visible() || to.is_visible() {
        rings::make_due(conn, pair.ring.as_ref()).await?;
    }
    let moved = key_pairs::set_state(conn, &pair, to, now).await?;
    if let (KeyState::Destroying, Some(ring)) = (to, &moved.ring)
        && key_pairs::of_ring(conn, ring).await?.is_empty()
    {
        documents::delete_of_ring(conn, ring).await?;
    }
    Ok(moved)
}

/// Refuses to let a key pair go while a document refers to its ring and no other key is Active there.
async fn check_release(conn: &mut impl Connection, pair: &KeyPair) -> Result<(), StoreError> {
    let Some(ring) = &pair.ring else { return Ok(()) };
    if key_pairs::active(conn, ring).await?.is_some_and(|active| active.id != pair.id) {
        return Ok(());
    }
    let referring = documents::referring_to(conn, ring).await?;
    if referring.is_empty() { Ok(()) } else { Err(StoreError::InUse(referring)) }
}

/// Replaces the certificates of a key pair; returns the audit event of rotation settings that went with it.
pub(super) async fn replace_certificates<'r>(
    conn: &mut impl Connection,
    replacement: &'r CertificateReplacement,
) -> Result<(KeyPair, &'r [Event]), StoreError> {
    let CertificateReplacement { id, version, certificates, rotation_settings } = replacement;
    meta::advance_epoch(conn).await?;
    let pair = key_pairs::replace_certificates(conn, *id, *version, certificates).await?;
    rings::make_due(conn, pair.ring.as_ref()).await?;
    if let (RotationSettingsChange::Remove(event), Some(ring)) = (rotation_settings, &pair.ring)
        && delete(conn, DocumentKind::RotationSettings, &ring.to_string()).await?
    {
        return Ok((pair, std::slice::from_ref(event)));
    }
    Ok((pair, &[]))
}

/// Notes whether the token has the key of a pair.
pub(super) async fn set_presence(
    conn: &mut impl Connection,
    id: KeyId,
    presence: TokenPresence,
) -> Result<(), StoreError> {
    meta::advance_epoch(conn).await?;
    key_pairs::set_presence(conn, id, presence).await
}

/// Replaces the sealed private half of a key pair.
pub(super) async fn reseal(
    conn: &mut impl Connection,
    id: KeyId,
    version: i64,
    sealed: &SealedKey,
) -> Result<KeyPair, StoreError> {
    master_keys::check(conn, sealed).await?;
    meta::advance_epoch(conn).await?;
    key_pairs::reseal(conn, id, version, sealed).await
}

/// The key pair, if it is still in the version that the caller saw.
async fn unchanged(conn: &mut impl Connection, id: KeyId, version: i64) -> Result<KeyPair, StoreError> {
    key_pairs::find(conn, id).await?.filter(|pair| pair.version == version).ok_or(StoreError::Conflict)
}

/// Whether a transition is allowed outside of reserve and commit: `Reserved` leads to `Abandoning` only,
/// a visible state needs a ring, and `Deactivated` leads to `Active` in the ring of web keys only.
fn may_move(pair: &KeyPair, Transition { to, reactivate, .. }: &Transition) -> bool {
    let web_key = pair.ring.as_ref().is_some_and(|ring| ring.kind() == RingKind::WebKeys);
    pair.state.may_become(*to, *reactivate && web_key)
        && (pair.state != KeyState::Reserved || *to == KeyState::Abandoning)
        && *to != KeyState::Reserved
        && (pair.ring.is_some() || !to.is_visible())
}
