//! The background of the stock: when a key is made ahead, and when one is given up.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::auth::{Caller, Task};
use crate::failpoint::{self, Failpoint};
use crate::provider::{GeneratedKey, ProviderError, TokenProvider};
use crate::services::lifecycle::{CreationGuard, Keyring, KidScheme, Reservation, STOCK_USE, new_key, not_of_a_row};
use crate::store::{Commit, KeyPairChange, NewReservation, Placement, ReserveOutcome};
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{
    KeyAlgorithm, KeyId, KeyOrigin, KeyPair, KeyState, Locator, ProviderKind, SignatureAlgorithm,
};

/// Pause between passes while the stock is full.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Pause after a failed pass, or while the provider is not ready.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// Time within which the generation of a key for the stock must begin.
const BEGIN_WITHIN: Duration = Duration::from_secs(60);

/// The service that fills the stock of a keyring.
pub struct StockFiller {
    keyring: Arc<Keyring>,
}

impl StockFiller {
    /// The filler of a keyring's stock.
    #[must_use]
    pub const fn new(keyring: Arc<Keyring>) -> Self {
        Self { keyring }
    }

    /// Keeps the stock at its targets until `stop` says so: one key after the other, each only
    /// while nobody asks anything of the token.
    pub async fn run(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let wait = self.fill_once().await.unwrap_or_else(|failure| {
                tracing::warn!(error = %failure, "the stock waits");
                RETRY_AFTER
            });
            if wait.is_zero() {
                continue;
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = self.keyring.stock_due.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Discards keys that are too old and generates at most one; returns how long to wait before the
    /// next pass.
    pub(super) async fn fill_once(&self) -> Result<Duration, Error> {
        let mut stock = self.keyring.store.stock().await?;
        let oldest = self.keyring.stock_cutoff();
        let unfit = |pair: &KeyPair| pair.state == KeyState::Stocked && (pair.missing || pair.created_at <= oldest);
        for pair in stock.extract_if(.., |pair| unfit(pair)) {
            let why = if pair.missing { "the token has lost it" } else { "it is too old" };
            self.keyring.discard_stocked(&pair, why).await?;
        }
        self.measure_stock(&stock);
        let Some(provider) = self.keyring.providers.token() else { return Ok(LOOK_EVERY) };
        let (Some(capabilities), true) = (provider.capabilities(), provider.health().ready) else {
            return Ok(RETRY_AFTER);
        };
        let wanting = self.keyring.stock.targets.iter().find_map(|(algorithm, target)| {
            let level = stock.iter().filter(|pair| pair.algorithm == *algorithm).count();
            let signature = capabilities.signatures_of(*algorithm)?.first()?;
            (level < *target).then_some((*algorithm, *signature))
        });
        let Some((algorithm, signature)) = wanting else { return Ok(LOOK_EVERY) };
        if let Some(most) = self.keyring.stock.most_keys
            && self.keyring.store.count_held_by(ProviderKind::Hsm).await? >= most
        {
            self.keyring.warn_once(&format!("the stock is not filled up: the token holds its share of {most} keys"));
            return Ok(LOOK_EVERY);
        }
        let missing = self.keyring.stock.idle.saturating_sub(provider.idle_for());
        if missing.is_zero() {
            self.generate_ahead(provider.as_ref(), algorithm, signature).await?;
        }
        Ok(missing)
    }

    /// Makes one key for the stock, or leaves nothing.
    async fn generate_ahead(
        &self,
        provider: &dyn TokenProvider,
        algorithm: KeyAlgorithm,
        signature: SignatureAlgorithm,
    ) -> Result<(), Error> {
        let _underway = CreationGuard::enter(&self.keyring.creations_underway, 1);
        let mut reservation = self.reserve_ahead(provider.kind(), algorithm, signature).await?;
        match self.generate_into(&mut reservation, provider).await {
            Ok((commit, attestation)) => {
                let detail = format!("{} {algorithm}; {attestation}", provider.kind().name());
                let event = reservation.event(&self.keyring, Action::Stocked, detail);
                let change = KeyPairChange { commits: vec![commit], ..KeyPairChange::default() };
                match self.keyring.commit_change(change, vec![event]).await {
                    Ok(_) => Ok(failpoint::hit(Failpoint::StockCommit).await?),
                    Err(failure) => self.abandon_with(reservation, failure.into()).await,
                }
            }
            Err(failure) => self.abandon_with(reservation, failure).await,
        }
    }

    async fn reserve_ahead(
        &self,
        provider: ProviderKind,
        algorithm: KeyAlgorithm,
        signature_algorithm: SignatureAlgorithm,
    ) -> Result<Reservation, Error> {
        let now = self.keyring.clock.now();
        let new = NewReservation {
            id: KeyId::new(now)?,
            ring: None,
            placement: Placement::Additional,
            provider,
            locator: Locator::new()?,
            origin: KeyOrigin::Generated,
            key_use: STOCK_USE,
            algorithm,
            signature_algorithm,
            permitted: vec![signature_algorithm],
            owner: self.keyring.owner.clone(),
            now,
            lease: self.keyring.lease,
            idempotency: None,
            stock: None,
        };
        let detail = format!("{} {} {algorithm} for stock", KeyOrigin::Generated.name(), provider.name());
        let event = Event { key: Some(new.id), ..not_of_a_row(now, Action::Requested, detail) };
        let ReserveOutcome::Reserved(pair) = self.keyring.store.reserve(new, &[event]).await? else {
            return Err(
                Error::new(ErrorKind::Internal, "internal error").with_source("a reservation for stock was refused")
            );
        };
        Ok(Reservation::new(*pair, &Caller::daemon(Task::Restock)))
    }

    async fn generate_into(
        &self,
        reservation: &mut Reservation,
        provider: &dyn TokenProvider,
    ) -> Result<(Commit, String), Error> {
        failpoint::hit(Failpoint::StockReserve).await?;
        let pair = &reservation.pair;
        let deadline = std::time::Instant::now() + BEGIN_WITHIN;
        // This future must not be dropped half-way: the key could appear after its reservation was
        // undone.
        let made = provider.generate_ahead(new_key(pair, self.keyring.store.id(), deadline)).await;
        reservation.may_hold_key = made.as_ref().err().is_none_or(ProviderError::may_have_created_key);
        let GeneratedKey { spki, sealed, attestation } = made?;
        failpoint::hit(Failpoint::StockGenerate).await?;
        let commit = Commit {
            id: pair.id,
            version: pair.version,
            state: KeyState::Stocked,
            active_if_none: false,
            kid: self.keyring.new_kid(KidScheme::Thumbprint, &spki)?,
            spki,
            sealed,
            certificates: Vec::new(),
            now: self.keyring.clock.now(),
        };
        Ok((commit, attestation))
    }

    async fn abandon_with(&self, reservation: Reservation, failure: Error) -> Result<(), Error> {
        self.keyring.abandon(reservation, &failure).await;
        Err(failure)
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of keys stay far below 2^52")]
    fn measure_stock(&self, stock: &[KeyPair]) {
        for algorithm in KeyAlgorithm::all() {
            let level = stock.iter().filter(|p| p.algorithm == algorithm && p.state == KeyState::Stocked).count();
            if level > 0 || self.keyring.stock.targets.contains_key(&algorithm) {
                metrics::gauge!("strongroom_stock_keys", "algorithm" => algorithm.name()).set(level as f64);
            }
        }
    }
}
