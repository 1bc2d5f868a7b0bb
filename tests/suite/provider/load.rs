//! Signatures without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use strongroom::provider::pkcs11::Pkcs11Provider;
use strongroom::provider::{KeyProvider, KeyRef, ProviderError};

use super::bench::{message, until, verify};

/// Signs from several tasks until told to stop; counts what succeeded.
pub struct Load {
    stop: tokio::sync::watch::Sender<bool>,
    signed: Arc<AtomicU64>,
    tasks: Vec<tokio::task::JoinHandle<Vec<ProviderError>>>,
}

impl Load {
    pub fn start(provider: &Arc<Pkcs11Provider>, key: &KeyRef, tasks: usize) -> Self {
        let (stop, signed) = (tokio::sync::watch::Sender::new(false), Arc::new(AtomicU64::new(0)));
        let tasks = (0..tasks).map(|_| {
            let (provider, key, stop, signed) =
                (Arc::clone(provider), key.clone(), stop.subscribe(), Arc::clone(&signed));
            tokio::spawn(async move {
                let mut errors = Vec::new();
                while !*stop.borrow() {
                    match provider.sign(&key, key.algorithm.default_signature_algorithm(), message("load")).await {
                        Ok(signature) => {
                            verify(&key, &signature, b"load");
                            signed.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(error) => errors.push(error),
                    }
                }
                errors
            })
        });
        Self { tasks: tasks.collect(), stop, signed }
    }

    pub async fn another(&self, count: u64) {
        let reached = self.signed.load(Ordering::Relaxed) + count;
        until("signatures go on", || self.signed.load(Ordering::Relaxed) >= reached).await;
    }

    pub async fn end(self) -> Vec<ProviderError> {
        self.stop.send_replace(true);
        let mut errors = Vec::new();
        for task in self.tasks {
            errors.extend(task.await.unwrap());
        }
        errors
    }
}
