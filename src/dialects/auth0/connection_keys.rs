//! The keys of a connection: list, create, rotate.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;

use super::Services;
use super::access::ConnectionId;
use super::algorithm::SigningAlg;
use super::body::{AskedAlg, KeysRequest};
use super::connections::ConnectionRing;
use super::error::{ApiError, BodyRefusals, Refusals};
use super::view::{ConnectionKey, Reply};
use crate::auth::IdempotencyKey;
use crate::http::extract::{Call, Idempotency, asked};
use crate::services::lifecycle::{CertificateSpec, InitialState, KidScheme, NewRingKey, Placement, RingChange};
use crate::services::rotation::RotateRing;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyUse, RingId};
use strongroom_formats::x509::{CertificateNames, CertificateProfile, Subject};

const NOT_AVAILABLE: &str = "keys are not available for this connection";

/// Gets the keys of a connection: current, previous, next.
#[utoipa::path(
    get, path = "/api/v2/connections/{id}/keys", operation_id = "getConnectionKeys", tag = "Auth0",
    params(("id" = String, Path, description = "Id of the connection, percent-encoded.")),
    responses(
        (status = 200, description = "All of them; there is no paging.", body = Vec<ConnectionKey>,
            content_type = "application/json; charset=utf-8"),
        Refusals
    )
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadKey, ApiError>,
    ConnectionId(ring): ConnectionId,
) -> Result<Reply<Vec<ConnectionKey>>, ApiError> {
    let connection = ConnectionRing::find(&services, &who, &ring).await?;
    if !connection.has_keys {
        return Err(ApiError::not_supported(NOT_AVAILABLE));
    }
    let keys = match services.keyring.ring(&who, &ring).await {
        Err(failure) if failure.kind() == ErrorKind::NotFound && connection.declared => Vec::new(),
        found => found.map_err(ApiError::of_rotation)?.keys,
    };
    Ok(Reply(StatusCode::OK, ConnectionKey::all(&keys)))
}

/// Creates the first keys of a connection, one that signs and the next one.
///
/// An answer of 5xx means that nothing was made. With an `Idempotency-Key`, a request that is sent again
/// within 24 hours gets the same answer and makes no more keys.
#[utoipa::path(
    post, path = "/api/v2/connections/{id}/keys", operation_id = "createConnectionKeys", tag = "Auth0",
    params(
        ("id" = String, Path, description = "Id of the connection, percent-encoded."),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, pattern = "^[!-~]{1,255}$",
            description = "A name for this request, unique among those of the caller.")
    ),
    request_body(
        content((Option<KeysRequest> = "application/json"), (Option<KeysRequest> = "application/x-www-form-urlencoded")),
        description = "May be absent, or `null`."
    ),
    responses(
        (status = 201, description = "The keys: current, next.", body = Vec<ConnectionKey>,
            content_type = "application/json; charset=utf-8"),
        BodyRefusals,
        Refusals
    )
)]
pub(super) async fn create(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeRing, ApiError>,
    ConnectionId(ring): ConnectionId,
    Idempotency(key, _): Idempotency<ApiError>,
    asked: AskedAlg,
) -> Result<Reply<Vec<ConnectionKey>>, ApiError> {
    let connection = ConnectionRing::find(&services, &who, &ring).await?;
    if !connection.has_keys {
        return Err(ApiError::not_supported(NOT_AVAILABLE));
    }
    let algorithm = asked.algorithm.unwrap_or(connection.algorithm);
    let who = who.with_idempotency(idempotency(&services, &ring, "keys", key, &asked));
    let change = first_keys(&services, ring.clone(), &connection.name, algorithm);
    let changed = if connection.declared {
        services.connections.make_keys(&who, change).await
    } else {
        services.keyring.change_ring(&who, change).await
    };
    let changed = changed.map_err(ApiError::of_creation)?;
    let made = if changed.replayed { services.keyring.ring(&who, &ring).await?.keys } else { changed.created };
    Ok(Reply(StatusCode::CREATED, ConnectionKey::all(&made)))
}

/// Rotates the keys of a connection; answers the new next key.
///
/// The next key becomes current and the current one previous. An answer of 5xx means that nothing was
/// changed. With an `Idempotency-Key`, a request that is sent again within 24 hours rotates nothing more.
#[utoipa::path(
    post, path = "/api/v2/connections/{id}/keys/rotate", operation_id = "rotateConnectionKeys", tag = "Auth0",
    params(
        ("id" = String, Path, description = "Id of the connection, percent-encoded."),
        ("Idempotency-Key" = Option<String>, Header, nullable = false, pattern = "^[!-~]{1,255}$",
            description = "A name for this request, unique among those of the caller.")
    ),
    request_body(
        content((Option<KeysRequest> = "application/json"), (Option<KeysRequest> = "application/x-www-form-urlencoded")),
        description = "May be absent, or `null`."
    ),
    responses(
        (status = 201, description = "The next key.", body = ConnectionKey,
            content_type = "application/json; charset=utf-8"),
        BodyRefusals,
        Refusals
    )
)]
pub(super) async fn rotate(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::RotateRing, ApiError>,
    ConnectionId(ring): ConnectionId,
    Idempotency(key, _): Idempotency<ApiError>,
    asked: AskedAlg,
) -> Result<Reply<ConnectionKey>, ApiError> {
    let connection = ConnectionRing::find(&services, &who, &ring).await?;
    if !connection.has_keys {
        return Err(ApiError::not_supported("Key rotation is not supported on this connection"));
    }
    if !connection.signs {
        return Err(ApiError::not_supported("Connection is not configured to use JWT Client Authentication"));
    }
    let who = who.with_idempotency(idempotency(&services, &ring, "keys/rotate", key, &asked));
    let request = RotateRing {
        algorithm: asked.algorithm.map(|algorithm| algorithm.algorithms(services.settings.rsa)),
        ring,
        deadline: services.generate_deadline,
    };
    let rotated = services.rotation.rotate(&who, request).await.map_err(|failure| match failure.kind() {
        ErrorKind::NotFound if connection.declared => {
            ApiError::not_supported("There are no keys to rotate; create them")
        }
        _ => ApiError::of_rotation(failure),
    })?;
    let next = rotated.next;
    let next =
        next.ok_or_else(|| Error::new(ErrorKind::Internal, "internal error").with_source("a rotation without a next"))?;
    Ok(Reply(StatusCode::CREATED, ConnectionKey::of(&next)))
}

/// The first keys of a connection of a name: current and next.
pub(super) fn first_keys(services: &Services, ring: RingId, name: &str, algorithm: SigningAlg) -> RingChange {
    let settings = &services.settings;
    let (algorithm, signature_algorithm) = algorithm.algorithms(settings.rsa);
    let subject = Subject { common_name: name.to_owned(), ..Subject::default() };
    let names = CertificateNames::Given { subject, alternative_names: Vec::new() };
    let member = |entry| NewRingKey {
        initial_state: entry,
        kid_scheme: KidScheme::Thumbprint,
        provider: settings.provider,
        key_use: KeyUse::Sign,
        algorithm,
        signature_algorithm,
        permitted: vec![signature_algorithm],
        certificate: Some(CertificateSpec {
            names: names.clone(),
            valid_days: settings.valid_days,
            profile: CertificateProfile::Connection,
        }),
    };
    RingChange {
        ring,
        placement: Placement::NewRing,
        keys: vec![member(InitialState::Active), member(InitialState::PreActive)],
        state_changes: Vec::new(),
        reason: "the first keys of a connection".to_owned(),
        fence: None,
        deadline: services.generate_deadline,
    }
}

fn idempotency(
    services: &Services,
    ring: &RingId,
    step: &str,
    key: Option<String>,
    asked: &AskedAlg,
) -> Option<IdempotencyKey> {
    let route = || format!("POST /api/v2/connections/{}/{step}", ring.name());
    services.idempotency(key, route, &asked.bytes)
}
