//! This dialect's part of the OpenAPI document.
//!
//! What v2 and v2beta share is described once, under `{version}` and `{Version}`, and
//! multiplied here; `_activate` beside `activate`, trailing slashes and the earlier name
//! of the service are plain routes outside it.

use utoipa::openapi::Paths;
use utoipa::openapi::path::PathItem;
use utoipa::{Modify, OpenApi};

use super::{connect, discovery, error, key_set, rest, v3alpha};

const VERSIONS: [(&str, &str); 2] = [("v2", "V2"), ("v2beta", "V2beta")];

/// The part of the OpenAPI document that describes this dialect.
#[derive(OpenApi)]
#[openapi(
    paths(
        rest::list,
        rest::create,
        rest::activate,
        rest::delete,
        v3alpha::list,
        v3alpha::create,
        v3alpha::activate,
        v3alpha::delete,
        connect::list,
        connect::create,
        connect::activate,
        connect::delete,
        discovery::discover,
        key_set::show
    ),
    components(schemas(error::GatewayStatus, error::ConnectStatus)),
    modifiers(&Versions)
)]
pub(crate) struct Document;

/// Describes each version with the words that are for both of them.
struct Versions;

impl Modify for Versions {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let mut paths = Paths::new();
        for (path, item) in std::mem::take(&mut document.paths.paths) {
            if !path.contains("{version}") {
                paths.paths.insert(path, item);
                continue;
            }
            for (version, capital) in VERSIONS {
                paths.paths.insert(path.replace("{version}", version), of_version(&item, capital));
            }
        }
        document.paths = paths;
    }
}

fn of_version(item: &PathItem, capital: &str) -> PathItem {
    let mut item = item.clone();
    for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
        operation.operation_id = operation.operation_id.take().map(|id| id.replace("{Version}", capital));
    }
    item
}
