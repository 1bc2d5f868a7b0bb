//! This dialect's part of the OpenAPI document.
//!
//! What the families share is described once, under `{family}` and `{Family}`, and
//! multiplied here.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Paths, Server};
use utoipa::{Modify, OpenApi};

use super::family::FAMILIES;
use super::{
    additional_key_sets, algorithms, csr, error, export, generate, import, key_pairs, key_set, link, oidc_settings,
    rotation, ssl_settings, trusted_cas, version,
};
use crate::http::document::Common;

const PREFIX: &str = "/pf-admin-api/v1";

/// The part of the OpenAPI document that describes this dialect.
#[derive(OpenApi)]
#[openapi(
    paths(
        version::version,
        algorithms::list,
        key_pairs::list,
        generate::generate,
        import::import,
        link::link,
        key_pairs::show,
        key_pairs::delete,
        key_pairs::certificate,
        csr::request,
        csr::respond,
        export::pkcs12,
        export::pem,
        rotation::show,
        rotation::replace,
        rotation::delete,
        ssl_settings::show,
        ssl_settings::replace,
        oidc_settings::show,
        oidc_settings::replace,
        additional_key_sets::list,
        additional_key_sets::create,
        additional_key_sets::show,
        additional_key_sets::replace,
        additional_key_sets::delete,
        trusted_cas::list,
        trusted_cas::show,
        trusted_cas::import,
        trusted_cas::delete
    ),
    components(schemas(error::ApiResult)),
    modifiers(&Families)
)]
pub(crate) struct Document;

/// The part that describes the key set, which stands beside the administrative API.
#[derive(OpenApi)]
#[openapi(paths(key_set::show))]
pub(crate) struct KeySets;

/// A document of this dialect alone, whose paths begin below the long prefix.
pub(super) fn below_prefix() -> utoipa::openapi::OpenApi {
    let mut document = Common::untagged();
    document.merge(Document::openapi());
    document.servers = Some(vec![Server::new(PREFIX)]);
    let paths = std::mem::take(&mut document.paths.paths);
    let below = |path: String| path.strip_prefix(PREFIX).map_or(path.clone(), str::to_owned);
    document.paths.paths = paths.into_iter().map(|(path, item)| (below(path), item)).collect();
    document
}

/// Describes each family with the words that are for all of them.
struct Families;

impl Modify for Families {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut paths = Paths::new();
        for (path, item) in std::mem::take(&mut document.paths.paths) {
            if !path.contains("{family}") {
                paths.paths.insert(path, item);
                continue;
            }
            for family in FAMILIES {
                let word = family.name();
                paths.paths.insert(path.replace("{family}", word), of_family(&item, word));
            }
        }
        document.paths = paths;
    }
}

fn of_family(item: &PathItem, word: &str) -> PathItem {
    let mut item = item.clone();
    for operation in [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten() {
        name(operation, word);
    }
    item
}

fn name(operation: &mut Operation, word: &str) {
    let mut capital = word.to_owned();
    if let Some(first) = capital.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    for text in [&mut operation.operation_id, &mut operation.summary, &mut operation.description] {
        *text = text.take().map(|text| text.replace("{family}", word).replace("{Family}", &capital));
    }
}
