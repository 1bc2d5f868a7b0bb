#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::{ConnectionLimits, DrainReport, serve};

const SHORT: Duration = Duration::from_millis(150);
const PATIENCE: Duration = Duration::from_secs(10);
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

struct Running {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<DrainReport>,
}

impl Running {
    async fn start(limits: ConnectionLimits) -> Self {
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route(
                "/slow",
                get(|| async {
                    sleep(SHORT * 4).await;
                    "at last"
                }),
            )
            .route(
                "/body",
                post(|body: Result<Bytes, _>| async move {
                    if body.is_ok() { StatusCode::OK } else { StatusCode::BAD_REQUEST }
                }),
            );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, signal) = watch::channel(false);
        Self { address, stop, server: tokio::spawn(serve(listener, router, limits, signal)) }
    }

    async fn connect(&self, first_bytes: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(first_bytes).await.unwrap();
        stream
    }
}

/// Everything until the server closes.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is a close as well.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("the connection stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn impatient() -> ConnectionLimits {
    ConnectionLimits { idle: SHORT, body: SHORT, drain: PATIENCE, ..ConnectionLimits::default() }
}

#[tokio::test]
async fn silent_clients_are_let_go_whatever_they_began() {
    let running = Running::start(impatient()).await;
    for beginning in [&b""[..], b"P", b"GET / HT", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let mut stream = running.connect(beginning).await;
        until_closed(&mut stream).await;
    }
}

#[tokio::test]
async fn connection_is_kept_alive_and_closed_when_idle() {
    let running = Running::start(impatient()).await;
    let mut stream = running.connect(GET).await;
    sleep(SHORT / 3).await;
    stream.write_all(GET).await.unwrap();
    assert_eq!(until_closed(&mut stream).await.matches("here").count(), 2);
}

#[tokio::test]
async fn running_request_is_not_idle() {
    let running = Running::start(impatient()).await;
    let mut stream = running.connect(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(until_closed(&mut stream).await.contains("at last"));
}

#[tokio::test]
async fn body_that_drips_is_given_up() {
    let running = Running::start(ConnectionLimits { idle: PATIENCE, ..impatient() }).await;
    let mut stream = running.connect(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n").await;
    let (mut reading, mut writing) = stream.split();
    let mut answer = Vec::new();
    let dripping = async {
        while writing.write_all(b"x").await.is_ok() {
            sleep(SHORT / 10).await;
        }
    };
    tokio::select! {
        _ = reading.read_to_end(&mut answer) => {}
        () = dripping => {}
        () = sleep(PATIENCE) => panic!("the body was waited for too long"),
    }
    assert!(String::from_utf8_lossy(&answer).starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn connection_beyond_the_limit_waits_for_a_place() {
    let running =
        Running::start(ConnectionLimits { connections: 1, idle: PATIENCE, ..ConnectionLimits::default() }).await;
    let mut first = running.connect(GET).await;
    let mut answer = [0; 12];
    first.read_exact(&mut answer).await.unwrap();
    let mut second = running.connect(GET).await;
    assert!(timeout(SHORT, second.read_exact(&mut answer)).await.is_err());
    drop(first);
    timeout(PATIENCE, second.read_exact(&mut answer)).await.expect("still waiting").unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
}

#[tokio::test]
async fn shutdown_closes_idle_connections_and_lets_requests_finish() {
    let running = Running::start(ConnectionLimits { drain: PATIENCE, ..ConnectionLimits::default() }).await;
    let mut idle = running.connect(GET).await;
    let mut busy = running.connect(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(SHORT).await;
    running.stop.send(true).unwrap();
    assert!(until_closed(&mut idle).await.contains("here"));
    assert!(until_closed(&mut busy).await.contains("at last"));
    assert_eq!(running.server.await.unwrap(), DrainReport { cut: 0 });
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn requests_that_outlast_the_drain_are_cut_and_counted() {
    let running =
        Running::start(ConnectionLimits { drain: Duration::from_millis(20), ..ConnectionLimits::default() }).await;
    let mut busy = running.connect(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n").await;
    sleep(SHORT).await;
    running.stop.send(true).unwrap();
    assert_eq!(until_closed(&mut busy).await, "");
    assert_eq!(running.server.await.unwrap(), DrainReport { cut: 1 });
}
