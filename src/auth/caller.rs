//! The caller of a service: a principal behind a request, or a task of the daemon.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{AuthScheme, Principal, Scope};

/// Time that a caller without a deadline of its own is given.
const PATIENCE: Duration = Duration::from_secs(3600);

/// A principal with the circumstances of its request, made once for each request before its body is read.
#[derive(Clone, Debug)]
pub struct Caller {
    principal: Principal,
    origin: Origin,
    request_id: Option<Arc<str>>,
    peer: Option<SocketAddr>,
    deadline: Option<Instant>,
    idempotency: Option<IdempotencyKey>,
}

/// Where a call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A request whose credentials were presented in this way.
    Request(AuthScheme),
    /// The daemon itself.
    Daemon(Task),
}

/// Work that the daemon does unasked, or that its command line does in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// First keys of dialects that need some at start.
    Bootstrap,
    /// A command on the command line.
    Command,
    /// Publication of key sets and discovery documents.
    Publication,
    /// Comparison of token and store.
    Reconcile,
    /// Keys made ahead.
    Restock,
    /// Scheduled rotation.
    Sweep,
}

/// An `Idempotency-Key` and the request that it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The header's value: 1 to 255 visible ASCII characters.
    pub key: String,
    /// Method and path.
    pub route: String,
    /// HMAC-SHA-256 of the body under the store's key; the body itself may hold a private key.
    pub fingerprint: [u8; 32],
}

impl Caller {
    /// The caller of a request.
    #[must_use]
    pub const fn of_request(principal: Principal, scheme: AuthScheme) -> Self {
        let origin = Origin::Request(scheme);
        Self { principal, origin, request_id: None, peer: None, deadline: None, idempotency: None }
    }

    /// The caller of a request with a bearer token.
    #[cfg(test)]
    #[must_use]
    pub fn bearer(name: &str, scopes: &[Scope]) -> Self {
        Self::of_request(Principal::new(name.to_owned(), scopes.to_vec()), AuthScheme::Bearer)
    }

    /// The daemon at one of its tasks.
    #[must_use]
    pub fn daemon(task: Task) -> Self {
        let principal = Principal::new("strongroom".to_owned(), Scope::ALL.to_vec());
        let origin = Origin::Daemon(task);
        Self { principal, origin, request_id: None, peer: None, deadline: None, idempotency: None }
    }

    /// The same caller with the id of its request.
    #[must_use]
    pub fn with_request_id(self, id: Arc<str>) -> Self {
        Self { request_id: Some(id), ..self }
    }

    /// The same caller with the address of its connection's other end.
    #[must_use]
    pub fn with_peer(self, peer: Option<SocketAddr>) -> Self {
        Self { peer, ..self }
    }

    /// The same caller, to whom an answer after `deadline` is of no use.
    #[must_use]
    pub fn with_deadline(self, deadline: Instant) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// The same caller with the `Idempotency-Key` of its request.
    #[must_use]
    pub fn with_idempotency(self, idempotency: Option<IdempotencyKey>) -> Self {
        Self { idempotency, ..self }
    }

    /// The name that logs and the audit trail show.
    #[must_use]
    pub fn name(&self) -> &str {
        self.principal.name()
    }

    /// The principal.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Where the call comes from.
    #[must_use]
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// The id of the request, for the audit trail.
    #[must_use]
    pub fn request_id(&self) -> Option<String> {
        self.request_id.as_deref().map(str::to_owned)
    }

    /// The address of the connection's other end.
    #[must_use]
    pub const fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// When an answer ceases to be of use.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline.unwrap_or_else(|| Instant::now() + PATIENCE)
    }

    /// The `Idempotency-Key` of the request.
    #[must_use]
    pub const fn idempotency(&self) -> Option<&IdempotencyKey> {
        self.idempotency.as_ref()
    }
}
