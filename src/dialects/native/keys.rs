//! Key pairs by id or kid: what they are, their public halves, and their end.

use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{PathRefusals, Problem, Refusals};
use super::request_timeout::{RequestTimeout, SigningCall};
use crate::auth::Caller;
use crate::http::Services;
use crate::http::certification;
use crate::http::extract::{Call, PathSegment, asked};
use crate::http::rendered::rendered;
use crate::services::signing::Target;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{DecryptionAlgorithm, KeyId, KeyName, KeyPair, KeyState, KeyUse, Kid, RingId};
use strongroom_formats::x509;

const PEM: &str = "application/x-pem-file";

/// A key pair.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyView {
    /// Public name of the key in JOSE.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs")]
    kid: Option<String>,
    /// Identity of the key pair for ever: a `UUIDv7`.
    #[schema(example = "01997b0c-5b1e-7c3a-9d53-0b7a6b3f1c2d")]
    key_id: String,
    /// The ring that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "signing:orders-2026")]
    ring: Option<String>,
    /// `Active`, `PreActive`, `Deactivated`, `Suspended`, `Compromised` or `PendingDestruction`.
    #[schema(example = "Active")]
    state: &'static str,
    /// Position in the ring: 1 for the first key.
    #[schema(example = 1)]
    generation: i64,
    /// Key algorithm and size.
    #[schema(example = "rsa-2048")]
    algorithm: &'static str,
    /// What the private half does: `sign` or `decrypt`.
    #[serde(rename = "use")]
    #[schema(example = "sign")]
    key_use: &'static str,
    /// The signature algorithm used where none is asked for, by its JCA name; absent where the key decrypts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "SHA256withRSA")]
    signature_algorithm: Option<&'static str>,
    /// Every algorithm that the key may be used with: to sign by its JCA name, to decrypt by its JOSE name.
    #[schema(example = json!(["SHA256withRSA", "SHA256withRSAandMGF1"]))]
    permitted: Vec<&'static str>,
    /// Who holds the private half: `HSM` or `LOCAL`.
    #[schema(example = "HSM")]
    provider: &'static str,
    /// How the private half came there: `generated`, `imported` or `linked`.
    #[schema(example = "generated")]
    origin: &'static str,
    /// The provider no longer has the key.
    missing: bool,
    /// UTC with milliseconds.
    #[schema(format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    created_at: String,
    /// Since when it signs; absent while it never has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    activated_at: Option<String>,
    /// Since when it no longer signs; absent while it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    deactivated_at: Option<String>,
    /// The state that a suspended key is reinstated to, or one whose destruction is scheduled, once it is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "Active")]
    suspended_from: Option<&'static str>,
    /// Whether a suspended key stays in the key sets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    published: Option<bool>,
    /// Since when the key is known as compromised.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    compromised_at: Option<String>,
    /// When a key whose destruction is scheduled is destroyed, unless it is restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime)]
    destroy_at: Option<String>,
}

/// Key pairs, and where to go on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyPage {
    keys: Vec<KeyView>,
    /// The `cursor` of the next page; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// What the page before gave as `next`.
    cursor: Option<String>,
    /// Entries in a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
}

/// Lists key pairs of every ring by id, which is by creation; compromised ones too, and those whose destruction is
/// scheduled.
#[utoipa::path(
    get, path = "/v1/keys", operation_id = "listKeys", tag = "Native", params(Paging),
    responses((status = 200, description = "A page.", body = KeyPage), PathRefusals, Refusals)
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ListKeys, Problem>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (cursor, limit) = paging::<KeyId>(query.as_deref())?;
    let (keys, next) = services.keyring.page(&who, cursor, limit).await?;
    let length = keys.len();
    let page =
        move || Ok(KeyPage { keys: keys.iter().map(KeyView::of).collect(), next: next.map(|id| id.to_string()) });
    rendered(&services, length, page).await
}

/// Gets a key pair.
#[utoipa::path(
    get, path = "/v1/keys/{kid}", operation_id = "getKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    responses((status = 200, description = "The key pair.", body = KeyView), PathRefusals, Refusals)
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadKey, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
) -> Result<Json<KeyView>, Problem> {
    Ok(Json(KeyView::of(&find(&services, &who, &kid).await?)))
}

/// Gets the public half as PEM.
#[utoipa::path(
    get, path = "/v1/keys/{kid}/public.pem", operation_id = "getPublicKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    responses(
        (status = 200, description = "SubjectPublicKeyInfo.", body = String, content_type = PEM), PathRefusals, Refusals
    )
)]
pub(super) async fn public_key(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadKey, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
) -> Result<Response, Problem> {
    let pair = find(&services, &who, &kid).await?;
    Ok(pem(pair.spki.as_ref().map(x509::public_key_to_pem).unwrap_or_default()))
}

/// Gets the certificate as PEM.
#[utoipa::path(
    get, path = "/v1/keys/{kid}/certificate.pem", operation_id = "getKeyCertificate", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    responses(
        (status = 200, description = "The certificate.", body = String, content_type = PEM), PathRefusals, Refusals
    )
)]
pub(super) async fn certificate(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadKey, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
) -> Result<Response, Problem> {
    certificates(&find(&services, &who, &kid).await?, 1)
}

/// Gets the certificate and its issuers as PEM, the leaf first.
#[utoipa::path(
    get, path = "/v1/keys/{kid}/chain.pem", operation_id = "getKeyChain", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    responses((status = 200, description = "The chain.", body = String, content_type = PEM), PathRefusals, Refusals)
)]
pub(super) async fn chain(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadKey, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
) -> Result<Response, Problem> {
    certificates(&find(&services, &who, &kid).await?, usize::MAX)
}

/// Gets a certification request as PEM: for the subject and alternative names of the key's
/// certificate, signed by the key, once for each certificate. `HEAD` has nothing signed.
#[utoipa::path(
    get, path = "/v1/keys/{kid}/csr.pem", operation_id = "getKeyCsr", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair."), RequestTimeout),
    responses(
        (status = 200, description = "PKCS#10 (RFC 2986).", body = String, content_type = PEM), PathRefusals, Refusals
    )
)]
pub(super) async fn csr(
    State(services): State<Arc<Services>>,
    method: Method,
    SigningCall(caller, _): SigningCall<asked::RequestCertificate>,
    PathSegment(kid, _): PathSegment<Problem>,
) -> Result<Response, Problem> {
    let target = Target::Key(name(&kid)?);
    Ok(certification::answer(&services, &method, &caller, &target, PEM).await?)
}

/// Deletes a key pair.
///
/// It leaves its ring and every key set at once. The private key is destroyed in its provider when the configured
/// window ends, 7 days in a token unless set otherwise, and can be restored until then; shortly afterwards where there is
/// no window; never, if it was linked. The Active key of a ring with others is not deleted, nor a key that something
/// refers to.
#[utoipa::path(
    delete, path = "/v1/keys/{kid}", operation_id = "deleteKey", tag = "Native",
    params(("kid" = String, Path, description = "Kid or id of the key pair.")),
    responses((status = 204, description = "Deleted."), PathRefusals, Refusals)
)]
pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::DeleteKey, Problem>,
    PathSegment(kid, _): PathSegment<Problem>,
) -> Result<StatusCode, Problem> {
    services.keyring.delete_key(&who, &name(&kid)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a path's segment calls a key pair by.
///
/// # Errors
/// `Malformed` when it can be neither kid nor id.
pub(super) fn name(kid: &str) -> Result<KeyName, Error> {
    kid.parse().map_err(|fault| Error::new(ErrorKind::Malformed, format!("{fault}")))
}

async fn find(services: &Services, who: &Caller, kid: &str) -> Result<KeyPair, Error> {
    services.keyring.find_by_name(who, &name(kid)?).await
}

/// Where a page begins, and how long it is.
///
/// # Errors
/// `Malformed`.
pub(super) fn paging<T: FromStr>(query: Option<&str>) -> Result<(Option<T>, u32), Error> {
    let malformed = |message: String| Error::new(ErrorKind::Malformed, message);
    let uri = format!("/?{}", query.unwrap_or_default());
    let uri = uri.parse().map_err(|_| malformed("the query cannot be read".to_owned()))?;
    let Query(paging) = Query::<Paging>::try_from_uri(&uri)
        .map_err(|rejection| malformed(format!("the query cannot be read: {}", rejection.body_text())))?;
    let cursor = paging.cursor.map(|cursor| cursor.parse()).transpose();
    let cursor = cursor.map_err(|_| malformed("cursor is not what a page gave as next".to_owned()))?;
    let limit = paging.limit.unwrap_or(100);
    if (1..=500).contains(&limit) { Ok((cursor, limit)) } else { Err(malformed("limit is 1 to 500".to_owned())) }
}

fn certificates(pair: &KeyPair, at_most: usize) -> Result<Response, Problem> {
    if pair.certificates.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "the key pair has no certificate").into());
    }
    Ok(pem(pair.certificates.iter().take(at_most).map(x509::to_pem).collect()))
}

fn pem(text: String) -> Response {
    ([(CONTENT_TYPE, PEM)], text).into_response()
}

impl KeyView {
    pub(super) fn of(pair: &KeyPair) -> Self {
        Self {
            kid: pair.kid.as_ref().map(Kid::to_string),
            key_id: pair.id.to_string(),
            ring: pair.ring.as_ref().map(RingId::to_string),
            state: pair.state.name(),
            generation: pair.generation,
            algorithm: pair.algorithm.name(),
            key_use: pair.key_use.name(),
            signature_algorithm: (pair.key_use == KeyUse::Sign).then(|| pair.signature_algorithm.jca_name()),
            permitted: match pair.key_use {
                KeyUse::Sign => pair.permitted.iter().map(|algorithm| algorithm.jca_name()).collect(),
                KeyUse::Decrypt => DecryptionAlgorithm::ALL.map(DecryptionAlgorithm::name).to_vec(),
            },
            provider: pair.provider.name(),
            origin: pair.origin.name(),
            missing: pair.missing,
            created_at: pair.created_at.to_string(),
            activated_at: pair.activated_at.map(|at| at.to_string()),
            deactivated_at: pair.deactivated_at.map(|at| at.to_string()),
            suspended_from: pair.suspended_from.map(KeyState::name),
            published: (pair.state == KeyState::Suspended).then_some(!pair.unpublished),
            compromised_at: pair.compromised_at.map(|at| at.to_string()),
            destroy_at: pair.destroy_at.map(|at| at.to_string()),
        }
    }
}
