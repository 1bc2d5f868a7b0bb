//! Web keys by `WebKeyService` in Connect's JSON (<https://connectrpc.com/docs/protocol>): unary calls, POST only.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};

use super::Services;
use super::error::{ConnectError, ConnectRefusals};
use super::message::Message;
use super::view::{Activated, Created, Deleted, WebKeys};
use super::web_keys::{self, Deletion};
use super::wire::{CreateWebKey, Empty, NamedWebKey, Unspecified, check_id};
use crate::http::content_coding::UnsupportedCoding;
use crate::http::dialect;
use crate::http::extract::{Call, Idempotency, asked};
use crate::http::media_type::MediaType;
use strongroom_domain::error::{Error, ErrorKind};

/// The service and its earlier names.
const SERVICES: [&str; 3] =
    ["zitadel.webkey.v2.WebKeyService", "zitadel.webkey.v2beta.WebKeyService", "zitadel.webkey.v2beta.ZITADELWebKeys"];

const VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");
const ONLY_JSON: &str = "only Connect with application/json in UTF-8 is served here";

pub(super) fn routes() -> Router<Arc<Services>> {
    SERVICES.into_iter().fold(Router::new(), |router, service| router.nest(&format!("/{service}"), procedures()))
}

fn procedures() -> Router<Arc<Services>> {
    let procedures = Router::new()
        .route("/CreateWebKey", post(create))
        .route("/ActivateWebKey", post(activate))
        .route("/DeleteWebKey", post(delete))
        .route("/ListWebKeys", post(list))
        .layer(from_fn(negotiate));
    dialect::with_dialect_errors::<_, ConnectError>(procedures)
}

/// Creates a web key; the first one of all signs at once.
#[utoipa::path(
    post, path = "/zitadel.webkey.{version}.WebKeyService/CreateWebKey",
    operation_id = "zitadel{Version}ServiceCreateWebKey", tag = "Zitadel", security(("bearer" = [])),
    request_body = CreateWebKey,
    responses((status = 200, description = "What was made.", body = Created), ConnectRefusals)
)]
pub(super) async fn create(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeRing, ConnectError>,
    Idempotency(key, _): Idempotency<ConnectError>,
    body: Message<CreateWebKey, ConnectError>,
) -> Result<Json<Created>, ConnectError> {
    let new = body.value.read(Unspecified::Refused)?;
    let who = who.with_idempotency(web_keys::idempotency(&services, key, &body.bytes));
    Ok(Json(Created::of(&web_keys::create(&services, who, new).await?)))
}

/// Makes a web key the one that signs.
#[utoipa::path(
    post, path = "/zitadel.webkey.{version}.WebKeyService/ActivateWebKey",
    operation_id = "zitadel{Version}ServiceActivateWebKey", tag = "Zitadel", security(("bearer" = [])),
    request_body = NamedWebKey,
    responses((status = 200, description = "It signs.", body = Activated), ConnectRefusals)
)]
pub(super) async fn activate(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeRing, ConnectError>,
    body: Message<NamedWebKey, ConnectError>,
) -> Result<Json<Activated>, ConnectError> {
    let id = body.value.id.unwrap_or_default();
    check_id("ActivateWebKeyRequest", &id)?;
    Ok(Json(Activated::of(&web_keys::activate(&services, who, &id).await?)))
}

/// Deletes a web key that does not sign.
#[utoipa::path(
    post, path = "/zitadel.webkey.{version}.WebKeyService/DeleteWebKey",
    operation_id = "zitadel{Version}ServiceDeleteWebKey", tag = "Zitadel", security(("bearer" = [])),
    request_body = NamedWebKey,
    responses((status = 200, description = "It is gone.", body = Deleted), ConnectRefusals)
)]
pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeRing, ConnectError>,
    body: Message<NamedWebKey, ConnectError>,
) -> Result<Json<Deleted>, ConnectError> {
    let id = body.value.id.unwrap_or_default();
    check_id("DeleteWebKeyRequest", &id)?;
    Ok(Json(match web_keys::delete(&services, who, &id).await? {
        Deletion::Deleted(pair) => Deleted::of(&pair),
        Deletion::NeverExisted => Deleted::default(),
    }))
}

/// Lists all web keys, the oldest first.
#[utoipa::path(
    post, path = "/zitadel.webkey.{version}.WebKeyService/ListWebKeys",
    operation_id = "zitadel{Version}ServiceListWebKeys", tag = "Zitadel", security(("bearer" = [])),
    request_body = Empty,
    responses((status = 200, description = "All of them; there is no paging.", body = WebKeys), ConnectRefusals)
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadKey, ConnectError>,
    _body: Message<Empty, ConnectError>,
) -> Result<Json<WebKeys>, ConnectError> {
    Ok(Json(WebKeys::of(&services.web_keys.list(&who).await?)?))
}

/// Lets calls through that speak what is spoken here, and tells others so in what they speak.
async fn negotiate(request: Request, next: Next) -> Response {
    // The router refuses every other method by itself.
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    match speaks(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(Stranger::Grpc(content_type)) => unimplemented_in_grpc(content_type),
        Err(Stranger::Other(error)) => {
            let encoded = error.source_as::<UnsupportedCoding>().is_some();
            let wrong_type = error.kind() == ErrorKind::UnsupportedMediaType && !encoded;
            let mut response = ConnectError::from(error).into_response();
            if wrong_type {
                let accepted = HeaderValue::from_static("application/json");
                response.headers_mut().insert(HeaderName::from_static("accept-post"), accepted);
            }
            response
        }
    }
}

/// A call in another protocol.
enum Stranger {
    /// gRPC or gRPC-Web with this type of content.
    Grpc(HeaderValue),
    Other(Error),
}

fn speaks(headers: &HeaderMap) -> Result<(), Stranger> {
    let media_type = MediaType::of(headers);
    if media_type.is_some_and(|known| known.essence().to_ascii_lowercase().starts_with("application/grpc")) {
        let content_type = headers.get(CONTENT_TYPE).cloned().unwrap_or(HeaderValue::from_static(""));
        return Err(Stranger::Grpc(content_type));
    }
    if !media_type.is_some_and(|known| known.is("application/json") && known.is_plain_utf_8()) {
        return Err(Stranger::Other(Error::new(ErrorKind::UnsupportedMediaType, ONLY_JSON)));
    }
    if let Some(version) = headers.get(VERSION).filter(|version| *version != "1") {
        let message = format!("connect-protocol-version must be \"1\": got {version:?}");
        return Err(Stranger::Other(Error::new(ErrorKind::Malformed, message)));
    }
    if let Some(encoding) = headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
        let message = format!("unknown compression {encoding:?}: supported encodings are identity");
        let error = Error::new(ErrorKind::UnsupportedMediaType, message).with_source(UnsupportedCoding);
        return Err(Stranger::Other(error));
    }
    Ok(())
}

/// An answer of trailers only (gRPC over HTTP/2, section Responses), which gRPC-Web understands as well.
fn unimplemented_in_grpc(content_type: HeaderValue) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (HeaderName::from_static("grpc-status"), HeaderValue::from_static("12")),
        (HeaderName::from_static("grpc-message"), HeaderValue::from_static(ONLY_JSON)),
    ];
    (StatusCode::OK, headers).into_response()
}
