//! Rotation settings: when and how a self-signed signing key is succeeded.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Services;
use super::algorithm_choice::{AlgorithmRequest, choose};
use super::error::{ApiError, ApiResult, BodyRefusals, PathRefusals, Refusals};
use super::family::{KeyPairPath, active};
use super::members::{non_empty, required};
use super::rules::Rules;
use crate::auth::Caller;
use crate::http::extract::{Call, JsonBody, asked};
use crate::http::subject::MAX_VALID_DAYS;
use crate::services::settings::RotationSettings;
use strongroom_domain::error::{Error, ErrorKind, Rule, Violation};
use strongroom_domain::key::{KeyAlgorithm, KeyOrigin, KeyPair, RingId, RingKind, SignatureAlgorithm};
use strongroom_formats::x509::{CertificateSummary, is_issued_by};

const DAY: Duration = Duration::from_secs(86_400);
const CREATION: &str = "creationBufferDays";
const ACTIVATION: &str = "activationBufferDays";
const SIGNATURE: &str = "signatureAlgorithm";

/// When and how the key of a self-signed signing key pair is succeeded.
///
/// In answers every member is there.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyPairRotationSettings {
    /// Id of the key pair; ignored in requests.
    #[schema(nullable = false, example = "orders-2026")]
    id: Option<String>,
    /// Days before expiry when the successor is created.
    #[schema(nullable = false, required = true, minimum = 1, example = 90)]
    creation_buffer_days: Option<i32>,
    /// Days before expiry when the successor becomes active; at most `creationBufferDays`.
    #[schema(nullable = false, required = true, minimum = 1, example = 30)]
    activation_buffer_days: Option<i32>,
    /// Validity of the successor; that of the present certificate when absent.
    #[schema(nullable = false, minimum = 1, maximum = 36500, example = 365)]
    valid_days: Option<i32>,
    /// That of the present key when absent.
    #[schema(nullable = false, example = "RSA")]
    key_algorithm: Option<String>,
    /// That of the present key when absent.
    #[schema(nullable = false, example = 2048)]
    key_size: Option<i32>,
    /// That of the present certificate when absent.
    #[schema(nullable = false, example = "SHA256withRSA")]
    signature_algorithm: Option<String>,
}

impl KeyPairRotationSettings {
    fn of(ring: &RingId, settings: RotationSettings) -> Self {
        let number = |days: u32| i32::try_from(days).ok();
        Self {
            id: Some(ring.name().to_owned()),
            creation_buffer_days: number(settings.creation_buffer_days),
            activation_buffer_days: number(settings.activation_buffer_days),
            valid_days: number(settings.valid_days),
            key_algorithm: Some(settings.algorithm.jca_name().to_owned()),
            key_size: number(settings.algorithm.bits()),
            signature_algorithm: Some(settings.signature_algorithm.to_string()),
        }
    }
}

/// The settings of every ring of a family, in one query; only signing keys have some.
pub(super) async fn all(
    services: &Services,
    who: &Caller,
    family: RingKind,
) -> Result<HashMap<RingId, KeyPairRotationSettings>, Error> {
    if family != RingKind::Signing {
        return Ok(HashMap::new());
    }
    let all = services.catalog.all_rotation_settings(who).await?;
    let view = |(ring, settings)| {
        let view = KeyPairRotationSettings::of(&ring, settings);
        (ring, view)
    };
    Ok(all.into_iter().map(view).collect())
}

/// The settings of a ring, if it has some.
pub(super) async fn of(
    services: &Services,
    who: &Caller,
    ring: &RingId,
) -> Result<Option<KeyPairRotationSettings>, Error> {
    if ring.kind() != RingKind::Signing {
        return Ok(None);
    }
    match services.catalog.rotation_settings(who, ring).await {
        Ok(settings) => Ok(Some(KeyPairRotationSettings::of(ring, settings))),
        Err(failure) if failure.kind() == ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Gets the rotation settings of a signing key pair.
#[utoipa::path(
    get, path = "/pf-admin-api/v1/keyPairs/signing/{id}/rotationSettings", operation_id = "getRotationSettings",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    responses((status = 200, description = "The settings, filled in.", body = KeyPairRotationSettings),
        PathRefusals, Refusals)
)]
pub(super) async fn show(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ReadSettings, ApiError>,
    KeyPairPath(ring): KeyPairPath,
) -> Result<Json<KeyPairRotationSettings>, ApiError> {
    let about = || ApiError::about(ring.name());
    let pair = active(&services, &who, &ring).await?;
    let settings = of(&services, &who, &ring).await?.filter(|_| is_self_signed(&pair));
    let missing = || about()(Error::new(ErrorKind::NotFound, "the key pair has no rotation settings"));
    Ok(Json(settings.ok_or_else(missing)?))
}

/// Sets the rotation settings of a self-signed signing key pair.
#[utoipa::path(
    put, path = "/pf-admin-api/v1/keyPairs/signing/{id}/rotationSettings", operation_id = "updateRotationSettings",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    request_body = KeyPairRotationSettings,
    responses((status = 200, description = "The settings, filled in.", body = KeyPairRotationSettings),
        PathRefusals, BodyRefusals, Refusals)
)]
pub(super) async fn replace(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, ApiError>,
    KeyPairPath(ring): KeyPairPath,
    body: JsonBody<KeyPairRotationSettings, ApiError>,
) -> Result<Json<KeyPairRotationSettings>, ApiError> {
    let about = || ApiError::about(ring.name());
    let pair = active(&services, &who, &ring).await?;
    let settings = check(&Rules::of(&services, &who, ring.kind())?, &pair, &body.value).map_err(Error::invalid)?;
    let (catalog, place) = (Arc::clone(&services.catalog), ring.clone());
    let work = async move { catalog.put_rotation_settings(&who, &place, settings).await };
    services.detached.run(work).await.map_err(about())?;
    Ok(Json(KeyPairRotationSettings::of(&ring, settings)))
}

/// Deletes the rotation settings of a signing key pair.
#[utoipa::path(
    delete, path = "/pf-admin-api/v1/keyPairs/signing/{id}/rotationSettings", operation_id = "deleteRotationSettings",
    tag = "PingFederate",
    params(("id" = String, Path, description = "Id of the key pair.")),
    responses(
        (status = 204, description = "Deleted."),
        (status = 409, description = "Changed by somebody else meanwhile.", body = ApiResult),
        PathRefusals,
        Refusals
    )
)]
pub(super) async fn delete(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::ChangeSettings, ApiError>,
    KeyPairPath(ring): KeyPairPath,
) -> Result<StatusCode, ApiError> {
    let about = ApiError::about(ring.name());
    let catalog = Arc::clone(&services.catalog);
    let work = async move { catalog.delete_rotation_settings(&who, &ring).await };
    services.detached.run(work).await.map_err(about)?;
    Ok(StatusCode::NO_CONTENT)
}

fn is_self_signed(pair: &KeyPair) -> bool {
    pair.leaf().is_some_and(|leaf| is_issued_by(leaf, leaf))
}

/// What the settings come to for a key pair, its own values in the place of absent ones.
pub(super) fn check(
    rules: &Rules,
    pair: &KeyPair,
    wire: &KeyPairRotationSettings,
) -> Result<RotationSettings, Vec<Violation>> {
    if pair.origin == KeyOrigin::Linked {
        let message = "A linked key pair cannot be rotated: a generated key cannot succeed it.".to_owned();
        return Err(vec![Violation { path: None, rule: Rule::InvalidValue, message }]);
    }
    let mut findings = Vec::new();
    let leaf = pair.leaf().and_then(|leaf| CertificateSummary::of(leaf).ok());
    let (Some(leaf), true) = (leaf, is_self_signed(pair)) else {
        let message = "Only key pairs with a self-signed certificate can be rotated.".to_owned();
        return Err(vec![Violation { path: None, rule: Rule::InvalidValue, message }]);
    };
    let lifetime = leaf.not_after.since(leaf.not_before).as_secs().div_ceil(DAY.as_secs());
    let lifetime = u32::try_from(lifetime).unwrap_or(u32::MAX);
    let creation = days(CREATION, wire.creation_buffer_days, &mut findings);
    let activation = days(ACTIVATION, wire.activation_buffer_days, &mut findings);
    if let (Some(creation), Some(activation)) = (creation, activation)
        && activation > creation
    {
        let message = format!("{ACTIVATION} must be at most {CREATION}, which is {creation}.");
        findings.push(Violation::at(ACTIVATION, Rule::InvalidValue, message));
    }
    let valid_days = match wire.valid_days {
        None => Some(lifetime.min(MAX_VALID_DAYS)),
        given => days("validDays", given, &mut findings),
    };
    // A successor must not be due for succession when it is created.
    let shortest = valid_days.map_or(lifetime, |days| days.min(lifetime));
    if creation.is_some_and(|creation| creation >= shortest) {
        let message = format!("{CREATION} must be less than the validity of {shortest} days.");
        findings.push(Violation::at(CREATION, Rule::InvalidValue, message));
    }
    let choice = algorithms(rules, pair, &leaf, wire, &mut findings);
    match (creation, activation, valid_days, choice) {
        (Some(creation_buffer_days), Some(activation_buffer_days), Some(valid_days), Some(choice))
            if findings.is_empty() =>
        {
            let (algorithm, signature_algorithm) = choice;
            Ok(RotationSettings {
                creation_buffer_days,
                activation_buffer_days,
                valid_days,
                algorithm,
                signature_algorithm,
            })
        }
        _ => Err(findings),
    }
}

fn days(path: &str, days: Option<i32>, findings: &mut Vec<Violation>) -> Option<u32> {
    let Some(days) = days else {
        required(path, findings);
        return None;
    };
    let days = u32::try_from(days).ok().filter(|days| (1..=MAX_VALID_DAYS).contains(days));
    if days.is_none() {
        let message = format!("{path} must be from 1 to {MAX_VALID_DAYS}.");
        findings.push(Violation::at(path, Rule::InvalidValue, message));
    }
    days
}

fn algorithms(
    rules: &Rules,
    pair: &KeyPair,
    leaf: &CertificateSummary,
    wire: &KeyPairRotationSettings,
    findings: &mut Vec<Violation>,
) -> Option<(KeyAlgorithm, SignatureAlgorithm)> {
    let original = pair.algorithm.jca_name().to_owned();
    let name = non_empty(wire.key_algorithm.as_ref()).map_or_else(|| original.clone(), str::to_owned);
    let size =
        wire.key_size.or_else(|| (name == original).then(|| i32::try_from(pair.algorithm.bits()).ok()).flatten());
    let same = name == original && size.and_then(|size| u32::try_from(size).ok()) == Some(pair.algorithm.bits());
    let signature = match non_empty(wire.signature_algorithm.as_ref()) {
        Some(asked) => Some(asked.to_owned()),
        None if same && SignatureAlgorithm::from_jca_name(&leaf.signature_algorithm).is_none() => {
            let message =
                format!("{SIGNATURE} is required: the present one, {}, is outdated.", leaf.signature_algorithm);
            findings.push(Violation::at(SIGNATURE, Rule::Required, message));
            return None;
        }
        None => same.then(|| leaf.signature_algorithm.clone()),
    };
    let asked =
        AlgorithmRequest { key_algorithm: Some(&name), key_size: size, signature_algorithm: signature.as_ref() };
    let choice = choose(asked, rules.capabilities(Some(pair.provider)), findings)?;
    Some((choice.algorithm, choice.signature_algorithm))
}
