//! The OpenAPI 3.1 document, and a page that shows it without the internet.

use axum::Router;
use utoipa::OpenApi as _;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::dialects::{auth0, native, pingfederate, zitadel};
use crate::http::document::Common;

pub(super) fn routes() -> Router {
    // The page would else ask an outside service for its opinion of the document.
    let config = Config::default().validator_url("none");
    Router::new().merge(SwaggerUi::new("/docs").config(config).url("/openapi.json", document()))
}

/// The OpenAPI document of everything that is served.
///
/// The PingFederate dialect is listed under its long prefix alone; the short prefix and
/// trailing slashes are plain routes beside it.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Common::openapi();
    document.merge(pingfederate::Document::openapi());
    document.merge(pingfederate::KeySets::openapi());
    document.merge(auth0::Document::openapi());
    document.merge(zitadel::Document::openapi());
    document.merge(native::document());
    document
}
