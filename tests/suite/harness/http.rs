//! Requests and answers.

use std::future::Future;
use std::sync::LazyLock;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;
use tokio::runtime::Runtime;

/// Waits for a future from a test's own thread.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().expect("a tokio runtime"));
    RUNTIME.block_on(future)
}

/// One request in the making; it carries the admin's bearer token unless told otherwise.
#[must_use]
pub struct Call {
    request: reqwest::RequestBuilder,
    credentials: Credentials,
}

enum Credentials {
    None,
    Bearer(String),
    Basic(String, String),
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Call {
    pub fn new(client: &reqwest::Client, method: Method, url: String, secret: &str) -> Self {
        let request = client.request(method, url).timeout(Duration::from_secs(120));
        Self { request, credentials: Credentials::Bearer(secret.to_owned()) }
    }

    pub fn anonymous(mut self) -> Self {
        self.credentials = Credentials::None;
        self
    }

    pub fn bearer(mut self, secret: &str) -> Self {
        self.credentials = Credentials::Bearer(secret.to_owned());
        self
    }

    pub fn basic(mut self, user: &str, password: &str) -> Self {
        self.credentials = Credentials::Basic(user.to_owned(), password.to_owned());
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.request = self.request.json(body);
        self
    }

    /// A body of any bytes, said to be JSON.
    pub fn body(self, bytes: impl Into<Vec<u8>>) -> Self {
        self.header("content-type", "application/json").bytes(bytes)
    }

    /// A body of any bytes, which says nothing of itself.
    pub fn bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.body(bytes.into());
        self
    }

    /// The client hangs up when the answer takes longer.
    pub fn within(mut self, limit: Duration) -> Self {
        self.request = self.request.timeout(limit);
        self
    }

    /// Sends; the test fails when there is no answer.
    pub fn send(self) -> Answer {
        self.try_send().expect("an answer")
    }

    /// Sends to a daemon that may die meanwhile.
    ///
    /// # Errors
    /// When the connection breaks before the answer is complete.
    pub fn try_send(self) -> Result<Answer, reqwest::Error> {
        let request = match self.credentials {
            Credentials::None => self.request,
            Credentials::Bearer(secret) => self.request.bearer_auth(secret),
            Credentials::Basic(user, password) => self.request.basic_auth(user, Some(password)),
        };
        block_on(async {
            let response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
        })
    }
}

impl Answer {
    /// The answer, if it has this status; else the test fails and shows it.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "the answer was {}", self.text());
        self
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|failure| panic!("{failure}: {}", self.text()))
    }

    /// A header's value, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The `id` of the view.
    #[track_caller]
    pub fn id(&self) -> String {
        self.json()["id"].as_str().expect("an id in the view").to_owned()
    }

    /// The violations of an `ApiResult`, `fieldPath` and `errorId`, sorted.
    #[track_caller]
    pub fn violations(&self) -> Vec<(String, String)> {
        let body = self.json();
        let entries = body["validationErrors"].as_array().unwrap_or_else(|| panic!("validationErrors in {body}"));
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let mut found: Vec<_> =
            entries.iter().map(|entry| (text(entry, "fieldPath"), text(entry, "errorId"))).collect();
        found.sort();
        found
    }
}
