//! The rate limit of this dialect and the headers that tell clients of it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::Services;
use super::error::ApiError;
use crate::http::extract::presented;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};

const MINUTE: i64 = 60;

/// Counts the requests of each principal, minute by minute; those of nobody known, and those that may be forged,
/// count together.
pub(super) struct Meter {
    services: Arc<Services>,
    counts: Mutex<HashMap<Option<String>, Window>>,
}

/// The requests of one minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// The minute, counted from the epoch.
    minute: i64,
    requests: u32,
}

/// What is left to a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    pub(super) limit: u32,
    /// `None`: this request was one too many.
    pub(super) remaining: Option<u32>,
    /// When the next minute begins, in seconds since the epoch.
    pub(super) reset: i64,
}

impl Meter {
    pub(super) fn new(services: Arc<Services>) -> Arc<Self> {
        Arc::new(Self { services, counts: Mutex::default() })
    }

    fn count(&self, head: &Parts) -> (Allowance, Timestamp) {
        let name = presented(head).map(|caller| caller.name().to_owned());
        let now = self.services.clock.now();
        // As many entries as there are credentials, and one.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        (counts.entry(name).or_default().count(now, self.services.settings.rate_limit), now)
    }
}

impl Window {
    pub(super) fn count(&mut self, now: Timestamp, limit: u32) -> Allowance {
        let minute = seconds(now).div_euclid(MINUTE);
        if self.minute != minute {
            *self = Self { minute, requests: 0 };
        }
        let remaining = limit.checked_sub(self.requests + 1);
        if remaining.is_some() {
            self.requests += 1;
        }
        Allowance { limit, remaining, reset: (minute + 1) * MINUTE }
    }
}

/// Lets a request through while its principal has some left, and says in any case what is left.
pub(super) async fn metered(State(meter): State<Arc<Meter>>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let (allowance, now) = meter.count(&head);
    let mut response = match allowance.remaining {
        Some(_) => next.run(Request::from_parts(head, body)).await,
        None => too_many(allowance, now),
    };
    let values = [
        ("x-ratelimit-limit", i64::from(allowance.limit)),
        ("x-ratelimit-remaining", i64::from(allowance.remaining.unwrap_or(0))),
        ("x-ratelimit-reset", allowance.reset),
    ];
    for (name, value) in values {
        response.headers_mut().insert(name, HeaderValue::from(value));
    }
    response
}

fn too_many(allowance: Allowance, now: Timestamp) -> Response {
    let message =
        "Too many requests. Check the X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset headers.";
    let mut response = ApiError::from(Error::new(ErrorKind::Throttled, message)).into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(allowance.reset - seconds(now)));
    response
}

const fn seconds(moment: Timestamp) -> i64 {
    moment.as_micros().div_euclid(1_000_000)
}
