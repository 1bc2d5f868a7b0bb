#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod fixture;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::get;
use serde_json::Value;
use tower::ServiceExt as _;

use super::{dialect, document, layer, router};
use crate::admission::Detached;
use crate::auth::Authenticator;
use fixture::{services, settings};
use strongroom_domain::error::Error;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const READER: &str = "fedcba9876543210fedcba9876543210";
const GENERATE: &str = "/keyPairs/signing/generate";
const RING: &str = "/v1/key-rings/signing:a";

/// The router over a store that fails.
async fn routes() -> Router {
    router(services().await, settings())
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

async fn send(router: Router, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = router.oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = String::from_utf8_lossy(&to_bytes(body, usize::MAX).await.unwrap()).into_owned();
    Answer { status: parts.status, headers: parts.headers, body }
}

/// An authorised request with a JSON content type.
async fn ask(method: &str, path: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {SECRET}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    send(routes().await, method, path, &headers, body).await
}

#[tokio::test]
async fn every_refusal_under_a_dialects_paths_has_that_dialects_body() {
    let big = "x".repeat(2000);
    let table = [
        ("GET", "/keyPairs/nothing/at/all", "", 404, "resource_not_found"),
        ("GET", "/keyPairs", "", 404, "resource_not_found"),
        ("GET", "/pf-admin-api/v1/version2", "", 404, "resource_not_found"),
        ("GET", "/pf-admin-api/v1/keyPairs/x", "", 404, "resource_not_found"),
        ("PUT", "/keyPairs/signing", "", 405, "method_not_allowed"),
        ("GET", GENERATE, "", 405, "method_not_allowed"),
        ("PATCH", "/pf-admin-api/v1/keyPairs/signing/a/", "", 405, "method_not_allowed"),
        ("POST", GENERATE, "", 400, "malformed_request"),
        ("POST", GENERATE, "{", 400, "malformed_request"),
        ("POST", GENERATE, "[]", 400, "malformed_request"),
        ("POST", GENERATE, "null", 400, "malformed_request"),
        ("POST", GENERATE, "{} {}", 400, "malformed_request"),
        ("POST", GENERATE, r#"{"validDays": "many"}"#, 400, "malformed_request"),
        ("POST", GENERATE, &big, 413, "request_too_large"),
        ("GET", "/keyPairs/signing/%00", "", 404, "resource_not_found"),
        ("GET", "/keyPairs/signing/%ff", "", 400, "malformed_request"),
        ("GET", "/elsewhere", "", 404, "urn:strongroom:error:not-found"),
        ("GET", "/v1/nothing", "", 404, "urn:strongroom:error:not-found"),
        ("DELETE", RING, "", 405, "urn:strongroom:error:method-not-allowed"),
        ("GET", "/v1/key-rings/nonsense", "", 400, "urn:strongroom:error:malformed"),
    ];
    for (method, path, body, status, word) in table {
        let answer = ask(method, path, body).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {body}: {}", answer.body);
        let json = answer.json();
        let (kind, content_type) = match json.get("resultId") {
            Some(id) => (id, "application/json"),
            None => (&json["type"], "application/problem+json"),
        };
        assert_eq!(kind, word, "{method} {path}");
        assert_eq!(answer.header("content-type"), content_type);
        assert_eq!(answer.header("allow").is_empty(), status != 405, "{method} {path}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn who_may_change_nothing_is_told_nothing_about_the_body() {
    let changes = [
        ("POST", "/signing/generate"),
        ("POST", "/sslServer/import"),
        ("POST", "/signing/import"),
        ("POST", "/signing/link"),
        ("POST", "/signing/a/csr"),
        ("POST", "/signing/a/pkcs12"),
        ("POST", "/signing/a/pem"),
        ("DELETE", "/signing/a"),
        ("PUT", "/signing/a/rotationSettings"),
        ("DELETE", "/signing/a/rotationSettings"),
        ("PUT", "/sslServer/settings"),
        ("POST", "/../certificates/ca/import"),
        ("DELETE", "/../certificates/ca/a"),
    ];
    let bearer = format!("Bearer {READER}");
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "not visible")];
    for (method, path) in changes {
        let path = format!("/pf-admin-api/v1/keyPairs{path}").replace("/keyPairs/..", "");
        for body in ["", "{", "{}", r#"{"fileData": "x", "password": "x"}"#, &"x".repeat(2000)] {
            let answer = send(routes().await, method, &path, &headers, body).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path} {body}: {}", answer.body);
            assert_eq!(answer.json()["resultId"], "insufficient_permission");
        }
    }
}

#[tokio::test]
async fn malformed_bodies_are_refused_with_their_place() {
    let answer = ask("POST", GENERATE, r#"{"subjectAlternativeNames": ["a", 1]}"#).await;
    assert!(answer.body.contains("at subjectAlternativeNames[1]"), "{}", answer.body);
    let answer = ask("POST", GENERATE, r#"{"commonNam": "x"}"#).await;
    assert!(answer.body.contains("commonNam"), "{}", answer.body);
    let answer = ask("POST", GENERATE, r#"{"cryptoProvider": "TPM"}"#).await;
    assert!(answer.body.contains("at cryptoProvider") && answer.body.contains("HSM"), "{}", answer.body);
}

#[tokio::test]
async fn nothing_is_shown_without_credentials_that_are_known() {
    let wrong = format!("Bearer {}", "x".repeat(32));
    for path in ["/keyPairs/signing", "/pf-admin-api/v1/keyPairs/keyAlgorithms", RING, "/metrics"] {
        for headers in [&[][..], &[("authorization", wrong.as_str())], &[("authorization", "Basic !")]] {
            let answer = send(routes().await, "GET", path, headers, "").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path}");
            assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), 2);
        }
    }
    let answer = send(routes().await, "POST", GENERATE, &[], "not even JSON").await;
    assert_eq!(answer.json()["message"], "The credentials you provided were not recognized.");
    assert_eq!(answer.json()["resultId"], "invalid_credentials");
}

#[tokio::test]
async fn basic_credentials_need_the_header_that_browsers_do_not_add() {
    // admin:SECRET
    let basic = "Basic YWRtaW46MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    for (header, refused) in [(None, true), (Some(""), true), (Some("PingFederate"), false), (Some("x"), false)] {
        let mut headers = vec![("authorization", basic)];
        headers.extend(header.map(|value| ("x-xsrf-header", value)));
        let answer = send(routes().await, "GET", "/keyPairs/signing", &headers, "").await;
        assert_eq!(answer.status == StatusCode::FORBIDDEN, refused, "{header:?}");
        assert_eq!(answer.body.contains("xsrf_header_required"), refused);
    }
}

#[tokio::test]
async fn metrics_are_for_operators() {
    assert_eq!(ask("GET", "/metrics", "").await.body, "up 1\n");
    let reader = format!("Bearer {READER}");
    let answer = send(routes().await, "GET", "/metrics", &[("authorization", &reader)], "").await;
    assert_eq!(answer.json()["type"], "urn:strongroom:error:forbidden");
}

#[tokio::test]
async fn only_json_is_taken_for_json_in_all_its_spellings() {
    let bearer = format!("Bearer {SECRET}");
    let table = [
        (Some("application/json"), false),
        (Some("Application/JSON; charset=utf-8"), false),
        (Some("text/json"), false),
        (Some("application/vnd.example+json"), false),
        (None, true),
        (Some("text/plain"), true),
        (Some("application/x-www-form-urlencoded"), true),
        (Some("multipart/form-data; boundary=application/json"), true),
    ];
    for (content_type, refused) in table {
        let mut headers = vec![("authorization", bearer.as_str())];
        headers.extend(content_type.map(|value| ("content-type", value)));
        let answer = send(routes().await, "POST", GENERATE, &headers, "{").await;
        let expected = if refused { StatusCode::UNSUPPORTED_MEDIA_TYPE } else { StatusCode::BAD_REQUEST };
        assert_eq!(answer.status, expected, "{content_type:?}");
    }
}

#[tokio::test]
async fn idempotency_key_is_visible_ascii_of_bounded_length() {
    let bearer = format!("Bearer {SECRET}");
    let long = "x".repeat(256);
    for key in ["", "a b", "ä", &long] {
        let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
        let answer = send(routes().await, "POST", GENERATE, &headers, "{}").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{key}");
        assert!(answer.body.contains("Idempotency-Key"));
    }
}

#[tokio::test]
async fn request_ids_are_kept_when_sane_and_made_when_not() {
    for (sent, kept) in [("abc-1._", true), ("a b", false), ("", false), (&*"x".repeat(129), false)] {
        let answer = send(routes().await, "GET", "/elsewhere", &[("x-request-id", sent)], "").await;
        let id = answer.header("x-request-id");
        assert_eq!(id == sent, kept);
        assert_eq!(id.len(), if kept { sent.len() } else { 36 });
        assert_eq!(answer.json()["requestId"], id);
    }
}

#[tokio::test]
async fn panic_answers_in_the_dialects_body() {
    async fn burst() -> &'static str {
        panic!("burst")
    }
    let routes = dialect::with_dialect_errors::<_, super::native::Problem>(Router::new().route("/burst", get(burst)));
    let answer =
        send(layer::with_request_layers(routes, Arc::new(Authenticator::new(Vec::new()))), "GET", "/burst", &[], "")
            .await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.json()["type"], "urn:strongroom:error:internal");
    assert!(!answer.body.contains("burst"));
}

#[tokio::test]
async fn work_outlives_the_client_that_asked_for_it() {
    let detached = Detached::default();
    let done = Arc::new(AtomicBool::new(false));
    let work = {
        let done = Arc::clone(&done);
        async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            done.store(true, Ordering::SeqCst);
            Ok::<_, Error>(())
        }
    };
    let patience = Duration::from_millis(5);
    assert!(tokio::time::timeout(patience, detached.run(work)).await.is_err());
    assert!(!done.load(Ordering::SeqCst));
    detached.wait_until_idle().await;
    assert!(done.load(Ordering::SeqCst));
}

#[test]
fn requests_are_measured_by_route_and_never_by_path() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let routes = routes().await;
            for path in ["/keyPairs/signing/secret-name", "/keyPairs/signing/secret-name/", "/keyPairs/secret-path"] {
                send(routes.clone(), "GET", path, &[], "").await;
            }
            send(routes, "BREW", "/secret-path", &[], "").await;
        });
    });
    let text = recorder.handle().render();
    let line = |route: &str, method: &str, status: u16, count: u16| {
        format!("strongroom_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}} {count}\n")
    };
    assert!(text.contains(&line("/keyPairs/signing/{id}", "GET", 401, 2)), "{text}");
    assert!(text.contains(&line("unmatched", "GET", 404, 1)), "{text}");
    assert!(text.contains(&line("unmatched", "OTHER", 404, 1)), "{text}");
    assert!(text.contains("strongroom_http_request_duration_seconds"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn document_and_its_page_are_served() {
    let answer = send(routes().await, "GET", "/openapi.json", &[], "").await;
    assert_eq!(answer.json()["openapi"], "3.1.0");
    for page in ["/docs/", "/docs/swagger-initializer.js"] {
        let answer = send(routes().await, "GET", page, &[], "").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(!answer.body.contains("://"), "the page asks the internet: {}", answer.body);
    }
    assert_eq!(send(routes().await, "GET", "/docs", &[], "").await.status, StatusCode::SEE_OTHER);
    assert_eq!(send(routes().await, "GET", "/livez", &[], "").await.status, StatusCode::OK);
}

#[test]
fn every_operation_has_its_own_id_and_says_how_it_refuses() {
    let document = serde_json::to_value(document()).unwrap();
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with("/pf-admin-api/v1/") || !path.contains("keyPairs"), "{path}");
        for (_, operation) in item.as_object().unwrap().iter().filter(|(_, value)| value.is_object()) {
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            let open = operation["security"] == serde_json::json!([{}]);
            assert!(open || operation["responses"].get("401").is_some(), "{path}");
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an operationId is used twice");
}
