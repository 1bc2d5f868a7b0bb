//! The two keys that a new instance begins with.

use std::time::Duration;

use tokio::sync::watch;

use super::web_keys::{NewWebKey, ring};
use crate::auth::{Caller, Task};
use crate::services::lifecycle::{InitialState, Keyring, Placement, RingChange};
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyAlgorithm, ProviderKind, SignatureAlgorithm};

/// Between attempts, while provider or store are not ready.
const RETRY: Duration = Duration::from_secs(2);

const RSA_2048: NewWebKey =
    NewWebKey { algorithm: KeyAlgorithm::RSA_2048, signature_algorithm: SignatureAlgorithm::RSA_PKCS1_SHA256 };

/// Gives the ring of web keys a key that signs and one that waits, unless it has keys.
///
/// Both come in one transaction: what a crash leaves is no ring, and the next start tries
/// again. Ends when the ring has keys, or when the daemon stops.
pub async fn bootstrap(keyring: &Keyring, provider: ProviderKind, deadline: Duration, mut stop: watch::Receiver<bool>) {
    let attempts = async {
        loop {
            match attempt(keyring, provider, deadline).await {
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

async fn attempt(keyring: &Keyring, provider: ProviderKind, deadline: Duration) -> Result<(), Error> {
    let (who, ring) = (Caller::daemon(Task::Bootstrap), ring()?);
    match keyring.ring(&who, &ring).await {
        Err(failure) if failure.kind() == ErrorKind::NotFound => {}
        there => return there.map(drop),
    }
    let change = RingChange {
        ring,
        // Whoever makes a key at the same time has made the first one.
        placement: Placement::NewRing,
        keys: vec![
            RSA_2048.into_ring_key(InitialState::Active, provider),
            RSA_2048.into_ring_key(InitialState::PreActive, provider),
        ],
        state_changes: Vec::new(),
        reason: "the first keys of the instance".to_owned(),
        fence: None,
        deadline,
    };
    keyring.change_ring(&who, change).await?;
    tracing::info!("the first web keys are made");
    Ok(())
}
