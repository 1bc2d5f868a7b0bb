//! Which product this answers like, and the document of what it answers.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Services;
use super::error::{ApiError, Refusals};
use super::{SanFormat, document};
use crate::http::extract::{Call, asked};

/// The version of the product whose forms are served.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Version {
    #[schema(example = "12.3.0.0")]
    version: &'static str,
}

/// Gets the version of PingFederate whose behaviour this API has.
///
/// It follows the configured form of subject alternative names: 12.3 writes them bare, 13.1 with their type. Both
/// have `link` and ids in upper case.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/version", operation_id = "getVersion", tag = "PingFederate",
    responses((status = 200, description = "The version.", body = Version), Refusals)
)]
pub(super) async fn version(
    State(services): State<Arc<Services>>,
    Call(..): Call<asked::Authenticate, ApiError>,
) -> Result<Json<Version>, ApiError> {
    let version = match services.settings.san_format {
        SanFormat::Bare => "12.3.0.0",
        SanFormat::Typed => "13.1.0.0",
    };
    Ok(Json(Version { version }))
}

/// The OpenAPI document of this dialect alone, its paths below the long prefix. Asks for no credentials.
pub(super) async fn swagger() -> Json<utoipa::openapi::OpenApi> {
    Json(document::below_prefix())
}
