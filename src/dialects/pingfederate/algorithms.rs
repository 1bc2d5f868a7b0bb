//! Key algorithms by the product's names, and which of them can be had here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::Services;
use super::Settings;
use super::error::{ApiError, Refusals};
use crate::http::extract::{Call, asked};
use crate::services::lifecycle::Capabilities;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyAlgorithm, ProviderKind, SignatureAlgorithm};

/// Every value of `keyAlgorithm`: the JCA names, in the order in which clients see them.
pub(super) fn names() -> Vec<&'static str> {
    let mut names: Vec<&str> = KeyAlgorithm::all().map(KeyAlgorithm::jca_name).collect();
    names.dedup();
    names
}

/// The algorithms of a name, the one first that the name means where no size is given.
pub(super) fn members(name: &str) -> impl Iterator<Item = KeyAlgorithm> + Clone {
    KeyAlgorithm::all().filter(move |algorithm| algorithm.jca_name() == name)
}

/// A list of key algorithms.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct KeyAlgorithms {
    items: Vec<KeyAlgorithmView>,
}

/// A key algorithm with the sizes and signature algorithms that it can have.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KeyAlgorithm)]
pub(super) struct KeyAlgorithmView {
    /// What `keyAlgorithm` may be.
    #[schema(example = "RSA")]
    name: &'static str,
    /// In bits.
    #[schema(example = json!([2048, 3072, 4096]))]
    key_sizes: Vec<u32>,
    /// In bits.
    #[schema(example = 2048)]
    default_key_size: u32,
    /// JCA names.
    #[schema(example = json!(["SHA256withRSA", "SHA384withRSA", "SHA512withRSA"]))]
    signature_algorithms: Vec<&'static str>,
    /// That of a key of the default size.
    #[schema(example = "SHA256withRSA")]
    default_signature_algorithm: &'static str,
}

/// Gets the key algorithms that every crypto provider can do that may be asked for.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/keyAlgorithms", operation_id = "getKeyAlgorithms", tag = "PingFederate",
    responses((status = 200, description = "What tokens can really do.", body = KeyAlgorithms), Refusals)
)]
pub(super) async fn list(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadCapabilities, ApiError>,
) -> Result<Json<KeyAlgorithms>, ApiError> {
    let known = usable_capabilities(services.settings, services.keyring.capabilities(&who)?);
    if known.is_empty() {
        let message = "no crypto provider has been ready yet, so that nobody knows what it can do";
        return Err(Error::new(ErrorKind::ProviderUnavailable, message).into());
    }
    Ok(Json(KeyAlgorithms { items: common_to(&known) }))
}

/// What the providers can do that a request may name, as far as it is known.
pub(super) fn usable_capabilities(
    settings: Settings,
    providers: Vec<(ProviderKind, Option<Capabilities>)>,
) -> Vec<Capabilities> {
    let usable = |kind| settings.hybrid || kind == settings.default_provider;
    providers.into_iter().filter(|(kind, _)| usable(*kind)).filter_map(|(_, can)| can).collect()
}

/// What all of the providers can do, by name.
pub(super) fn common_to(providers: &[Capabilities]) -> Vec<KeyAlgorithmView> {
    names().into_iter().filter_map(|name| offer(name, providers)).collect()
}

fn offer(name: &'static str, providers: &[Capabilities]) -> Option<KeyAlgorithmView> {
    let can = |algorithm: KeyAlgorithm, signature: SignatureAlgorithm| {
        providers
            .iter()
            .all(|provider| provider.signatures_of(algorithm).is_some_and(|signatures| signatures.contains(&signature)))
    };
    let usable = |algorithm: &KeyAlgorithm| SignatureAlgorithm::all().any(|s| can(*algorithm, s));
    let sizes: Vec<KeyAlgorithm> = members(name).filter(usable).collect();
    let default = sizes.first().copied()?;
    let signatures = || SignatureAlgorithm::all().filter(|s| sizes.iter().any(|size| can(*size, *s)));
    let default_signature = default.signature_algorithms().into_iter().find(|s| can(default, *s))?;
    Some(KeyAlgorithmView {
        name,
        key_sizes: sizes.iter().map(|algorithm| algorithm.bits()).collect(),
        default_key_size: default.bits(),
        signature_algorithms: signatures().map(SignatureAlgorithm::jca_name).collect(),
        default_signature_algorithm: default_signature.jca_name(),
    })
}
