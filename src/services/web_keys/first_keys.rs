//! The two keys that a new instance begins with.

use std::time::Duration;

use tokio::sync::watch;

use super::{NewWebKey, WebKeys, ring, ring_change};
use crate::auth::{Caller, Task};
use crate::services::lifecycle::{InitialState, Placement, RingChange};
use strongroom_domain::error::Error;
use strongroom_domain::key::{KeyAlgorithm, ProviderKind, SignatureAlgorithm};

/// Between attempts, while provider or store are not ready.
const RETRY: Duration = Duration::from_secs(2);

impl WebKeys {
    /// Gives the ring of web keys a key that signs and one that waits, unless it has keys.
    ///
    /// Both come in one transaction: what a crash leaves is no ring, and the next start tries again. Of daemons that
    /// start together one makes them: the others find the ring taken. Ends when the ring has keys, or when the
    /// daemon stops.
    pub async fn make_first_keys(&self, provider: ProviderKind, deadline: Duration, mut stop: watch::Receiver<bool>) {
        let attempts = async {
            loop {
                match self.attempt(provider, deadline).await {
                    Ok(()) => return,
                    Err(failure) => tracing::info!(error = %failure, "the first web keys are not made yet"),
                }
                tokio::time::sleep(RETRY).await;
            }
        };
        tokio::select! {
            () = attempts => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn attempt(&self, provider: ProviderKind, deadline: Duration) -> Result<(), Error> {
        if !self.store.ring(&ring()?).await?.is_empty() {
            return Ok(());
        }
        let first = NewWebKey {
            provider,
            algorithm: KeyAlgorithm::RSA_2048,
            signature_algorithm: SignatureAlgorithm::RSA_PKCS1_SHA256,
            deadline,
        };
        let keys = vec![first.member(InitialState::Active), first.member(InitialState::PreActive)];
        // A ring that another begins at the same time is no new one.
        let change = ring_change(Placement::NewRing, keys, deadline)?;
        let change = RingChange { reason: "the first keys of the instance".to_owned(), ..change };
        self.keyring.change_ring(&Caller::daemon(Task::Bootstrap), change).await?;
        tracing::info!("the first web keys are made");
        Ok(())
    }
}
