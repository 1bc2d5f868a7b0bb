//! Key pairs from stock: the next one is proven anew, and claimed by compare-and-set.

use super::Keyring;
use super::creation::PlannedKey;
use super::obtain::KeyMaterial;
use crate::auth::{Caller, Task};
use crate::failpoint::{self, Failpoint};
use crate::provider::{KeyRef, ProviderError};
use crate::store::StoreError;
use strongroom_domain::audit::{Action, Event};
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::Error;
use strongroom_domain::key::{KeyAlgorithm, KeyOrigin, KeyPair, KeyState, KeyUse, ProviderKind};

/// Keys in stock have this use and no other.
pub(in crate::services) const STOCK_USE: KeyUse = KeyUse::Sign;

/// A key of the stock with a fresh attestation.
pub(super) struct AttestedKey {
    pub(super) pair: KeyPair,
    /// For the audit trail.
    pub(super) attestation: String,
}

impl Keyring {
    /// The oldest key of the stock that fits a planned key; `None` when there is none. A key that fails
    /// attestation is discarded and the next one is tried.
    pub(super) async fn next_from_stock(&self, planned: &PlannedKey) -> Result<Option<AttestedKey>, Error> {
        let PlannedKey { spec, material, .. } = planned;
        let KeyMaterial::Generate(certificate) = material else { return Ok(None) };
        let Some(token) = self.providers.token().filter(|_| self.has_stock_for(planned)) else { return Ok(None) };
        let since = self.stock_cutoff();
        while let Some(pair) = self.store.next_stocked(spec.algorithm, spec.key_use, since).await? {
            let Some(key) = KeyRef::of(&pair) else { return Ok(None) };
            // Where a certificate is issued, its signature is the trial and is verified against the row.
            let trial = certificate.is_none();
            match token.attest(&key, &self.store.id().label(pair.id), trial).await {
                Ok(attestation) => {
                    failpoint::hit(Failpoint::StockProve).await?;
                    return Ok(Some(AttestedKey { pair, attestation }));
                }
                Err(failure) if is_about_the_key(&failure) => {
                    tracing::warn!(key = %pair.id, error = %failure, "a key of the stock is no good");
                    self.discard_stocked(&pair, &failure.to_string()).await?;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
        Ok(None)
    }

    /// Whether such members are served from stock while there is any.
    pub(super) fn has_stock_for(&self, PlannedKey { spec, .. }: &PlannedKey) -> bool {
        let kind = (spec.provider, spec.origin, spec.key_use);
        kind == (ProviderKind::Hsm, KeyOrigin::Generated, STOCK_USE) && self.stock.targets.contains_key(&spec.algorithm)
    }

    /// Notes whether a request for a key of this algorithm was served from stock.
    pub(super) fn count_stock(&self, algorithm: KeyAlgorithm, hit: bool) {
        let name = if hit { "strongroom_stock_hits_total" } else { "strongroom_stock_misses_total" };
        metrics::counter!(name, "algorithm" => algorithm.name()).increment(1);
        self.stock_due.notify_one();
    }

    /// Commits the destruction of a key of the stock; a key that another request has claimed is left
    /// alone.
    pub(in crate::services) async fn discard_stocked(&self, pair: &KeyPair, why: &str) -> Result<(), Error> {
        let event: Event =
            self.event(&Caller::daemon(Task::Restock), Action::DeleteCommitted, pair, format!("stock: {why}"));
        match self.transition_to(pair, KeyState::Destroying, event).await {
            Ok(_) => self.reconcile_soon(false),
            Err(StoreError::Conflict) => {}
            Err(failure) => return Err(failure.into()),
        }
        Ok(())
    }

    /// Creation time at or before which a key of the stock is too old.
    pub(in crate::services) fn stock_cutoff(&self) -> Timestamp {
        let age = i64::try_from(self.stock.max_age.as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(self.clock.now().as_micros().saturating_sub(age))
    }
}

/// Whether a proof failed because of the key, and not because of the token.
const fn is_about_the_key(failure: &ProviderError) -> bool {
    match failure {
        ProviderError::KeyMissing | ProviderError::Refused(_) | ProviderError::Damaged(_) => true,
        ProviderError::Unavailable(_)
        | ProviderError::Busy
        | ProviderError::DeadlinePassed
        | ProviderError::OutcomeUnknown(_)
        | ProviderError::NotDecrypted
        | ProviderError::Unsupported(_) => false,
    }
}
