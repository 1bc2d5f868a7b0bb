//! What the dialects' parts of the OpenAPI document share: title, credentials, refusals.

use std::collections::BTreeMap;

use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type};
use utoipa::{Modify, OpenApi};

/// The refusals of an operation, each with the dialect's body and the headers of its status.
pub(crate) fn refusals(statuses: &[u16], content_type: &str, schema: &str) -> BTreeMap<String, RefOr<Response>> {
    let body = || ContentBuilder::new().schema(Some(Ref::from_schema_name(schema))).build();
    statuses
        .iter()
        .map(|status| {
            let response = ResponseBuilder::new().description(meaning(*status)).content(content_type, body());
            let response = match status {
                401 => response.header("WWW-Authenticate", header(Type::String, "The schemes that are understood.")),
                429 | 503 => response.header("Retry-After", header(Type::Integer, "Seconds.")),
                _ => response,
            };
            (status.to_string(), response.build().into())
        })
        .collect()
}

fn header(kind: Type, description: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new().schema(Some(ObjectBuilder::new().schema_type(kind))).description(Some(description)).build()
}

const fn meaning(status: u16) -> &'static str {
    match status {
        400 => "Not readable: a malformed path, header or JSON, a wrong type, an unknown member or enumerated value.",
        401 => "No credentials, or none that are known.",
        403 => "The credentials do not allow this, or Basic credentials came without X-XSRF-Header.",
        404 => "There is nothing of this id.",
        409 => {
            "The same request is still running, a kid names several key pairs, or the key's state does not allow this."
        }
        413 => "The body is too large.",
        415 => "The body is not JSON.",
        422 => "Well formed, but with values that cannot be; all of them are listed.",
        500 => "A fault of the daemon, or a key pair that is damaged in the store; nothing was changed.",
        503 => "The crypto provider or the store is unavailable or busy; nothing was changed.",
        _ => "Refused.",
    }
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Strongroom",
        version = "1",
        description = "Key pairs that are born in a hardware security module and stay there, with their certificates.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/")),
    security(("bearer" = []), ("basic" = [])),
    tags(
        (name = "PingFederate", description = "Key pairs as PingFederate's administrative API has them."),
        (name = "Auth0", description = "Connection keys as Auth0's Management API has them."),
        (name = "Zitadel", description = "Web keys as Zitadel's APIs have them: REST and Connect JSON."),
        (name = "Native", description = "Keys, key rings and signatures as the domain sees them."),
        (name = "Key sets", description = "Public keys for verifiers; no credentials are needed."),
        (name = "Health", description = "For probes and for Prometheus.")
    ),
    modifiers(&Credentials)
)]
pub(crate) struct Common;

impl Common {
    /// Title and credentials without the tags, for a document of one dialect.
    pub(crate) fn untagged() -> utoipa::openapi::OpenApi {
        let mut document = Self::openapi();
        document.tags = None;
        document
    }
}

/// The two ways to present a secret.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let scheme = |scheme, description: &str| {
            let mut http = Http::new(scheme);
            http.description = Some(description.to_owned());
            SecurityScheme::Http(http)
        };
        components.add_security_scheme("bearer", scheme(HttpAuthScheme::Bearer, "The secret of a credential."));
        components.add_security_scheme(
            "basic",
            scheme(
                HttpAuthScheme::Basic,
                "The name of a credential and its secret; with the header X-XSRF-Header, with any value, unless the \
                 request comes from a page of the daemon itself.",
            ),
        );
    }
}
