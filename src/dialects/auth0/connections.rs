//! Connections that are declared, and what a connection says of its keys.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Services;
use super::access::{self, ConnectionId};
use super::algorithm::SigningAlg;
use super::body::AuthZeroJson;
use super::connection_keys::first_keys;
use super::error::{ApiError, BodyRefusals, Refusals, ring_has_keys};
use super::options::ConnectionOptions;
use super::view::Reply;
use super::{Connections, rules};
use crate::auth::Caller;
use crate::failpoint::{self, Failpoint};
use crate::http::extract::{Call, asked};
use crate::services::settings::Connection;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::RingId;
use strongroom_formats::json::{JsonObject, JsonText};

/// A connection to be declared.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewConnection {
    /// Unique. Letters, digits and single hyphens between them; cannot be changed.
    #[schema(max_length = 128, pattern = "^[a-zA-Z0-9](-[a-zA-Z0-9]|[a-zA-Z0-9])*$", example = "acme")]
    pub(super) name: String,
    /// Only `oidc` and `okta` have keys; cannot be changed.
    #[schema(pattern = "^[a-z0-9-]{1,64}$", example = "oidc")]
    pub(super) strategy: String,
    #[schema(nullable = false, max_length = 128)]
    pub(super) display_name: Option<String>,
    #[schema(nullable = false)]
    pub(super) options: Option<ConnectionOptions>,
}

/// What changes in a connection; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectionChange {
    #[schema(nullable = false, max_length = 128)]
    display_name: Option<String>,
    /// Takes the place of all options.
    #[schema(nullable = false)]
    options: Option<ConnectionOptions>,
}

/// A declared connection.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConnectionView {
    #[schema(example = "con_0aB1cD2eF3gH4iJ5")]
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    display_name: Option<String>,
    strategy: String,
    #[schema(value_type = ConnectionOptions)]
    options: JsonObject,
    /// Always the name.
    realms: [String; 1],
    /// Always empty: nobody logs in here.
    enabled_clients: [String; 0],
    is_domain_connection: bool,
}

/// When a connection was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deleted {
    /// UTC with milliseconds.
    deleted_at: String,
}

/// Declares a connection. With `private_key_jwt` its keys are made too.
///
/// An answer of 5xx means that nothing was made.
#[utoipa::path(
    post, path = "/api/v2/connections", operation_id = "createConnection", tag = "Auth0",
    request_body = NewConnection,
    responses(
        (status = 201, description = "The connection.", body = ConnectionView,
            content_type = "application/json; charset=utf-8"),
        BodyRefusals,
        Refusals
    )
)]
pub(super) async fn create(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::CreateConnection, ApiError>,
    AuthZeroJson(wire): AuthZeroJson<NewConnection>,
) -> Result<Reply<ConnectionView>, ApiError> {
    let connection = rules::connection(wire)?;
    require_declared(&services)?;
    let id = Connection::id_of(&connection.name);
    let (worker, view) = (Arc::clone(&services), ConnectionView::of(id.clone(), connection.clone()));
    let work = async move {
        worker.catalog.add_connection(&who, &connection).await?;
        let Err(failure) = provide_keys(&worker, &who, &id, &connection).await else { return Ok(()) };
        // A crash before this leaves a connection without keys, which a PATCH or a POST of keys mends.
        worker.catalog.delete_connection(&who, &id).await?;
        Err(failure)
    };
    services.detached.run(work).await.map_err(ApiError::of_connection)?;
    Ok(Reply(StatusCode::CREATED, view))
}

/// Gets a connection.
#[utoipa::path(
    get, path = "/api/v2/connections/{id}", operation_id = "getConnection", tag = "Auth0",
    params(("id" = String, Path, description = "Id of the connection, percent-encoded.")),
    responses(
        (status = 200, description = "The connection.", body = ConnectionView,
            content_type = "application/json; charset=utf-8"),
        Refusals
    )
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadConnection, ApiError>,
    ConnectionId(ring): ConnectionId,
) -> Result<Reply<ConnectionView>, ApiError> {
    require_declared(&services)?;
    let connection = services.catalog.connection(&who, ring.name()).await.map_err(ApiError::of_connection)?;
    Ok(Reply(StatusCode::OK, ConnectionView::of(ring.name().to_owned(), connection)))
}

/// Changes a connection. With `private_key_jwt` its keys are made, if it has none.
///
/// An answer of 5xx means that nothing was changed.
#[utoipa::path(
    patch, path = "/api/v2/connections/{id}", operation_id = "updateConnection", tag = "Auth0",
    params(("id" = String, Path, description = "Id of the connection, percent-encoded.")),
    request_body = ConnectionChange,
    responses(
        (status = 200, description = "The connection.", body = ConnectionView,
            content_type = "application/json; charset=utf-8"),
        BodyRefusals,
        Refusals
    )
)]
pub(super) async fn update(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::UpdateConnection, ApiError>,
    ConnectionId(ring): ConnectionId,
    AuthZeroJson(wire): AuthZeroJson<ConnectionChange>,
) -> Result<Reply<ConnectionView>, ApiError> {
    let ConnectionChange { display_name, options } = wire;
    rules::display_name(display_name.as_deref())?;
    let options = options.map(rules::options).transpose()?;
    require_declared(&services)?;
    let mut connection = services.catalog.connection(&who, ring.name()).await.map_err(ApiError::of_connection)?;
    connection.display_name = display_name.or(connection.display_name);
    connection.options = options.unwrap_or(connection.options);
    let worker = Arc::clone(&services);
    let id = ring.name().to_owned();
    let work = async move {
        // Keys that a connection does not use yet harm nobody; one that lacks them could not sign.
        let made = provide_keys(&worker, &who, ring.name(), &connection).await?;
        let Err(failure) = worker.catalog.put_connection(&who, &connection).await else {
            return Ok(connection);
        };
        if made {
            worker.keyring.delete(&who, &ring).await?;
        }
        Err(failure)
    };
    let connection = services.detached.run(work).await.map_err(ApiError::of_connection)?;
    Ok(Reply(StatusCode::OK, ConnectionView::of(id, connection)))
}

/// Deletes a connection and its keys, which are destroyed in their provider shortly afterwards.
///
/// An answer of 5xx may leave the connection without its keys; the request can be sent again.
#[utoipa::path(
    delete, path = "/api/v2/connections/{id}", operation_id = "deleteConnection", tag = "Auth0",
    params(("id" = String, Path, description = "Id of the connection, percent-encoded.")),
    responses(
        (status = 202, description = "Deleted.", body = Deleted, content_type = "application/json; charset=utf-8"),
        (status = 409, description = "Changed by somebody else meanwhile.", body = super::error::ApiErrorBody,
            content_type = "application/json; charset=utf-8"),
        Refusals
    )
)]
pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::DeleteConnection, ApiError>,
    ConnectionId(ring): ConnectionId,
) -> Result<Reply<Deleted>, ApiError> {
    require_declared(&services)?;
    let worker = Arc::clone(&services);
    let work = async move {
        worker.catalog.connection(&who, ring.name()).await?;
        // The keys first: keys without a connection would be nobody's to delete.
        match worker.keyring.delete(&who, &ring).await {
            Err(failure) if failure.kind() != ErrorKind::NotFound => return Err(failure),
            _ => {}
        }
        let _ = failpoint::hit(Failpoint::ConnectionDelete).await;
        worker.catalog.delete_connection(&who, ring.name()).await
    };
    services.detached.run(work).await.map_err(ApiError::of_connection)?;
    Ok(Reply(StatusCode::ACCEPTED, Deleted { deleted_at: services.clock.now().to_string() }))
}

/// What a connection says of its keys.
pub(super) struct ConnectionRing {
    /// The name in its certificates.
    pub(super) name: String,
    /// How keys sign where a request does not say.
    pub(super) algorithm: SigningAlg,
    /// Whether it has keys at all.
    pub(super) has_keys: bool,
    /// Whether it signs with them.
    pub(super) signs: bool,
    /// Whether it exists without keys.
    pub(super) declared: bool,
}

impl ConnectionRing {
    /// The connection of a ring; an implicit one may be any.
    pub(super) async fn find(services: &Services, who: &Caller, ring: &RingId) -> Result<Self, ApiError> {
        match services.settings.connections {
            Connections::Implicit => {
                let name = ring.name().chars().take(rules::LONGEST_NAME).collect();
                Ok(Self { name, algorithm: SigningAlg::default(), has_keys: true, signs: true, declared: false })
            }
            Connections::Declared => {
                let found = services.catalog.connection(who, ring.name()).await;
                Ok(Self::of(&found.map_err(ApiError::of_rotation)?))
            }
        }
    }

    fn of(connection: &Connection) -> Self {
        let option = |name| connection.options.get(name).and_then(JsonText::string);
        Self {
            name: connection.name.clone(),
            algorithm: option(rules::SIGNING_ALG).and_then(|name| SigningAlg::named(&name).ok()).unwrap_or_default(),
            has_keys: rules::has_keys(&connection.strategy),
            signs: option(rules::AUTH_METHOD).as_deref() == Some(rules::PRIVATE_KEY_JWT),
            declared: true,
        }
    }
}

/// Makes the keys of a connection that signs with some and has none; whether it did.
async fn provide_keys(services: &Services, who: &Caller, id: &str, connection: &Connection) -> Result<bool, Error> {
    let keyed = ConnectionRing::of(connection);
    if !keyed.has_keys || !keyed.signs {
        return Ok(false);
    }
    let ring = access::ring(id)?;
    match services.keyring.change_ring(who, first_keys(services, ring, &keyed.name, keyed.algorithm)).await {
        Ok(_) => Ok(true),
        Err(failure) if ring_has_keys(&failure) => Ok(false),
        Err(failure) => Err(failure),
    }
}

/// Passes where connections are declared.
pub(super) fn require_declared(services: &Services) -> Result<(), ApiError> {
    match services.settings.connections {
        Connections::Declared => Ok(()),
        Connections::Implicit => Err(ApiError::not_supported(
            "Connections are implicit here: the first request for keys makes one, named by its id.",
        )),
    }
}

impl ConnectionView {
    pub(super) fn of(id: String, connection: Connection) -> Self {
        Self {
            id,
            realms: [connection.name.clone()],
            name: connection.name,
            display_name: connection.display_name,
            strategy: connection.strategy,
            options: connection.options,
            enabled_clients: [],
            is_domain_connection: false,
        }
    }
}
