//! Work that a client which hangs up does not cancel.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::watch;
use tracing::Instrument as _;

use crate::auth::Caller;
use strongroom_domain::error::{Error, ErrorKind};

/// Runs mutations in tasks of their own and knows when none is left.
///
/// Services hold it, and each of their methods that changes something runs in it: no handler can forget to.
#[derive(Clone, Debug)]
pub struct Detached {
    /// The number of tasks at work.
    running: watch::Sender<usize>,
}

impl Default for Detached {
    fn default() -> Self {
        Self { running: watch::Sender::new(0) }
    }
}

impl Detached {
    /// Runs `work` to its end, whether or not the caller stays to see it. Work may begin further work of this kind.
    ///
    /// # Errors
    /// Those of the work; `Internal` when it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let running = Running::enter(&self.running);
        let task = async move {
            let _running = running;
            work.await
        };
        tokio::spawn(task.in_current_span())
            .await
            .unwrap_or_else(|failure| Err(Error::new(ErrorKind::Internal, "internal error").with_source(failure)))
    }

    /// [`Self::run`] for a change that a service makes for a caller.
    ///
    /// # Errors
    /// Those of [`Self::run`].
    pub async fn run_for<S, T, W>(
        &self,
        service: &Arc<S>,
        who: &Caller,
        work: impl FnOnce(Arc<S>, Caller) -> W,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.run(work(Arc::clone(service), who.clone())).await
    }

    /// Waits until nothing is running.
    pub async fn wait_until_idle(&self) {
        // This handle holds the sender, so that the wait ends in no other way.
        let _ = self.running.subscribe().wait_for(|running| *running == 0).await;
    }
}

/// A task at work; its drop counts it out.
struct Running(watch::Sender<usize>);

impl Running {
    fn enter(count: &watch::Sender<usize>) -> Self {
        count.send_modify(|running| *running += 1);
        Self(count.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}
