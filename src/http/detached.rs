//! Work that a client which hangs up does not cancel.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::RwLock;
use tracing::Instrument as _;

use strongroom_domain::error::{Error, ErrorKind};

/// Runs mutations in tasks of their own and knows when none is left.
#[derive(Clone, Debug, Default)]
pub struct Detached {
    /// Each running task reads; whoever waits for all of them writes.
    running: Arc<RwLock<()>>,
}

impl Detached {
    /// Runs `run` to its end, whether or not the caller stays to see it.
    ///
    /// # Errors
    /// Those of the work; `Internal` when it panicked.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let running = Arc::clone(&self.running).read_owned().await;
        let task = async move {
            let _running = running;
            work.await
        };
        tokio::spawn(task.in_current_span())
            .await
            .unwrap_or_else(|failure| Err(Error::new(ErrorKind::Internal, "internal error").with_source(failure)))
    }

    /// Waits until nothing is running; what begins meanwhile waits for this in turn.
    pub async fn wait_until_idle(&self) {
        drop(self.running.write().await);
    }
}
