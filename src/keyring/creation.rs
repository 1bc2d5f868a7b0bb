//! How every key pair comes to be: authorise, capability, reserve, obtain the key and its
//! certificate, commit; or undo all of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::reservation::{Finished, Reservation};
use super::{CertificateSpec, IdempotencyKey, Keyring, Made};
use crate::audit::{Action, Event};
use crate::auth::{Principal, Scope};
use crate::checkpoint::{Stopped, reach};
use crate::error::{Error, Kind, Rule, Violation};
use crate::issuance;
use crate::jose;
use crate::key::{
    CertificateDer, KeyAlgorithm, KeyId, KeyPair, KeyUse, Locator, Origin, ProviderKind, RingId, SignatureAlgorithm,
    SpkiDer, State,
};
use crate::provider::{FoundKey, GeneratedKey, KeyProvider, KeyRef, NewKey, ProviderError};
use crate::secret::Secret;
use crate::store::{IdempotencyClaim, NewReservation, Reserve, StoreError};

/// How long an `Idempotency-Key` is remembered.
const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 3600);

/// What a key pair shall be, wherever its key comes from.
pub(super) struct Wish {
    pub(super) ring: RingId,
    pub(super) provider: ProviderKind,
    pub(super) origin: Origin,
    pub(super) key_use: KeyUse,
    pub(super) algorithm: KeyAlgorithm,
    pub(super) signature_algorithm: SignatureAlgorithm,
    pub(super) permitted: Vec<SignatureAlgorithm>,
    pub(super) idempotency: Option<IdempotencyKey>,
    /// When the commit must have begun.
    pub(super) deadline: Instant,
    pub(super) request_id: Option<String>,
}

/// Where the key and its certificates come from.
pub(super) enum Source {
    /// The provider makes the key; its certificate is issued here.
    Generate(CertificateSpec),
    /// The provider takes the key in.
    Import { pkcs8: Secret, spki: SpkiDer, certificates: Vec<CertificateDer> },
    /// The provider has had the key before.
    Found { key: FoundKey, certificates: Vec<CertificateDer> },
}

impl Keyring {
    /// Makes a wish come true as the Active key of a new ring, or changes nothing.
    pub(super) async fn create(&self, who: &Principal, wish: Wish, source: Source) -> Result<Made, Error> {
        who.require(Scope::Manage)?;
        reach("generate.authorise").await?;
        let claim = self.claim(who, wish.idempotency.as_ref());
        if let Some(made) = self.replayed(claim.as_ref(), &wish.ring).await? {
            return Ok(made);
        }
        let provider = self.capable(&wish)?;
        reach("generate.capability").await?;
        let locator = match &source {
            Source::Generate(_) | Source::Import { .. } => Locator::new()?,
            Source::Found { key, .. } => key.locator.clone(),
        };
        let mut reservation = match self.reserve(who, &wish, locator, claim).await? {
            Reserve::New(pair) => Reservation::new(*pair, who, wish.request_id.clone()),
            precedent => return self.follow(precedent, &wish.ring).await,
        };
        let _underway = Underway::enter(&self.generating);
        match self.obtain(&mut reservation, &wish, source, provider.as_ref()).await {
            Ok(finished) => match self.commit(reservation, finished).await {
                Ok(pair) => {
                    // A crash from here on loses nothing; a failure can no longer be answered.
                    let _ = reach("generate.commit").await;
                    Ok(Made { pair, replayed: false })
                }
                Err((reservation, failure)) => {
                    self.abandon(reservation, &failure).await;
                    Err(failure)
                }
            },
            Err(failure) => {
                self.abandon(reservation, &failure).await;
                Err(failure)
            }
        }
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
        let signatures = capabilities.signatures_of(wish.algorithm).unwrap_or_default();
        if !signatures.contains(&wish.signature_algorithm) {
            let what = format!("{} with {}", wish.algorithm, wish.signature_algorithm);
            return Err(Error::new(
                Kind::Unsupported,
                format!("the {} provider cannot do {what}", wish.provider.name()),
            ));
        }
        Ok(provider)
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
    ) -> Result<Option<Made>, Error> {
        let Some(claim) = claim else { return Ok(None) };
        match self.store.precedent(claim, self.clock.now()).await? {
            Some(precedent) => self.follow(precedent, ring).await.map(Some),
            None => Ok(None),
        }
    }

    async fn reserve(
        &self,
        who: &Principal,
        wish: &Wish,
        locator: Locator,
        idempotency: Option<IdempotencyClaim>,
    ) -> Result<Reserve, Error> {
        let now = self.clock.now();
        let reservation = NewReservation {
            id: KeyId::new(now)?,
            ring: Some(wish.ring.clone()),
            provider: wish.provider,
            locator,
            origin: wish.origin,
            key_use: wish.key_use,
            algorithm: wish.algorithm,
            signature_algorithm: wish.signature_algorithm,
            permitted: wish.permitted.clone(),
            owner: self.owner.clone(),
            now,
            lease: self.lease,
            idempotency,
        };
        let event = Event {
            at: now,
            principal: who.name().to_owned(),
            action: Action::Requested,
            key: Some(reservation.id),
            ring: reservation.ring.clone(),
            detail: format!(
                "{} {} {} {}",
                wish.origin.name(),
                wish.provider.name(),
                wish.algorithm,
                wish.signature_algorithm
            ),
            request_id: wish.request_id.clone(),
        };
        let id = reservation.id;
        match self.store.reserve(reservation, &[event]).await {
            // Of what a reservation says, only another's locator can be taken.
            Err(StoreError::Conflict) if wish.origin == Origin::Linked => {
                let message = "The private key is already in use.";
                Err(Error::invalid(vec![Violation::at("privateKeyId", Rule::NotUnique, message)]))
            }
            Err(failure @ StoreError::Unknown(_)) => match self.settle(id).await {
                Some(pair) if pair.state == State::Reserved => Ok(Reserve::New(Box::new(pair))),
                _ => Err(failure.into()),
            },
            outcome => Ok(outcome?),
        }
    }

    /// What a wish comes to that cannot be fulfilled anew.
    async fn follow(&self, precedent: Reserve, ring: &RingId) -> Result<Made, Error> {
        match precedent {
            Reserve::New(pair) => Ok(Made { pair: *pair, replayed: false }),
            Reserve::Replay(id) => Ok(Made { pair: self.made_before(id).await?, replayed: true }),
            // A client that tries again must not hear of a key that there is no longer.
            Reserve::Deleted => Err(Error::new(
                Kind::Conflict,
                "the key pair that this request made has been deleted since; \
                 another Idempotency-Key makes another key pair",
            )),
            Reserve::InProgress => Err(Error::new(Kind::Conflict, "the same request is still running")),
            Reserve::Mismatch => Err(Error::invalid(vec![Violation {
                path: None,
                rule: Rule::InvalidValue,
                message: "this Idempotency-Key came before with another body".to_owned(),
            }])),
            Reserve::RingExists => {
                let message = format!("The ID '{}' is already in use.", ring.name());
                Err(Error::invalid(vec![Violation::at("id", Rule::NotUnique, message)]))
            }
        }
    }

    async fn made_before(&self, id: KeyId) -> Result<KeyPair, Error> {
        let pair = self.store.pair(id).await?;
        pair.ok_or_else(|| Error::new(Kind::Internal, "internal error").because("a replayed key pair has no row"))
    }

    /// The key with its certificates, in time and proven.
    async fn obtain(
        &self,
        reservation: &mut Reservation,
        wish: &Wish,
        source: Source,
        provider: &dyn KeyProvider,
    ) -> Result<Finished, Error> {
        reach("generate.reserve").await?;
        let pair = &reservation.pair;
        let key = NewKey {
            id: pair.id,
            locator: pair.locator.clone(),
            label: self.store.id().label(pair.id),
            algorithm: pair.algorithm,
            key_use: pair.key_use,
            deadline: wish.deadline,
        };
        // Never dropped half-way: a key whose maker has gone would come after its undoing.
        let (GeneratedKey { spki, sealed, proof }, certificates) = match source {
            Source::Generate(spec) => {
                let made = provider.generate(key).await;
                reservation.may_hold_key = made.as_ref().err().is_none_or(ProviderError::may_have_made);
                let made = made?;
                reach("generate.generate").await?;
                let certificate = self.certify(&reservation.pair, &spec, &made, provider).await?;
                (made, vec![certificate])
            }
            Source::Import { pkcs8, spki, certificates } => {
                let taken = provider.import(key, pkcs8).await;
                reservation.may_hold_key = taken.as_ref().err().is_none_or(ProviderError::may_have_made);
                let taken = taken.map_err(refused_file)?;
                reach("import.import").await?;
                if taken.spki != spki {
                    return Err(refused_file(ProviderError::Refused("its public half came out as another".to_owned())));
                }
                (taken, certificates)
            }
            Source::Found { key, certificates } => {
                (GeneratedKey { spki: key.spki, sealed: None, proof: key.proof }, certificates)
            }
        };
        if Instant::now() >= wish.deadline {
            return Err(Error::new(Kind::Deadline, "the deadline passed before the key pair was ready"));
        }
        let kid =
            jose::thumbprint(&spki).map_err(|failure| Error::new(Kind::Internal, "internal error").because(failure))?;
        Ok(Finished { kid, spki, sealed, certificates, proof })
    }

    /// A self-signed certificate for a key that was just made: TBS, signature, check.
    async fn certify(
        &self,
        pair: &KeyPair,
        spec: &CertificateSpec,
        made: &GeneratedKey,
        provider: &dyn KeyProvider,
    ) -> Result<CertificateDer, Error> {
        let prepared = issuance::prepare(spec, pair.signature_algorithm, made.spki.clone(), self.clock.now())?;
        reach("generate.prepare").await?;
        let key = KeyRef {
            id: pair.id,
            locator: pair.locator.clone(),
            algorithm: pair.algorithm,
            spki: made.spki.clone(),
            sealed: made.sealed.clone(),
        };
        let issued = issuance::issue(prepared, provider, &key).await?;
        reach("generate.issue").await?;
        let certificate = issuance::check(issued, &made.spki)?;
        reach("generate.check").await?;
        Ok(certificate)
    }
}

/// What a provider says of a key that it does not take is about the file.
fn refused_file(failure: ProviderError) -> Error {
    match failure {
        ProviderError::Refused(_) => {
            let message = "The crypto provider does not accept this private key; \
                           an RSA key in an HSM must have the public exponent 65537.";
            Error::invalid(vec![Violation::at("fileData", Rule::InvalidValue, message)]).because(failure)
        }
        other => other.into(),
    }
}

/// Counts a creation while it lasts.
struct Underway<'a>(&'a AtomicUsize);

impl<'a> Underway<'a> {
    fn enter(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Self {
        Self::new(Kind::ProviderUnavailable, "the crypto provider is unavailable").because(stopped)
    }
}
