//! Creation of key pairs and changes of rings: authorise, check capability, reserve, obtain keys and
//! certificates, then commit everything with the state changes of other keys, or undo everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::obtain::KeyMaterial;
use super::reservation::Reservation;
use super::stock::AttestedKey;
use super::{InitialState, KeyCreated, Keyring, KidScheme, RingChanged, StateChange};
use crate::auth::Caller;
use crate::failpoint::{self, Failpoint};
use crate::provider::KeyProvider;
use crate::store::{IdempotencyClaim, NewReservation, Placement, ReserveOutcome, StoreError};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind, Field, FieldViolation, Reason};
use strongroom_domain::key::{
    KeyAlgorithm, KeyId, KeyOrigin, KeyPair, KeyState, KeyUse, Locator, ProviderKind, RingId, SignatureAlgorithm,
};

/// How long an `Idempotency-Key` is remembered.
const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// Specification of a key pair, whether generated, imported or linked.
pub(super) struct KeySpec {
    pub(super) initial_state: InitialState,
    pub(super) kid_scheme: KidScheme,
    pub(super) provider: ProviderKind,
    pub(super) origin: KeyOrigin,
    pub(super) key_use: KeyUse,
    pub(super) algorithm: KeyAlgorithm,
    pub(super) signature_algorithm: SignatureAlgorithm,
    pub(super) permitted: Vec<SignatureAlgorithm>,
}

/// Update of a ring, without its new keys.
pub(super) struct RingUpdate {
    pub(super) ring: RingId,
    pub(super) placement: Placement,
    pub(super) state_changes: Vec<StateChange>,
    /// Why keys are added; empty for a new ring.
    pub(super) reason: String,
    pub(super) fence: Option<i64>,
    /// When the commit must have begun.
    pub(super) deadline: Instant,
}

impl RingUpdate {
    /// The update that makes a new ring with one key.
    pub(super) fn for_new_ring(ring: RingId, deadline: Instant) -> Self {
        let (placement, moves, reason) = (Placement::NewRing, Vec::new(), String::new());
        Self { ring, placement, state_changes: moves, reason, fence: None, deadline }
    }
}

/// A key pair to be made, with its material and its provider.
pub(super) struct PlannedKey {
    pub(super) spec: KeySpec,
    pub(super) material: KeyMaterial,
    pub(super) provider: Arc<dyn KeyProvider>,
}

impl Keyring {
    /// Creates the only key of a new ring, or changes nothing.
    pub(super) async fn create(
        &self,
        who: &Caller,
        update: RingUpdate,
        spec: KeySpec,
        material: KeyMaterial,
    ) -> Result<KeyCreated, Error> {
        single_created(self.apply_update(who, update, vec![(spec, material)]).await?)
    }

    /// Applies an update, generating its new keys one after the other, or changes nothing.
    pub(super) async fn apply_update(
        &self,
        who: &Caller,
        update: RingUpdate,
        specs: Vec<(KeySpec, KeyMaterial)>,
    ) -> Result<RingChanged, Error> {
        failpoint::hit(Failpoint::GenerateAuthorise).await?;
        let claim = self.idempotency_claim(who);
        if let Some(before) = self.prior_result(claim.as_ref(), &update.ring).await? {
            return Ok(before);
        }
        let mut planned_keys = Vec::with_capacity(specs.len());
        for (spec, material) in specs {
            let provider = self.capable_provider(&spec)?;
            planned_keys.push(PlannedKey { spec, material, provider });
        }
        failpoint::hit(Failpoint::GenerateCapability).await?;
        let admission =
            planned_keys.first().map(|planned| self.queue.admit(planned.provider.kind(), who.name())).transpose()?;
        let _permit = match &admission {
            Some(admission) => Some(admission.acquire(update.deadline).await?),
            None => None,
        };
        let _underway = CreationGuard::enter(&self.creations_underway, planned_keys.len());
        let mut reservations = Vec::with_capacity(planned_keys.len());
        let (reservations, failure) =
            match self.reserve_all(who, &update, &planned_keys, claim, &mut reservations).await {
                Ok(Some(precedent)) => return Ok(precedent),
                Ok(None) => match self.obtain_all(&update, &mut reservations, planned_keys).await {
                    Ok(finished) => match self.commit(who, &update, reservations, finished).await {
                        Ok(changed) => {
                            // A crash from here on loses nothing; a failure can no longer be answered.
                            let _ = failpoint::hit(Failpoint::GenerateCommit).await;
                            return Ok(changed);
                        }
                        Err(undone) => undone,
                    },
                    Err(failure) => (reservations, failure),
                },
                Err(failure) => (reservations, failure),
            };
        for reservation in reservations {
            self.abandon(reservation, &failure).await;
        }
        Err(failure)
    }

    /// Reserves every planned key; returns the earlier result if the request is a replay.
    async fn reserve_all(
        &self,
        who: &Caller,
        update: &RingUpdate,
        planned_keys: &[PlannedKey],
        mut claim: Option<IdempotencyClaim>,
        reservations: &mut Vec<Reservation>,
    ) -> Result<Option<RingChanged>, Error> {
        for planned in planned_keys {
            let placement = if reservations.is_empty() { update.placement } else { Placement::Additional };
            match self.reserve(who, update, placement, planned, claim.take()).await? {
                Ok(reservation) => reservations.push(reservation),
                Err(precedent) => return self.result_of(precedent, &update.ring).await.map(Some),
            }
        }
        Ok(None)
    }

    async fn obtain_all(
        &self,
        update: &RingUpdate,
        reservations: &mut [Reservation],
        planned_keys: Vec<PlannedKey>,
    ) -> Result<Vec<super::reservation::CommitInput>, Error> {
        let mut finished = Vec::with_capacity(planned_keys.len());
        for (reservation, planned) in reservations.iter_mut().zip(planned_keys) {
            finished.push(self.obtain(reservation, planned, update.deadline).await?);
        }
        Ok(finished)
    }

    /// The provider of a kind, if one is configured.
    pub(super) fn provider(&self, kind: ProviderKind) -> Result<Arc<dyn KeyProvider>, Error> {
        self.providers.get(kind).ok_or_else(|| no_provider(kind))
    }

    /// The provider of an existing key; without it the key is unavailable, not unsupported.
    pub(super) fn provider_of(&self, pair: &KeyPair) -> Result<Arc<dyn KeyProvider>, Error> {
        let holder = self.providers.get(pair.provider);
        holder.ok_or_else(|| Error::new(ErrorKind::ProviderUnavailable, "the key's provider is not configured"))
    }

    fn capable_provider(&self, spec: &KeySpec) -> Result<Arc<dyn KeyProvider>, Error> {
        let provider = self.provider(spec.provider)?;
        // A linked key has already signed once.
        if spec.origin == KeyOrigin::Linked {
            return Ok(provider);
        }
        let capabilities = provider.capabilities().ok_or_else(|| {
            Error::new(ErrorKind::ProviderUnavailable, "the crypto provider is unavailable")
                .with_source(provider.health().detail)
        })?;
        let signatures = capabilities.signatures_of(spec.algorithm);
        let (able, what) = match spec.key_use {
            KeyUse::Sign => (
                signatures.is_some_and(|signatures| signatures.contains(&spec.signature_algorithm)),
                format!("{} with {}", spec.algorithm, spec.signature_algorithm),
            ),
            KeyUse::Decrypt => (
                signatures.is_some() && !capabilities.decryptions.is_empty(),
                format!("decryption with {}", spec.algorithm),
            ),
        };
        let refusal =
            || Error::new(ErrorKind::Unsupported, format!("the {} provider cannot do {what}", spec.provider.name()));
        able.then_some(provider).ok_or_else(refusal)
    }

    pub(super) fn idempotency_claim(&self, who: &Caller) -> Option<IdempotencyClaim> {
        who.idempotency().map(|key| IdempotencyClaim {
            principal: who.name().to_owned(),
            route: key.route.clone(),
            key: key.key.clone(),
            fingerprint: key.fingerprint,
            expires: self.clock.now().plus(IDEMPOTENCY_WINDOW),
        })
    }

    /// The result of an earlier request with the same idempotency key; `None` for a new request.
    pub(super) async fn prior_result(
        &self,
        claim: Option<&IdempotencyClaim>,
        ring: &RingId,
    ) -> Result<Option<RingChanged>, Error> {
        let Some(claim) = claim else { return Ok(None) };
        match self.store.prior_outcome(claim, self.clock.now()).await? {
            Some(precedent) => self.result_of(precedent, ring).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reserves a planned key, from stock if possible; the inner error is the outcome that stands in its
    /// way.
    async fn reserve(
        &self,
        who: &Caller,
        update: &RingUpdate,
        placement: Placement,
        planned: &PlannedKey,
        idempotency: Option<IdempotencyClaim>,
    ) -> Result<Result<Reservation, ReserveOutcome>, Error> {
        let mine = |pair: KeyPair| Reservation::new(pair, who);
        while let Some(AttestedKey { pair, attestation }) = self.next_from_stock(planned).await? {
            let mut new = self.new_reservation(update, placement, planned, idempotency.clone())?;
            (new.id, new.locator, new.stock) = (pair.id, pair.locator, Some(pair.version));
            let origin = format!("from stock, made {}", pair.created_at);
            match self
                .store
                .reserve(new, &[requested_event(who, update, planned, pair.id, &origin, self.clock.now())])
                .await
            {
                // Another request claimed it first.
                Err(StoreError::Conflict) => {}
                Ok(ReserveOutcome::Reserved(pair)) => {
                    self.count_stock(pair.algorithm, true);
                    return Ok(Ok(mine(*pair).with_stocked_key(attestation)));
                }
                outcome => return Ok(Err(outcome?)),
            }
        }
        let new = self.new_reservation(update, placement, planned, idempotency)?;
        let id = new.id;
        let event = requested_event(who, update, planned, id, planned.spec.origin.name(), new.now);
        match self.store.reserve(new, &[event]).await {
            // The only unique value of a reservation is its locator.
            Err(StoreError::Conflict) if planned.spec.origin == KeyOrigin::Linked => {
                Err(Error::refused(Field::PrivateKey, Reason::KeyInUse))
            }
            Err(failure @ StoreError::Unknown(_)) => match self.read_back(id).await {
                Some(pair) if pair.state == KeyState::Reserved => Ok(Ok(mine(pair))),
                _ => Err(failure.into()),
            },
            Ok(ReserveOutcome::Reserved(pair)) => {
                if self.has_stock_for(planned) {
                    self.count_stock(pair.algorithm, false);
                }
                Ok(Ok(mine(*pair)))
            }
            outcome => Ok(Err(outcome?)),
        }
    }

    fn new_reservation(
        &self,
        update: &RingUpdate,
        placement: Placement,
        PlannedKey { spec, material, .. }: &PlannedKey,
        idempotency: Option<IdempotencyClaim>,
    ) -> Result<NewReservation, Error> {
        let now = self.clock.now();
        Ok(NewReservation {
            id: KeyId::new(now)?,
            ring: Some(update.ring.clone()),
            placement,
            provider: spec.provider,
            locator: match material {
                KeyMaterial::Generate(_) | KeyMaterial::Import { .. } => Locator::new()?,
                KeyMaterial::Link { key, .. } => key.locator.clone(),
            },
            origin: spec.origin,
            key_use: spec.key_use,
            algorithm: spec.algorithm,
            signature_algorithm: spec.signature_algorithm,
            permitted: spec.permitted.clone(),
            owner: self.owner.clone(),
            now,
            lease: self.lease,
            idempotency,
            stock: None,
        })
    }

    /// Maps the outcome of a reservation that was not made (replay, in progress, ring exists, ...) to
    /// the earlier result or to an error.
    async fn result_of(&self, precedent: ReserveOutcome, ring: &RingId) -> Result<RingChanged, Error> {
        match precedent {
            ReserveOutcome::Reserved(pair) => Ok(RingChanged { created: vec![*pair], ..RingChanged::default() }),
            ReserveOutcome::Replay(id) => {
                let pair = self.store.pair(id).await?.ok_or_else(missing_row)?;
                Ok(RingChanged { created: vec![pair], replayed: true, ..RingChanged::default() })
            }
            // A retry must not be answered with a key that no longer exists.
            ReserveOutcome::Deleted => Err(Error::new(
                ErrorKind::Conflict,
                "the key pair that this request made has been deleted since; \
                 another Idempotency-Key makes another key pair",
            )),
            ReserveOutcome::InProgress => Err(Error::new(ErrorKind::Conflict, "the same request is still running")),
            ReserveOutcome::SuccessorPending => {
                Err(Error::new(ErrorKind::Conflict, format!("another key pair is being made for {ring}")))
            }
            ReserveOutcome::BodyMismatch => Err(Error::refused(Field::IdempotencyKey, Reason::OtherRequest)),
            ReserveOutcome::RingExists => Err(ring_id_in_use(ring).into()),
        }
    }
}

fn requested_event(
    who: &Caller,
    update: &RingUpdate,
    PlannedKey { spec, .. }: &PlannedKey,
    key: KeyId,
    origin: &str,
    at: Timestamp,
) -> Event {
    let what = format!("{origin} {} {} {}", spec.provider.name(), spec.algorithm, spec.signature_algorithm);
    Event {
        at,
        principal: who.name().to_owned(),
        action: Action::Requested,
        key: Some(key),
        ring: Some(update.ring.clone()),
        detail: with_reason(what, update),
        request_id: who.request_id(),
    }
}

/// Violation for a ring id that is in use.
pub(super) fn ring_id_in_use(ring: &RingId) -> FieldViolation {
    FieldViolation { field: Field::RingId, reason: Reason::IdInUse(ring.name().to_owned()) }
}

/// Audit detail, with the reason of the update appended.
pub(super) fn with_reason(words: String, update: &RingUpdate) -> String {
    if update.reason.is_empty() { words } else { format!("{words}; {}", update.reason) }
}

/// The result of an update with exactly one new key.
pub(super) fn single_created(RingChanged { created: made, replayed, .. }: RingChanged) -> Result<KeyCreated, Error> {
    let pair = made.into_iter().next().ok_or_else(missing_row)?;
    Ok(KeyCreated { pair, replayed })
}

fn missing_row() -> Error {
    Error::new(ErrorKind::Internal, "internal error").with_source("a key pair that was made has no row")
}

/// Guard that counts creations under way.
pub(in crate::services) struct CreationGuard<'a>(&'a AtomicUsize, usize);

impl<'a> CreationGuard<'a> {
    pub(in crate::services) fn enter(count: &'a AtomicUsize, creations: usize) -> Self {
        count.fetch_add(creations, Ordering::SeqCst);
        Self(count, creations)
    }
}

impl Drop for CreationGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::SeqCst);
    }
}

pub(super) fn no_provider(kind: ProviderKind) -> Error {
    Error::new(ErrorKind::Unsupported, format!("there is no {} provider here", kind.name()))
}
