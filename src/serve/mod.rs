//! The accept loop: connections in, graceful drain out.
//!
//! Owns sockets from accept to close: how many at once, how long an idle one may stay,
//! how long a request body may take, HTTP/1.1 or HTTP/2 by what the client speaks, and
//! the drain at shutdown. Does not own routes, bodies or errors of the API, nor work
//! that outlives its connection (`admission::Detached`).
//!
//! Invariants: no connection waits for ever on a silent client; a connection beyond the
//! limit waits in the kernel's backlog and costs nothing here; after [`serve`] returns
//! no socket of it is open.

mod body;
mod connection;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{JoinError, JoinSet};

/// How long to let go of a listener that cannot accept: descriptors or memory are short.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// What connections may cost.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections at once.
    pub connections: usize,
    /// How long a connection may be open without a request: to send the head of one, and between two.
    pub idle: Duration,
    /// How long a request's body may take to arrive.
    pub body: Duration,
    /// How long requests may take to finish once shutdown has begun.
    pub drain: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 1024,
            idle: Duration::from_secs(30),
            body: Duration::from_secs(30),
            drain: Duration::from_secs(30),
        }
    }
}

/// How the drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainReport {
    /// Connections that were cut because their requests outlasted the drain.
    pub cut: usize,
}

/// Serves `router` until `shutdown` says true (or its sender is gone), then drains.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    mut shutdown: watch::Receiver<bool>,
) -> DrainReport {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let signal = shutdown.clone();
    loop {
        tokio::select! {
            _ = shutdown.wait_for(|stop| *stop) => break,
            Some(ended) = connections.join_next() => note(&ended),
            (stream, place) = accept(&listener, &places) => {
                connections.spawn(connection::serve(stream, router.clone(), limits, signal.clone(), place));
            }
        }
    }
    drop(listener);
    drain(connections, limits.drain).await
}

/// The next connection with its place, however long it takes.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        // The semaphore is never closed; were it so, waiting is what a listener does.
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            std::future::pending::<()>().await;
            continue;
        };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(failure) if is_of_one_connection(&failure) => {}
            Err(failure) => {
                tracing::warn!(%failure, "cannot accept connections; trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether only the connection that was about to be accepted is lost.
fn is_of_one_connection(failure: &io::Error) -> bool {
    matches!(
        failure.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

async fn drain(mut connections: JoinSet<()>, patience: Duration) -> DrainReport {
    let all_ended = async {
        while let Some(ended) = connections.join_next().await {
            note(&ended);
        }
    };
    if tokio::time::timeout(patience, all_ended).await.is_ok() {
        return DrainReport { cut: 0 };
    }
    let cut = connections.len();
    connections.shutdown().await;
    DrainReport { cut }
}

fn note(ended: &Result<(), JoinError>) {
    if let Err(failure) = ended {
        tracing::error!(%failure, "a connection ended badly");
    }
}
