//! Generation: authorise, capability, reserve, generate, prepare, issue, check, commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::reservation::{Finished, Reservation};
use super::{Keyring, Made, NewKeyPair};
use crate::audit::{Action, Event};
use crate::auth::{Principal, Scope};
use crate::checkpoint::{Stopped, reach};
use crate::error::{Error, Kind, Rule, Violation};
use crate::issuance;
use crate::jose;
use crate::key::{KeyId, KeyPair, Locator, Origin};
use crate::provider::{GeneratedKey, KeyProvider, KeyRef, NewKey};
use crate::store::{IdempotencyClaim, NewReservation, Reserve};

/// How long an `Idempotency-Key` is remembered.
const IDEMPOTENCY_WINDOW: Duration = Duration::from_secs(24 * 3600);

impl Keyring {
    /// Makes a key pair with its certificate and commits it as the Active key of a new ring.
    ///
    /// # Errors
    /// `Forbidden`, `Invalid` (ring taken, idempotency key with another body), `Conflict`
    /// (the same request is running), `Unsupported`, `ProviderUnavailable`, `Busy`,
    /// `Deadline`. Whenever there is an error, nothing was changed.
    pub async fn generate(&self, who: &Principal, new: NewKeyPair) -> Result<Made, Error> {
        let deadline = Instant::now() + new.deadline;
        who.require(Scope::Manage)?;
        reach("generate.authorise").await?;
        let provider = self.capable(&new)?;
        reach("generate.capability").await?;
        let reservation = match self.reserve(who, &new).await? {
            Reserved::Now(reservation) => reservation,
            Reserved::Before(pair) => return Ok(Made { pair: *pair, replayed: true }),
        };
        let _underway = Underway::enter(&self.generating);
        match self.make(&reservation, &new, provider.as_ref(), deadline).await {
            Ok(finished) => match self.commit(*reservation, finished).await {
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
                self.abandon(*reservation, &failure).await;
                Err(failure)
            }
        }
    }

    fn capable(&self, new: &NewKeyPair) -> Result<Arc<dyn KeyProvider>, Error> {
        let provider = self.providers.get(new.provider).ok_or_else(|| {
            Error::new(Kind::Unsupported, format!("there is no {} provider here", new.provider.name()))
        })?;
        let capabilities = provider.capabilities().ok_or_else(|| {
            Error::new(Kind::ProviderUnavailable, "the crypto provider is unavailable")
                .because(provider.health().detail)
        })?;
        let signatures = capabilities.signatures_of(new.algorithm).unwrap_or_default();
        if !signatures.contains(&new.signature_algorithm) {
            let what = format!("{} with {}", new.algorithm, new.signature_algorithm);
            return Err(Error::new(
                Kind::Unsupported,
                format!("the {} provider cannot do {what}", new.provider.name()),
            ));
        }
        Ok(Arc::clone(provider))
    }

    async fn reserve(&self, who: &Principal, new: &NewKeyPair) -> Result<Reserved, Error> {
        let now = self.clock.now();
        let reservation = NewReservation {
            id: KeyId::new(now)?,
            ring: Some(new.ring.clone()),
            provider: new.provider,
            locator: Locator::new()?,
            origin: Origin::Generated,
            key_use: new.key_use,
            algorithm: new.algorithm,
            signature_algorithm: new.signature_algorithm,
            permitted: new.permitted.clone(),
            owner: self.owner.clone(),
            now,
            lease: self.lease,
            idempotency: new.idempotency.as_ref().map(|key| IdempotencyClaim {
                principal: who.name().to_owned(),
                route: key.route.clone(),
                key: key.key.clone(),
                fingerprint: self.store.fingerprint(&key.body),
                expires: now.plus(IDEMPOTENCY_WINDOW),
            }),
        };
        let event = Event {
            at: now,
            principal: who.name().to_owned(),
            action: Action::Requested,
            key: Some(reservation.id),
            ring: reservation.ring.clone(),
            detail: format!("{} {} {}", new.provider.name(), new.algorithm, new.signature_algorithm),
            request_id: new.request_id.clone(),
        };
        match self.store.reserve(reservation, &[event]).await? {
            Reserve::New(pair) => {
                let request_id = new.request_id.clone();
                Ok(Reserved::Now(Box::new(Reservation { pair: *pair, who: who.clone(), request_id })))
            }
            Reserve::Replay(id) => self.made_before(id).await.map(|pair| Reserved::Before(Box::new(pair))),
            Reserve::InProgress => Err(Error::new(Kind::Conflict, "the same request is still running")),
            Reserve::Mismatch => Err(Error::invalid(vec![Violation {
                path: None,
                rule: Rule::InvalidValue,
                message: "this Idempotency-Key came before with another body".to_owned(),
            }])),
            Reserve::RingExists => {
                let message = format!("The ID '{}' is already in use.", new.ring.name());
                Err(Error::invalid(vec![Violation::at("id", Rule::NotUnique, message)]))
            }
        }
    }

    async fn made_before(&self, id: KeyId) -> Result<KeyPair, Error> {
        let pair = self.store.pair(id).await?;
        pair.ok_or_else(|| Error::new(Kind::Internal, "internal error").because("a replayed key pair has no row"))
    }

    /// Steps 4 to 7: key, TBS, signature, check.
    async fn make(
        &self,
        reservation: &Reservation,
        new: &NewKeyPair,
        provider: &dyn KeyProvider,
        deadline: Instant,
    ) -> Result<Finished, Error> {
        reach("generate.reserve").await?;
        let pair = &reservation.pair;
        let key = NewKey {
            locator: pair.locator.clone(),
            label: self.store.id().label(pair.id),
            algorithm: pair.algorithm,
            key_use: pair.key_use,
        };
        // Never dropped half-way: a key whose maker has gone would come after its undoing.
        let GeneratedKey { spki, sealed, proof } = provider.generate(key).await?;
        reach("generate.generate").await?;
        let prepared = issuance::prepare(&new.certificate, new.signature_algorithm, spki.clone(), self.clock.now())?;
        reach("generate.prepare").await?;
        let key = KeyRef {
            id: pair.id,
            locator: pair.locator.clone(),
            algorithm: pair.algorithm,
            spki: spki.clone(),
            sealed: sealed.clone(),
        };
        let issued = issuance::issue(prepared, provider, &key).await?;
        reach("generate.issue").await?;
        let certificate = issuance::check(issued, &spki)?;
        reach("generate.check").await?;
        if Instant::now() >= deadline {
            return Err(Error::new(Kind::Deadline, "the deadline passed before the key pair was ready"));
        }
        let kid =
            jose::thumbprint(&spki).map_err(|failure| Error::new(Kind::Internal, "internal error").because(failure))?;
        Ok(Finished { kid, spki, sealed, certificates: vec![certificate], proof })
    }
}

enum Reserved {
    Now(Box<Reservation>),
    Before(Box<KeyPair>),
}

/// Counts a generation while it lasts.
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
