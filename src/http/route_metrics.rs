//! Measurements of requests, by route: resolved once, because looking a metric up by its
//! labels costs more than counting.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::http::StatusCode;
use metrics::{Counter, Histogram, Unit, counter, describe_counter, describe_histogram, histogram};

const REQUESTS: &str = "strongroom_http_requests_total";
const DURATION: &str = "strongroom_http_request_duration_seconds";

/// The last segments of routes that are asked thousands of times a second.
const FREQUENT: [&str; 4] = ["/sign", "/sign-batch", "/verify", "/jws"];

/// How the routes of key sets end, which anybody may ask as often.
const KEY_SETS: [&str; 3] = ["/jwks.json", "/pf/JWKS", "/oauth/v2/keys"];

/// Every route that was asked.
#[derive(Default)]
pub(crate) struct RouteMetrics(RwLock<HashMap<String, Arc<Route>>>);

/// One route: a pattern, never a path, because paths have no end, and a metric must.
pub(crate) struct Route {
    pattern: String,
    /// Its successes are counted and not logged.
    pub(crate) frequent: bool,
    /// By method and status.
    answers: RwLock<HashMap<(&'static str, StatusCode), Answers>>,
}

struct Answers {
    count: Counter,
    duration: Histogram,
}

impl RouteMetrics {
    /// Measurements of nothing so far.
    pub(crate) fn new() -> Self {
        describe_counter!(REQUESTS, "HTTP requests answered, by route, method and status.");
        describe_histogram!(DURATION, Unit::Seconds, "Time from a request's head to the head of its answer.");
        Self::default()
    }

    /// The route of a pattern, with or without a slash at its end.
    pub(crate) fn route(&self, pattern: &str) -> Arc<Route> {
        let pattern = pattern.trim_end_matches('/');
        if let Some(route) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(pattern) {
            return Arc::clone(route);
        }
        let mut routes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(routes.entry(pattern.to_owned()).or_insert_with(|| {
            let signs = pattern.starts_with("/v1/") && FREQUENT.iter().any(|last| pattern.ends_with(last));
            let frequent = signs || KEY_SETS.iter().any(|last| pattern.ends_with(last));
            Arc::new(Route { pattern: pattern.to_owned(), frequent, answers: RwLock::default() })
        }))
    }
}

impl Route {
    /// Counts an answer.
    pub(crate) fn record(&self, method: &'static str, status: StatusCode, elapsed: Duration) {
        let known = self.answers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(answers) = known.get(&(method, status)) {
            answers.note(elapsed);
            return;
        }
        drop(known);
        let labels =
            [("route", self.pattern.clone()), ("method", method.to_owned()), ("status", status.as_str().to_owned())];
        let answers = Answers { count: counter!(REQUESTS, &labels), duration: histogram!(DURATION, &labels) };
        answers.note(elapsed);
        self.answers.write().unwrap_or_else(PoisonError::into_inner).insert((method, status), answers);
    }
}

impl Answers {
    fn note(&self, elapsed: Duration) {
        self.count.increment(1);
        self.duration.record(elapsed);
    }
}
