//! A bounded pool for work that would hold up a thread of the runtime.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use strongroom_domain::error::{Error, ErrorKind};

/// The most bytes of JSON that are read or written on a thread of the runtime: 200 microseconds at most.
const INLINE: usize = 64 << 10;

/// Admits blocking work: the rest of the daemon keeps its processors and memory.
#[derive(Clone, Debug)]
pub struct BlockingPool {
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
    /// What is refused when every place is taken.
    busy: &'static str,
}

impl BlockingPool {
    /// A pool for key files and chains: keys are derived from passwords, and dozens of signatures verified.
    #[must_use]
    pub fn for_key_files() -> Self {
        Self::new(2, 8, "too many key files and chains are being read or written")
    }

    /// A pool for large bodies and long lists. Requests wait for it in memory that they have taken anyway.
    #[must_use]
    pub fn for_documents() -> Self {
        Self::new(2, 1000, "too many large bodies and lists are being read or written")
    }

    fn new(running: usize, waiting: usize, busy: &'static str) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self { places: semaphore(running + waiting), running: semaphore(running), busy }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// `Busy` at once when too many wait already.
    pub(crate) async fn acquire(&self) -> Result<BlockingPermit, Error> {
        let busy = |_| Error::new(ErrorKind::Busy, self.busy);
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(busy)?;
        let closed = |failure| Error::new(ErrorKind::Internal, "internal error").with_source(failure);
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(closed)?;
        Ok(BlockingPermit { _held: [place, running] })
    }

    /// Runs work over so many bytes of JSON: in the pool where they are many, else at once.
    ///
    /// # Errors
    /// `Busy` when too many wait already; `Internal` when the work panicked.
    pub(crate) async fn run_sized<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        if bytes <= INLINE { Ok(work()) } else { self.acquire().await?.run(|| Ok(work())).await }
    }
}

/// A permit for one piece of work in the pool.
pub(crate) struct BlockingPermit {
    _held: [OwnedSemaphorePermit; 2],
}

impl BlockingPermit {
    /// Runs `work` where it holds up no other request; the permit ends with it, even if nobody waits for it.
    ///
    /// # Errors
    /// Those of the work; `Internal` when it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let task = move || {
            let _permit = self;
            work()
        };
        tokio::task::spawn_blocking(task)
            .await
            .unwrap_or_else(|failure| Err(Error::new(ErrorKind::Internal, "internal error").with_source(failure)))
    }
}
