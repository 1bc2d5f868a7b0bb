//! One connection, from its first byte to its last.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tower::ServiceExt as _;

use super::Limits;
use super::body::Timed;

/// Serves requests until the client leaves, idles, or shutdown lets the last one finish.
pub(super) async fn serve(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    mut shutdown: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    // Answers are written whole; waiting to fill a segment only delays them.
    if let Err(failure) = stream.set_nodelay(true) {
        tracing::debug!(%failure, "TCP_NODELAY was refused");
    }
    let (running, in_flight) = watch::channel(0_usize);
    let service = service_fn(|request: Request<Incoming>| {
        let request = request.map(|body| Body::new(Timed::new(body, limits.body)));
        let counted = Counted::new(running.clone());
        let answer = router.clone().oneshot(request);
        async move {
            let answer = answer.await;
            drop(counted);
            answer
        }
    });
    let builder = builder(limits);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));

    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        _ = shutdown.wait_for(|stop| *stop) => None,
        () = idle(in_flight.clone(), limits.idle) => None,
    };
    let ended = if ended.is_some() {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => Some(ended),
            () = idle(in_flight, limits.idle) => None,
        }
    };
    if let Some(Err(failure)) = ended {
        tracing::debug!(%failure, "a connection broke");
    }
}

fn builder(limits: Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(limits.idle);
    builder
}

/// Returns once no request has been running for `limit`.
///
/// hyper's own timeouts do not cover the bytes that tell HTTP/1.1 from HTTP/2, nor an
/// HTTP/2 connection whose client answers pings and asks nothing.
async fn idle(mut in_flight: watch::Receiver<usize>, limit: Duration) {
    loop {
        let quiet = in_flight.wait_for(|running| *running == 0).await.is_ok();
        let still = tokio::time::timeout(limit, in_flight.changed()).await.is_err();
        if still || !quiet {
            return;
        }
    }
}

/// One running request, counted as long as it lives.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn new(running: watch::Sender<usize>) -> Self {
        running.send_modify(|count| *count += 1);
        Self(running)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
