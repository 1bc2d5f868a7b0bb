//! A bounded pool for slow work on request bodies: deriving keys from passwords, verifying chains.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use strongroom_domain::error::{Error, ErrorKind};

/// Pieces of work that run at a time.
const RUNNING: usize = 2;

/// Pieces of work that may wait.
const WAITING: usize = 8;

/// Admits work on key files and chains: the rest of the daemon keeps its processors and memory.
#[derive(Clone, Debug)]
pub struct KeyFilePool {
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
}

impl Default for KeyFilePool {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(RUNNING + WAITING)), running: Arc::new(Semaphore::new(RUNNING)) }
    }
}

impl KeyFilePool {
    /// Waits for a turn.
    ///
    /// # Errors
    /// `Busy` at once when too many wait already.
    pub(crate) async fn acquire(&self) -> Result<KeyFilePermit, Error> {
        let busy = |_| Error::new(ErrorKind::Busy, "too many key files and chains are being read or written");
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(busy)?;
        let closed = |failure| Error::new(ErrorKind::Internal, "internal error").with_source(failure);
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(closed)?;
        Ok(KeyFilePermit { _held: [place, running] })
    }
}

/// Permission to run one piece of work in the pool.
pub(crate) struct KeyFilePermit {
    _held: [OwnedSemaphorePermit; 2],
}

impl KeyFilePermit {
    /// Runs `run` where it holds up no other request; the turn ends with it, even if nobody waits for it.
    ///
    /// # Errors
    /// Those of the work; `Internal` when it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let task = move || {
            let _turn = self;
            work()
        };
        tokio::task::spawn_blocking(task)
            .await
            .unwrap_or_else(|failure| Err(Error::new(ErrorKind::Internal, "internal error").with_source(failure)))
    }
}
