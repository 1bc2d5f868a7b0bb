//! The memory of PINs in the store, which all daemons share; and the one of a command that changes nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::BoxFuture;

use crate::store::{KnownPin, LeaseOwner, PinTrial, PinTrialEnd, PinTrialOutcome, Store, StoreError};
use strongroom_domain::clock::Clock;
use strongroom_token::{FilePinMemory, PinAttempt, PinMemory, PinMemoryError, PinOutcome, PinRecord, PinVerdict};

/// The memory in the store.
pub(super) struct StorePins {
    store: Arc<Store>,
    owner: LeaseOwner,
    clock: Arc<dyn Clock>,
    /// How long a trial may take before another daemon may begin one.
    lease: Duration,
}

impl StorePins {
    /// The memory in a store. A refusal that the state directory remembers is moved there, once.
    ///
    /// # Errors
    /// When the file cannot be read or removed, or the store cannot be written.
    pub(super) async fn open(
        store: &Arc<Store>,
        owner: &LeaseOwner,
        clock: &Arc<dyn Clock>,
        lease: Duration,
        state_dir: &Path,
    ) -> anyhow::Result<Arc<dyn PinMemory>> {
        let file = FilePinMemory::new(state_dir);
        if let Some(PinRecord { token, hash, .. }) = file.refused().context("the memory of a refused PIN")? {
            store.remember_refused_pin(KnownPin { token, hash, worked: false }, clock.now()).await?;
            file.forget().context("the memory of a refused PIN")?;
        }
        Ok(Arc::new(Self { store: Arc::clone(store), owner: owner.clone(), clock: Arc::clone(clock), lease }))
    }
}

impl PinMemory for StorePins {
    fn recall(&self) -> BoxFuture<'_, Result<Vec<PinRecord>, PinMemoryError>> {
        Box::pin(recall(&self.store))
    }

    fn begin(&self, attempt: PinAttempt) -> BoxFuture<'_, Result<PinVerdict, PinMemoryError>> {
        Box::pin(async move {
            let PinAttempt { token, hash, compared, again } = attempt;
            let (owner, now, lease) = (self.owner.clone(), self.clock.now(), self.lease);
            let trial = PinTrial { token, hash, compared, again, owner, now, lease };
            Ok(match self.store.begin_pin_trial(&trial).await.map_err(|failure| unusable(&failure))? {
                PinTrialOutcome::Granted => PinVerdict::Granted,
                PinTrialOutcome::Refused => PinVerdict::Refused,
                PinTrialOutcome::Busy => PinVerdict::Busy,
                PinTrialOutcome::Unseen => PinVerdict::Unseen,
            })
        })
    }

    fn end(&self, token: String, hash: String, outcome: PinOutcome) -> BoxFuture<'_, Result<(), PinMemoryError>> {
        Box::pin(async move {
            let end = match outcome {
                PinOutcome::Worked => PinTrialEnd::Worked,
                PinOutcome::Refused => PinTrialEnd::Refused,
                PinOutcome::NotTried => PinTrialEnd::NotTried,
            };
            let ended = self.store.end_pin_trial((&token, &hash), &self.owner, end, self.clock.now());
            ended.await.map_err(|failure| unusable(&failure))
        })
    }
}

/// The memory of a command that does not write to the store: it reads there, and writes to the state directory, from
/// where the next start of the daemon moves it.
pub(super) struct BystanderPins {
    /// Absent before the first start.
    store: Option<Arc<Store>>,
    file: FilePinMemory,
}

impl BystanderPins {
    /// The memory of a command over the store, where there is one, and the state directory.
    pub(super) fn new(store: Option<Arc<Store>>, state_dir: &Path) -> Self {
        Self { store, file: FilePinMemory::new(state_dir) }
    }

    async fn known(&self) -> Result<Vec<PinRecord>, PinMemoryError> {
        match &self.store {
            Some(store) => recall(store).await,
            None => Ok(Vec::new()),
        }
    }
}

impl PinMemory for BystanderPins {
    fn recall(&self) -> BoxFuture<'_, Result<Vec<PinRecord>, PinMemoryError>> {
        Box::pin(async {
            let mut records = self.known().await?;
            records.extend(self.file.recall().await?);
            Ok(records)
        })
    }

    fn begin(&self, attempt: PinAttempt) -> BoxFuture<'_, Result<PinVerdict, PinMemoryError>> {
        Box::pin(async move {
            let known = self.known().await?;
            let refused =
                |record: &PinRecord| record.token == attempt.token && record.hash == attempt.hash && !record.worked;
            if known.iter().any(refused) { Ok(PinVerdict::Refused) } else { self.file.begin(attempt).await }
        })
    }

    fn end(&self, token: String, hash: String, outcome: PinOutcome) -> BoxFuture<'_, Result<(), PinMemoryError>> {
        self.file.end(token, hash, outcome)
    }
}

impl std::fmt::Debug for StorePins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the memory of PINs in the store")
    }
}

impl std::fmt::Debug for BystanderPins {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the memory of PINs of a command")
    }
}

async fn recall(store: &Store) -> Result<Vec<PinRecord>, PinMemoryError> {
    let known = store.known_pins().await.map_err(|failure| unusable(&failure))?;
    Ok(known.into_iter().map(|KnownPin { token, hash, worked }| PinRecord { token, hash, worked }).collect())
}

fn unusable(failure: &StoreError) -> PinMemoryError {
    PinMemoryError(failure.to_string())
}
