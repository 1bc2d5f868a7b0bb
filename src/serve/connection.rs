//! One connection, from its first byte to its last.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

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

use super::ConnectionLimits;
use super::body::TimedBody;
use crate::http::layer::Peer;

/// Serves requests until the client leaves, idles, or shutdown lets the last one finish.
pub(super) async fn serve(
    stream: TcpStream,
    router: Router,
    limits: ConnectionLimits,
    mut shutdown: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    // Answers are written whole; waiting to fill a segment only delays them.
    if let Err(failure) = stream.set_nodelay(true) {
        tracing::debug!(%failure, "TCP_NODELAY was refused");
    }
    let activity = Arc::new(Activity::new());
    let peer = stream.peer_addr().ok().map(Peer);
    let service = service_fn(|mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        let request = request.map(|body| Body::new(TimedBody::new(body, limits.body)));
        let running = activity.begin();
        let answer = router.clone().oneshot(request);
        async move {
            let answer = answer.await;
            drop(running);
            answer
        }
    });
    let builder = builder(limits);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));

    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        _ = shutdown.wait_for(|stop| *stop) => None,
        () = idle(&activity, limits.idle) => None,
    };
    let ended = if ended.is_some() {
        ended
    } else {
        connection.as_mut().graceful_shutdown();
        tokio::select! {
            ended = connection => Some(ended),
            () = idle(&activity, limits.idle) => None,
        }
    };
    if let Some(Err(failure)) = ended {
        tracing::debug!(%failure, "a connection broke");
    }
}

fn builder(limits: ConnectionLimits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(limits.idle);
    builder
}

/// Returns once no request has been running for `limit`.
///
/// hyper's own timeouts do not cover the bytes that tell HTTP/1.1 from HTTP/2, nor an
/// HTTP/2 connection whose client answers pings and asks nothing. It looks at times instead
/// of being told, because it would be told twice for each request.
async fn idle(activity: &Activity, limit: Duration) {
    let mut left = limit;
    loop {
        tokio::time::sleep(left).await;
        left = limit.saturating_sub(activity.quiet());
        if left.is_zero() {
            return;
        }
    }
}

/// Requests of one connection.
struct Activity {
    opened: Instant,
    running: AtomicUsize,
    /// When the latest request ended, in microseconds since the connection was opened.
    ended: AtomicU64,
}

impl Activity {
    fn new() -> Self {
        Self { opened: Instant::now(), running: AtomicUsize::new(0), ended: AtomicU64::new(0) }
    }

    /// Counts a request for as long as what it returns lives.
    fn begin(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        Running(Arc::clone(self))
    }

    /// How long no request has been running.
    fn quiet(&self) -> Duration {
        let ended = Duration::from_micros(self.ended.load(Ordering::SeqCst));
        if self.running.load(Ordering::SeqCst) > 0 {
            Duration::ZERO
        } else {
            self.opened.elapsed().saturating_sub(ended)
        }
    }
}

struct Running(Arc<Activity>);

impl Drop for Running {
    fn drop(&mut self) {
        let now = u64::try_from(self.0.opened.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.0.ended.store(now, Ordering::SeqCst);
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
