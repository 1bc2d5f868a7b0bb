//! Linking a private key that is already in the token.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::ToSchema;

use super::Services;
use super::error::{ApiError, BodyRefusals, Refusals};
use super::family::{Family, idempotency};
use super::members::{non_empty, required, sentence};
use super::rules::Rules;
use super::violation::violation;
use crate::http::extract::{Call, Idempotency, JsonBody, asked};
use crate::http::id;
use crate::services::lifecycle::{KeySelector, LinkKeyPair, linked_certificates};
use strongroom_domain::error::{Error, ErrorKind, Rule, Violation};
use strongroom_domain::key::{CertificateDer, ProviderKind, RingId};

const ID: &str = "privateKeyId";
const DATA: &str = "certificateData";

/// A private key in the token and the certificate for it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyPairLink {
    /// `CKA_ID` in hex, or a PKCS#11 URI (RFC 7512) with `id`, `object` or both.
    #[schema(nullable = false, required = true, min_length = 1, example = "pkcs11:object=orders;type=private")]
    private_key_id: Option<String>,
    /// PEM in base64, or as it is; the certificate for the key first, then its issuers.
    #[schema(nullable = false, required = true, min_length = 1)]
    certificate_data: Option<String>,
}

/// Links a private key of the HSM with a certificate as a {family} key pair.
///
/// Deleting the key pair later leaves the private key in the HSM.
#[utoipa::path(
    post, path = "/pf-admin-api/v1/keyPairs/{family}/link", operation_id = "link{Family}KeyPair",
    tag = "PingFederate",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, pattern = "^[!-~]{1,255}$",
        description = "A name for this request, unique among those of the caller.")),
    request_body = KeyPairLink,
    responses(
        (status = 201, description = "Linked.",
            headers(("Location" = String, description = "Path of the new key pair; its last segment is the id."))),
        BodyRefusals,
        Refusals
    )
)]
pub(super) async fn link(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::LinkKey, ApiError>,
    Family(family): Family,
    Idempotency(key, _): Idempotency<ApiError>,
    body: JsonBody<KeyPairLink, ApiError>,
) -> Result<impl IntoResponse, ApiError> {
    let rules = Rules::of(&services, &who, family)?;
    if !rules.accepts_provider(ProviderKind::Hsm) {
        let message = "there is no HSM here whose keys could be linked";
        return Err(ApiError::of_configuration(Error::new(ErrorKind::Unsupported, message)));
    }
    // Up to dozens of signatures are verified.
    let (wire, turn) = (body.value, services.key_files.acquire().await?);
    let new = turn.run(move || checked(&rules, &wire)).await?;
    let who = who.with_idempotency(idempotency(&services, family, "link", key, &body.bytes));

    let keyring = Arc::clone(&services.keyring);
    let made = services.detached.run(async move { keyring.link(&who, new).await }).await;
    let made = made.map_err(ApiError::of_configuration)?;
    let id = made.pair.ring.as_ref().map(RingId::name).unwrap_or_default();
    let location = HeaderValue::try_from(format!("/pf-admin-api/v1/keyPairs/{}/{id}", family.name()))
        .map_err(|failure| Error::new(ErrorKind::Internal, "internal error").with_source(failure))?;
    Ok((StatusCode::CREATED, [(LOCATION, location)]))
}

fn checked(rules: &Rules, wire: &KeyPairLink) -> Result<LinkKeyPair, Error> {
    let mut findings = Vec::new();
    let ring = rules.ring(Some(&id::generate()?), &mut findings);
    let wanted = wanted(non_empty(wire.private_key_id.as_ref()), &mut findings);
    let chain = chain(non_empty(wire.certificate_data.as_ref()), &mut findings);
    let (Some(ring), Some(wanted), Some(certificates)) = (ring, wanted, chain) else {
        return Err(Error::invalid(findings));
    };
    Ok(LinkKeyPair { ring, selector: wanted, certificates, deadline: rules.deadline })
}

fn wanted(text: Option<&str>, findings: &mut Vec<Violation>) -> Option<KeySelector> {
    let Some(text) = text else {
        required(ID, findings);
        return None;
    };
    let wanted = text.parse();
    wanted
        .map_err(|why: crate::services::lifecycle::InvalidKeySelector| {
            findings.push(Violation::at(ID, Rule::InvalidValue, sentence(ID, &why.to_string())));
        })
        .ok()
}

/// The first certificate with its issuers in order.
fn chain(data: Option<&str>, findings: &mut Vec<Violation>) -> Option<Vec<CertificateDer>> {
    let Some(data) = data else {
        required(DATA, findings);
        return None;
    };
    linked_certificates(data.as_bytes()).map_err(|refused| findings.push(violation(&refused))).ok()
}
