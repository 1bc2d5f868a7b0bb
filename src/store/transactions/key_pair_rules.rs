//! Rules of the transactions of key pairs: rows of other tables that change together with a key pair's.

use super::documents::{delete, write};
use super::master_keys;
use crate::store::seam::Connection;
use crate::store::{
    CertificateReplacement, Commit, DocumentKind, IdempotencyClaim, KeyPairChange, NewReservation, Placement,
    ReserveOutcome, RotationSettingsChange, StoreError, TokenPresence, Transition, documents, idempotency, key_pairs,
    meta, rings, stock,
};
use std::collections::BTreeSet;
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
            conn.lock_ring(ring).await?;
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
    if let Some(claim) = &new.idempotency
        && !idempotency::remember(conn, claim, new.id).await?
    {
        // Another request with the claim was faster, and is committed by now.
        return Ok(prior_outcome(conn, claim, new.now).await?.unwrap_or(ReserveOutcome::InProgress));
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
        KeyState::PendingDestruction | KeyState::Destroying | KeyState::Destroyed => ReserveOutcome::Deleted,
        // Past `Reserved` it was committed: an abandoned reservation has lost its claim.
        _ => ReserveOutcome::Replay(earlier.key),
    }))
}

/// Applies transitions, then commits, then writes documents.
pub(super) async fn change(conn: &mut impl Connection, wanted: &KeyPairChange) -> Result<Vec<KeyPair>, StoreError> {
    if let Some(fence) = wanted.fence {
        meta::check_fence(conn, fence).await?;
    }
    lock_rings_of(conn, wanted).await?;
    let mut rows = Vec::with_capacity(wanted.moves.len() + wanted.commits.len());
    for step in &wanted.moves {
        rows.push(transition(conn, step).await?);
    }
    for reservation in &wanted.commits {
        rows.push(commit(conn, reservation).await?);
    }
    // Successors have joined by now.
    drop_documents_of_empty_rings(conn, &rows).await?;
    for document in &wanted.documents {
        write(conn, document).await?;
    }
    Ok(rows)
}

/// Locks the rings of every key pair of a change.
async fn lock_rings_of(conn: &mut impl Connection, wanted: &KeyPairChange) -> Result<(), StoreError> {
    let moved = wanted.moves.iter().map(|step| step.id);
    let mut rings = BTreeSet::new();
    for id in moved.chain(wanted.commits.iter().map(|commit| commit.id)) {
        rings.extend(key_pairs::find(conn, id).await?.and_then(|pair| pair.ring));
    }
    for ring in &rings {
        conn.lock_ring(ring).await?;
    }
    Ok(())
}

/// Makes a reservation real.
async fn commit(conn: &mut impl Connection, commit: &Commit) -> Result<KeyPair, StoreError> {
    let reserved = unchanged(conn, commit.id, commit.version).await?;
    if reserved.state != KeyState::Reserved {
        return Err(StoreError::Conflict);
    }
    let to = match &reserved.ring {
        Some(ring) if commit.active_if_none && key_pairs::current(conn, ring).await?.is_none() => KeyState::Active,
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
    if key_pairs::is_compromised(conn, &commit.spki).await? {
        return Err(StoreError::Compromised);
    }
    conn.count_change();
    rings::make_due(conn, reserved.ring.as_ref()).await?;
    if to == KeyState::Active {
        key_pairs::give_way(conn, &reserved, commit.now).await?;
    }
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
        // A compromised key serves no document any more.
        KeyState::Destroying | KeyState::PendingDestruction if pair.state.is_visible() => {
            check_release(conn, &pair).await?;
        }
        KeyState::Active => key_pairs::give_way(conn, &pair, now).await?,
        _ => {}
    }
    let suspended_from = suspended_from(&pair, to);
    conn.count_change();
    // A change that no plan sees makes no ring due.
    if pair.state.is_visible() || to.is_visible() || to == KeyState::PendingDestruction {
        rings::make_due(conn, pair.ring.as_ref()).await?;
    }
    key_pairs::set_state(conn, &pair, transition, suspended_from).await
}

/// Removes the documents of rings whose last visible key left them; while a compromised key awaits its successor, the
/// ring keeps its documents for that one.
async fn drop_documents_of_empty_rings(conn: &mut impl Connection, moved: &[KeyPair]) -> Result<(), StoreError> {
    let has_left = |pair: &&KeyPair| match pair.state {
        KeyState::Destroying | KeyState::PendingDestruction => true,
        KeyState::Compromised => !pair.awaits_successor,
        _ => false,
    };
    for ring in moved.iter().filter(has_left).filter_map(|pair| pair.ring.as_ref()) {
        if key_pairs::of_ring(conn, ring).await?.is_empty() {
            documents::delete_of_ring(conn, ring).await?;
        }
    }
    Ok(())
}

/// The state that a key pair in state `to` can be reinstated to.
fn suspended_from(pair: &KeyPair, to: KeyState) -> Option<KeyState> {
    match (pair.state, to) {
        (KeyState::Suspended | KeyState::PendingDestruction, KeyState::Suspended | KeyState::PendingDestruction) => {
            pair.suspended_from
        }
        (from, KeyState::Suspended | KeyState::PendingDestruction) if from.is_visible() => Some(from),
        _ => None,
    }
}

/// Refuses to let a key pair go while a document refers to its ring and no other key is the current one there.
async fn check_release(conn: &mut impl Connection, pair: &KeyPair) -> Result<(), StoreError> {
    let Some(ring) = &pair.ring else { return Ok(()) };
    if key_pairs::current(conn, ring).await?.is_some_and(|current| current.id != pair.id) {
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
    if let Some(ring) = key_pairs::find(conn, *id).await?.and_then(|pair| pair.ring) {
        conn.lock_ring(&ring).await?;
    }
    conn.count_change();
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
    conn.count_change();
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
    conn.count_change();
    key_pairs::reseal(conn, id, version, sealed).await
}

/// The key pair, if it is still in the version that the caller saw.
async fn unchanged(conn: &mut impl Connection, id: KeyId, version: i64) -> Result<KeyPair, StoreError> {
    key_pairs::find(conn, id).await?.filter(|pair| pair.version == version).ok_or(StoreError::Conflict)
}

/// Whether a transition is allowed outside of reserve and commit: `Reserved` leads to `Abandoning` only,
/// a visible state needs a ring, `Deactivated` leads to `Active` in the ring of web keys only, `Suspended` leads back
/// to the state that the key came from only, and a cancelled destruction ends in `Compromised` for compromised keys only.
fn may_move(pair: &KeyPair, Transition { to, reactivate, destroy_at, .. }: &Transition) -> bool {
    let returns = match pair.state {
        KeyState::Suspended => !to.is_visible() || pair.suspended_from == Some(*to),
        KeyState::PendingDestruction => match to {
            KeyState::Suspended => pair.compromised_at.is_none(),
            KeyState::Compromised => pair.compromised_at.is_some(),
            _ => true,
        },
        _ => true,
    };
    let web_key = pair.ring.as_ref().is_some_and(|ring| ring.kind() == RingKind::WebKeys);
    pair.state.may_become(*to, *reactivate && web_key)
        && (pair.state != KeyState::Reserved || *to == KeyState::Abandoning)
        && *to != KeyState::Reserved
        && returns
        && (*to != KeyState::PendingDestruction || destroy_at.is_some())
        && (pair.ring.is_some() || !to.is_visible())
}
