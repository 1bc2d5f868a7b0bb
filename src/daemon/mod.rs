//! The composition root: builds bottom-up, spawns, serves, drains.
//!
//! Owns the order of things at start and at stop, the hand-over of plain values and
//! service handles from configuration to rooms, and the hardening of the process. Does
//! not own any rule of the domain.
//!
//! Invariants: one life of an instance at a time (a lock in the state directory); at
//! stop no request under way is cut off before its drain is over, and the token hosts
//! end last.

mod holders;
mod instance;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::config::Config;
use crate::{api, listen, telemetry};
use holders::Holders;
use instance::{InstanceLock, new_life};

pub use holders::{Offline, executable, pkcs11_options};

/// When the line that the daemon is ready is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announce {
    /// Once connections are accepted; readiness is asked over HTTP.
    WhenListening,
    /// Once the token is logged in too.
    WhenReady,
}

/// How long a development daemon waits for its own token.
const READY_WITHIN: Duration = Duration::from_secs(90);
