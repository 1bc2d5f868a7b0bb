//! How key pairs come to be and rings change: authorise, capability, reserve, obtain the
//! keys and their certificates, commit all of it together with the moves of others; or
//! undo all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::making::Source;
use super::reservation::Reservation;
use super::stock::Proven;
use super::{Changed, Entry, IdempotencyKey, Keyring, Made, Move, NewKid};
use crate::auth::{Principal, Scope};
use crate::failpoint::{self, Failpoint};
use crate::provider::KeyProvider;
use crate::store::{IdempotencyClaim, Joining, NewReservation, Reserve, StoreError};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, Kind, Rule, Violation};
use strongroom_domain::key::{
    KeyAlgorithm, KeyId, KeyPair, KeyUse, Locator, Origin, ProviderKind, RingId, SignatureAlgorithm, State,
};

/// How long an `Idempotency-Key` is remembered.
const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// What a key pair shall be, wherever its key comes from.
pub(super) struct Wish {
    pub(super) entry: Entry,
    pub(super) kid: NewKid,
    pub(super) provider: ProviderKind,
    pub(super) origin: Origin,
    pub(super) key_use: KeyUse,
    pub(super) algorithm: KeyAlgorithm,
    pub(super) signature_algorithm: SignatureAlgorithm,
    pub(super) permitted: Vec<SignatureAlgorithm>,
}

/// What becomes of a ring, new members apart.
pub(super) struct Order {
    pub(super) ring: RingId,
    pub(super) joining: Joining,
    pub(super) moves: Vec<Move>,
    /// Why there are new members; empty where that is plain.
    pub(super) reason: String,
    pub(super) fence: Option<i64>,
    pub(super) idempotency: Option<IdempotencyKey>,
    /// When the commit must have begun.
    pub(super) deadline: Instant,
    pub(super) request_id: Option<String>,
}

impl Order {
    /// The order for a new ring of one.
    pub(super) fn founding(
        ring: RingId,
        idempotency: Option<IdempotencyKey>,
        deadline: Instant,
        request_id: Option<String>,
    ) -> Self {
        let (joining, moves, reason) = (Joining::First, Vec::new(), String::new());
        Self { ring, joining, moves, reason, fence: None, idempotency, deadline, request_id }
    }
}

/// A key pair to be made, and by whom.
pub(super) struct Member {
    pub(super) wish: Wish,
    pub(super) source: Source,
    pub(super) provider: Arc<dyn KeyProvider>,
}

impl Keyring {
    /// Makes a wish come true as the only key of a new ring, or changes nothing.
    pub(super) async fn create(
        &self,
        who: &Principal,
        order: Order,
        wish: Wish,
        source: Source,
    ) -> Result<Made, Error> {
        only(self.undertake(who, order, vec![(wish, source)]).await?)
    }

    /// Carries an order out, its new members' keys made one after the other, or changes nothing.
    pub(super) async fn undertake(
        &self,
        who: &Principal,
        order: Order,
        wishes: Vec<(Wish, Source)>,
    ) -> Result<Changed, Error> {
        who.require(Scope::Manage)?;
        failpoint::hit(Failpoint::GenerateAuthorise).await?;
        let claim = self.claim(who, order.idempotency.as_ref());
        if let Some(before) = self.replayed(claim.as_ref(), &order.ring).await? {
            return Ok(before);
        }
        let mut members = Vec::with_capacity(wishes.len());
        for (wish, source) in wishes {
            let provider = self.capable(&wish)?;
            members.push(Member { wish, source, provider });
        }
        failpoint::hit(Failpoint::GenerateCapability).await?;
        let place = members.first().map(|member| self.turns.admit(member.provider.kind(), who.name())).transpose()?;
        let _turn = match &place {
            Some(place) => Some(place.turn(order.deadline).await?),
            None => None,
        };
        let _underway = Underway::enter(&self.generating, members.len());
        let mut begun = Vec::with_capacity(members.len());
        let (begun, failure) = match self.begin(who, &order, &members, claim, &mut begun).await {
            Ok(Some(precedent)) => return Ok(precedent),
            Ok(None) => match self.finish_all(&order, &mut begun, members).await {
                Ok(finished) => match self.commit(who, &order, begun, finished).await {
                    Ok(changed) => {
                        // A crash from here on loses nothing; a failure can no longer be answered.
                        let _ = failpoint::hit(Failpoint::GenerateCommit).await;
                        return Ok(changed);
                    }
                    Err(undone) => undone,
                },
                Err(failure) => (begun, failure),
            },
            Err(failure) => (begun, failure),
        };
        for reservation in begun {
            self.abandon(reservation, &failure).await;
        }
        Err(failure)
    }

    /// Reserves every member; what came of the same request before, if it did.
    async fn begin(
        &self,
        who: &Principal,
        order: &Order,
        members: &[Member],
        mut claim: Option<IdempotencyClaim>,
        begun: &mut Vec<Reservation>,
    ) -> Result<Option<Changed>, Error> {
        for member in members {
            let joining = if begun.is_empty() { order.joining } else { Joining::Beside };
            match self.reserve(who, order, joining, member, claim.take()).await? {
                Ok(reservation) => begun.push(reservation),
                Err(precedent) => return self.follow(precedent, &order.ring).await.map(Some),
            }
        }
        Ok(None)
    }

    async fn finish_all(
        &self,
        order: &Order,
        begun: &mut [Reservation],
        members: Vec<Member>,
    ) -> Result<Vec<super::reservation::Finished>, Error> {
        let mut finished = Vec::with_capacity(members.len());
        for (reservation, member) in begun.iter_mut().zip(members) {
            finished.push(self.obtain(reservation, member, order.deadline).await?);
        }
        Ok(finished)
    }

    /// The provider of a kind, if there is one here.
    pub(super) fn provider(&self, kind: ProviderKind) -> Result<Arc<dyn KeyProvider>, Error> {
        let provider = self.providers.get(kind).map(Arc::clone);
        provider.ok_or_else(|| Error::new(Kind::Unsupported, format!("there is no {} provider here", kind.name())))
    }

    /// The provider of a key that is there: without it the key is out of reach, not unsupported.
    pub(super) fn holder(&self, pair: &KeyPair) -> Result<Arc<dyn KeyProvider>, Error> {
        let holder = self.providers.get(pair.provider).map(Arc::clone);
        holder.ok_or_else(|| Error::new(Kind::ProviderUnavailable, "the key's provider is not configured"))
    }

    fn capable(&self, wish: &Wish) -> Result<Arc<dyn KeyProvider>, Error> {
        let provider = self.provider(wish.provider)?;
        // A key that is there already has shown what it can do.
        if wish.origin == Origin::Linked {
            return Ok(provider);
        }
        let capabilities = provider.capabilities().ok_or_else(|| {
            Error::new(Kind::ProviderUnavailable, "the crypto provider is unavailable")
                .because(provider.health().detail)
        })?;
        let signatures = capabilities.signatures_of(wish.algorithm);
        let (able, what) = match wish.key_use {
            KeyUse::Sign => (
                signatures.is_some_and(|signatures| signatures.contains(&wish.signature_algorithm)),
                format!("{} with {}", wish.algorithm, wish.signature_algorithm),
            ),
            KeyUse::Decrypt => (
                signatures.is_some() && !capabilities.decryptions.is_empty(),
                format!("decryption with {}", wish.algorithm),
            ),
        };
        let refusal =
            || Error::new(Kind::Unsupported, format!("the {} provider cannot do {what}", wish.provider.name()));
        able.then_some(provider).ok_or_else(refusal)
    }

    pub(super) fn claim(&self, who: &Principal, key: Option<&IdempotencyKey>) -> Option<IdempotencyClaim> {
        key.map(|key| IdempotencyClaim {
            principal: who.name().to_owned(),
            route: key.route.clone(),
            key: key.key.clone(),
            fingerprint: self.store.fingerprint(&key.body),
            expires: self.clock.now().plus(IDEMPOTENCY_WINDOW),
        })
    }

    /// What the same request came to before; `None` when it is new.
    pub(super) async fn replayed(
        &self,
        claim: Option<&IdempotencyClaim>,
        ring: &RingId,
    ) -> Result<Option<Changed>, Error> {
        let Some(claim) = claim else { return Ok(None) };
        match self.store.precedent(claim, self.clock.now()).await? {
            Some(precedent) => self.follow(precedent, ring).await.map(Some),
            None => Ok(None),
        }
    }

    /// Reserves a member, with a key from stock where there is one; else what stands in its way.
    async fn reserve(
        &self,
        who: &Principal,
        order: &Order,
        joining: Joining,
        member: &Member,
        idempotency: Option<IdempotencyClaim>,
    ) -> Result<Result<Reservation, Reserve>, Error> {
        let mine = |pair: KeyPair| Reservation::new(pair, who, order.request_id.clone());
        while let Some(Proven { pair, proof }) = self.next_from_stock(member).await? {
            let mut new = self.reservation(order, joining, member, idempotency.clone())?;
            (new.id, new.locator, new.stock) = (pair.id, pair.locator, Some(pair.version));
            let origin = format!("from stock, made {}", pair.created_at);
            match self.store.reserve(new, &[requested(who, order, member, pair.id, &origin, self.clock.now())]).await {
                // Another was faster.
                Err(StoreError::Conflict) => {}
                Ok(Reserve::New(pair)) => {
                    self.count_stock(pair.algorithm, true);
                    return Ok(Ok(mine(*pair).holding(proof)));
                }
                outcome => return Ok(Err(outcome?)),
            }
        }
        let new = self.reservation(order, joining, member, idempotency)?;
        let id = new.id;
        let event = requested(who, order, member, id, member.wish.origin.name(), new.now);
        match self.store.reserve(new, &[event]).await {
            // Of what a reservation says, only another's locator can be taken.
            Err(StoreError::Conflict) if member.wish.origin == Origin::Linked => {
                let message = "The private key is already in use.";
                Err(Error::invalid(vec![Violation::at("privateKeyId", Rule::NotUnique, message)]))
            }
            Err(failure @ StoreError::Unknown(_)) => match self.settle(id).await {
                Some(pair) if pair.state == State::Reserved => Ok(Ok(mine(pair))),
                _ => Err(failure.into()),
            },
            Ok(Reserve::New(pair)) => {
                if self.has_stock_for(member) {
                    self.count_stock(pair.algorithm, false);
                }
                Ok(Ok(mine(*pair)))
            }
            outcome => Ok(Err(outcome?)),
        }
    }

    fn reservation(
        &self,
        order: &Order,
        joining: Joining,
        Member { wish, source, .. }: &Member,
        idempotency: Option<IdempotencyClaim>,
    ) -> Result<NewReservation, Error> {
        let now = self.clock.now();
        Ok(NewReservation {
            id: KeyId::new(now)?,
            ring: Some(order.ring.clone()),
            joining,
            provider: wish.provider,
            locator: match source {
                Source::Generate(_) | Source::Import { .. } => Locator::new()?,
                Source::Found { key, .. } => key.locator.clone(),
            },
            origin: wish.origin,
            key_use: wish.key_use,
            algorithm: wish.algorithm,
            signature_algorithm: wish.signature_algorithm,
            permitted: wish.permitted.clone(),
            owner: self.owner.clone(),
            now,
            lease: self.lease,
            idempotency,
            stock: None,
        })
    }

    /// What a wish comes to that cannot be fulfilled anew.
    async fn follow(&self, precedent: Reserve, ring: &RingId) -> Result<Changed, Error> {
        match precedent {
            Reserve::New(pair) => Ok(Changed { made: vec![*pair], ..Changed::default() }),
            Reserve::Replay(id) => {
                let pair = self.store.pair(id).await?.ok_or_else(lost_row)?;
                Ok(Changed { made: vec![pair], replayed: true, ..Changed::default() })
            }
            // A client that tries again must not hear of a key that there is no longer.
            Reserve::Deleted => Err(Error::new(
                Kind::Conflict,
                "the key pair that this request made has been deleted since; \
                 another Idempotency-Key makes another key pair",
            )),
            Reserve::InProgress => Err(Error::new(Kind::Conflict, "the same request is still running")),
            Reserve::Succeeding => {
                Err(Error::new(Kind::Conflict, format!("another key pair is being made for {ring}")))
            }
            Reserve::Mismatch => Err(Error::invalid(vec![Violation {
                path: None,
                rule: Rule::InvalidValue,
                message: "this Idempotency-Key came before with another body".to_owned(),
            }])),
            Reserve::RingExists => Err(Error::invalid(vec![taken(ring)])),
        }
    }
}

fn requested(
    who: &Principal,
    order: &Order,
    Member { wish, .. }: &Member,
    key: KeyId,
    origin: &str,
    at: Timestamp,
) -> Event {
    let what = format!("{origin} {} {} {}", wish.provider.name(), wish.algorithm, wish.signature_algorithm);
    Event {
        at,
        principal: who.name().to_owned(),
        action: Action::Requested,
        key: Some(key),
        ring: Some(order.ring.clone()),
        detail: because(what, order),
        request_id: order.request_id.clone(),
    }
}

/// That the id of a ring cannot be had.
pub(super) fn taken(ring: &RingId) -> Violation {
    Violation::at("id", Rule::NotUnique, format!("The ID '{}' is already in use.", ring.name()))
}

/// Words for the audit trail, with the reason of the order.
pub(super) fn because(words: String, order: &Order) -> String {
    if order.reason.is_empty() { words } else { format!("{words}; {}", order.reason) }
}

/// What an order of one key pair has made.
pub(super) fn only(Changed { made, replayed, .. }: Changed) -> Result<Made, Error> {
    let pair = made.into_iter().next().ok_or_else(lost_row)?;
    Ok(Made { pair, replayed })
}

fn lost_row() -> Error {
    Error::new(Kind::Internal, "internal error").because("a key pair that was made has no row")
}

/// Counts creations while they last.
pub(super) struct Underway<'a>(&'a AtomicUsize, usize);

impl<'a> Underway<'a> {
    pub(super) fn enter(count: &'a AtomicUsize, creations: usize) -> Self {
        count.fetch_add(creations, Ordering::SeqCst);
        Self(count, creations)
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::SeqCst);
    }
}
