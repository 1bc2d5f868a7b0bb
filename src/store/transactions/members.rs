//! Transactions of one member of a ring: its activation, and its deletion while another signs.

use super::key_pair_rules::transition;
use crate::store::pools::on_database;
use crate::store::seam::Connection;
use crate::store::{Activation, MemberDeletion, Store, StoreError, Transition, key_pairs};
use strongroom_domain::audit::Event;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::key::{KeyPair, KeyState, Kid, RingId};

impl Store {
    /// Makes the visible key of a kid the Active one of its ring, in place of the one that is; with the events that
    /// `event` gives for the state that each of the two is about to leave.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn activate_member(
        &self,
        ring: &RingId,
        kid: &Kid,
        now: Timestamp,
        event: impl Fn(&KeyPair, KeyState) -> Event + Send + Sync,
    ) -> Result<Activation, StoreError> {
        on_database!(self, |pools| {
            let mut transaction = pools.begin("activate_member").await?;
            let (activation, events) = activate(transaction.conn(), ring, kid, now, &event).await?;
            if !events.is_empty() {
                let _revision = self.revise();
                transaction.commit(&events).await?;
            }
            Ok(activation)
        })
    }

    /// Commits the deletion of the key of a kid, unless it is the Active one of its ring, by the transition that
    /// `removal` gives, with its event.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn delete_member(
        &self,
        ring: &RingId,
        kid: &Kid,
        removal: impl Fn(&KeyPair) -> (Transition, Event) + Send + Sync,
    ) -> Result<MemberDeletion, StoreError> {
        on_database!(self, |pools| {
            let mut transaction = pools.begin("delete_member").await?;
            let (deletion, events) = delete(transaction.conn(), ring, kid, &removal).await?;
            if !events.is_empty() {
                let _revision = self.revise();
                transaction.commit(&events).await?;
            }
            Ok(deletion)
        })
    }
}

/// Moves the Active key of a ring out of the way of another; without events, nothing was changed.
async fn activate(
    conn: &mut impl Connection,
    ring: &RingId,
    kid: &Kid,
    now: Timestamp,
    event: &(impl Fn(&KeyPair, KeyState) -> Event + Send + Sync),
) -> Result<(Activation, Vec<Event>), StoreError> {
    conn.lock_ring(ring).await?;
    let keys = key_pairs::of_ring(conn, ring).await?;
    let Some(target) = keys.iter().find(|pair| pair.kid.as_ref() == Some(kid)) else {
        return Ok((Activation::NotFound, Vec::new()));
    };
    match target.state {
        KeyState::Active => return Ok((Activation::Done(Box::new(target.clone())), Vec::new())),
        KeyState::PreActive | KeyState::Deactivated if !target.missing => {}
        _ => return Ok((Activation::Unfit(Box::new(target.clone())), Vec::new())),
    }
    let mut events = Vec::new();
    for signing in keys.iter().filter(|pair| pair.state == KeyState::Active) {
        events.push(event(signing, KeyState::Deactivated));
        transition(conn, &of(signing, KeyState::Deactivated, now)).await?;
    }
    events.push(event(target, KeyState::Active));
    let active = transition(conn, &of(target, KeyState::Active, now)).await?;
    Ok((Activation::Done(Box::new(active)), events))
}

/// Begins the destruction of a key; without events, nothing was changed.
async fn delete(
    conn: &mut impl Connection,
    ring: &RingId,
    kid: &Kid,
    removal: &(impl Fn(&KeyPair) -> (Transition, Event) + Send + Sync),
) -> Result<(MemberDeletion, Vec<Event>), StoreError> {
    conn.lock_ring(ring).await?;
    let Some(pair) = key_pairs::find_even_deleted(conn, ring, kid).await? else {
        return Ok((MemberDeletion::NotFound, Vec::new()));
    };
    match pair.state {
        KeyState::Active => Ok((MemberDeletion::Active, Vec::new())),
        state if !state.is_visible() => Ok((MemberDeletion::Done(Box::new(pair)), Vec::new())),
        _ => {
            let (step, event) = removal(&pair);
            let deleted = transition(conn, &step).await?;
            Ok((MemberDeletion::Done(Box::new(deleted)), vec![event]))
        }
    }
}

fn of(pair: &KeyPair, to: KeyState, now: Timestamp) -> Transition {
    let reactivate = pair.state == KeyState::Deactivated && to == KeyState::Active;
    Transition { id: pair.id, version: pair.version, to, reactivate, unpublished: false, destroy_at: None, now }
}
