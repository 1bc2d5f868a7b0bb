//! Making a key pair: any algorithm, with a self-signed certificate or without one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa::openapi::{Object, ObjectBuilder, Type};

use super::error::{BodyRefusals, Problem, Refusals};
use super::keys::KeyView;
use super::request_timeout::{RequestTimeout, request_timeout};
use crate::auth::Caller;
use crate::http::Services;
use crate::http::extract::{Call, Idempotency, JsonBody, asked};
use crate::http::id;
use crate::http::subject::{self, MAX_VALID_DAYS};
use crate::services::lifecycle::{Capabilities, CertificateSpec, NewKeyPair};
use strongroom_domain::error::{Error, Rule, Violation};
use strongroom_domain::key::{KeyAlgorithm, KeyFamily, KeyUse, ProviderKind, RingId, RingKind, SignatureAlgorithm};
use strongroom_formats::jose;
use strongroom_formats::x509::{CertificateNames, CertificateProfile, Subject};

/// A key pair to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewKey {
    /// The new ring whose first key it becomes: `signing:` and a name; one with a made-up name when absent.
    #[schema(nullable = false, pattern = "^signing:[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$", example = "signing:orders-2027")]
    ring: Option<String>,
    /// Key algorithm and size.
    #[schema(schema_with = algorithm_schema)]
    algorithm: String,
    /// What the private half shall do; only RSA decrypts.
    #[serde(default, rename = "use")]
    key_use: Use,
    /// JOSE or JCA name of the signature algorithm used where none is asked for, and of the certificate's.
    #[schema(nullable = false, example = "ES256")]
    signature_algorithm: Option<String>,
    /// Every algorithm that the key may ever sign with, by JOSE or JCA name; what is usual for its kind when absent.
    #[schema(nullable = false, example = json!(["ES256"]))]
    permitted: Option<Vec<String>>,
    /// Who shall hold the private half: `HSM` or `LOCAL`; the token where there is one, when absent.
    #[schema(nullable = false)]
    provider: Option<Provider>,
    /// The key's self-signed certificate; it has none when absent, and never where it decrypts.
    #[schema(nullable = false)]
    certificate: Option<NewCertificate>,
}

/// The names of the table of algorithms.
fn algorithm_schema() -> Object {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("Key algorithm and size."))
        .enum_values(Some(KeyAlgorithm::all().map(KeyAlgorithm::name)))
        .examples(["p-256"])
        .build()
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = KeyUse)]
enum Use {
    #[default]
    Sign,
    Decrypt,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
enum Provider {
    Hsm,
    Local,
}

/// What a self-signed certificate shall say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewCertificate {
    /// CN of subject and issuer.
    #[schema(min_length = 1, max_length = 64, example = "Orders")]
    common_name: String,
    /// O of the subject.
    #[schema(nullable = false, max_length = 64)]
    organization: Option<String>,
    /// OU of the subject.
    #[schema(nullable = false, max_length = 64)]
    organization_unit: Option<String>,
    /// L of the subject.
    #[schema(nullable = false, max_length = 128)]
    city: Option<String>,
    /// ST of the subject.
    #[schema(nullable = false, max_length = 128)]
    state: Option<String>,
    /// C of the subject: two letters, as in ISO 3166-1.
    #[schema(nullable = false, pattern = "^[A-Za-z]{2}$")]
    country: Option<String>,
    /// DNS names, IP addresses, e-mail addresses and URIs.
    #[serde(default)]
    #[schema(max_items = 100)]
    subject_alternative_names: Vec<String>,
    /// From now.
    #[schema(minimum = 1, maximum = 36500, example = 365)]
    valid_days: u32,
}

/// Generates a key pair, as the Active key of a new ring.
///
/// An answer of 5xx means that nothing was made. With an `Idempotency-Key`, a request that is sent again
/// within 24 hours gets the same answer and makes no second key.
#[utoipa::path(
    post, path = "/v1/keys", operation_id = "createKey", tag = "Native",
    params(("Idempotency-Key" = Option<String>, Header, nullable = false, pattern = "^[!-~]{1,255}$",
        description = "A name for this request, unique among those of the caller."), RequestTimeout),
    request_body = NewKey,
    responses(
        (status = 201, description = "The key pair that was made.", body = KeyView,
            headers(("Location" = String, description = "Path of the key pair."))),
        BodyRefusals, Refusals
    )
)]
pub(super) async fn create(
    State(services): State<Arc<Services>>,
    Call(who, _): Call<asked::CreateKey, Problem>,
    Idempotency(key, _): Idempotency<Problem>,
    headers: HeaderMap,
    body: JsonBody<NewKey, Problem>,
) -> Result<Response, Problem> {
    let deadline = request_timeout(&headers, services.generate_deadline)?;
    let mut new = checked(&services, &who, body.value)?;
    new.deadline = deadline;
    let route = || "POST /v1/keys".to_owned();
    let who = who.with_idempotency(services.idempotency(key, route, &body.bytes));
    let made = services.keyring.generate(&who, new).await?;
    let location = format!("/v1/keys/{}", made.pair.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(KeyView::of(&made.pair))).into_response())
}

/// What is asked for, every value looked at.
fn checked(services: &Services, who: &Caller, wire: NewKey) -> Result<NewKeyPair, Error> {
    let mut findings = Vec::new();
    let ring = ring(wire.ring, &mut findings)?;
    let algorithm = algorithm(&wire.algorithm, wire.key_use, &mut findings);
    let signatures =
        algorithm.and_then(|key| signatures(key, wire.signature_algorithm.as_deref(), wire.permitted, &mut findings));
    if wire.key_use == Use::Decrypt && wire.certificate.is_some() {
        let message = "certificate must be absent: a key that decrypts signs none, not even its own.";
        findings.push(Violation::at("certificate", Rule::InvalidValue, message));
    }
    let certificate = wire.certificate.map(|wanted| certificate(wanted, &mut findings));
    let provider = provider(services, who, wire.provider)?;
    let (Some(ring), Some(algorithm), Some((signature_algorithm, permitted)), true) =
        (ring, algorithm, signatures, findings.is_empty())
    else {
        return Err(Error::invalid(findings));
    };
    let key_use = if wire.key_use == Use::Sign { KeyUse::Sign } else { KeyUse::Decrypt };
    Ok(NewKeyPair {
        ring,
        provider,
        key_use,
        algorithm,
        signature_algorithm,
        permitted: if key_use == KeyUse::Sign { permitted } else { Vec::new() },
        certificate,
        deadline: services.generate_deadline,
    })
}

fn ring(asked: Option<String>, findings: &mut Vec<Violation>) -> Result<Option<RingId>, Error> {
    let Some(asked) = asked else { return Ok(RingId::new(RingKind::Signing, id::generate()?).ok()) };
    let ring: Option<RingId> = asked.parse().ok();
    let ring = ring.filter(|ring| ring.kind() == RingKind::Signing && id::fault(ring.name()).is_none());
    if ring.is_none() {
        let message = "ring must be signing: and a name of 1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-', the first a \
                       letter or digit; generate, import, link and settings are taken.";
        findings.push(Violation::at("ring", Rule::InvalidValue, message));
    }
    Ok(ring)
}

fn algorithm(name: &str, key_use: Use, findings: &mut Vec<Violation>) -> Option<KeyAlgorithm> {
    let fits = |algorithm: &KeyAlgorithm| key_use == Use::Sign || algorithm.family() == KeyFamily::Rsa;
    let found = KeyAlgorithm::from_name(name).filter(fits);
    if found.is_none() {
        let names: Vec<&str> = KeyAlgorithm::all().filter(fits).map(KeyAlgorithm::name).collect();
        let message = format!("algorithm must be one of {}.", names.join(", "));
        findings.push(Violation::at("algorithm", Rule::InvalidValue, message));
    }
    found
}

/// The default signature algorithm and all permitted ones, of which it is one.
fn signatures(
    key: KeyAlgorithm,
    default: Option<&str>,
    permitted: Option<Vec<String>>,
    findings: &mut Vec<Violation>,
) -> Option<(SignatureAlgorithm, Vec<SignatureAlgorithm>)> {
    let default = default.map(|name| signature(key, "signatureAlgorithm".to_owned(), name, findings));
    let Some(names) = permitted else {
        let default = default.unwrap_or(Some(key.default_signature_algorithm()))?;
        return Some((default, Capabilities::permitted(None, key, default)));
    };
    let look = |(n, name): (usize, &String)| signature(key, format!("permitted[{n}]"), name, findings);
    let found: Vec<_> = names.iter().enumerate().map(look).collect();
    let asked: Vec<SignatureAlgorithm> = found.into_iter().collect::<Option<_>>()?;
    let usual = Some(key.default_signature_algorithm()).filter(|usual| asked.contains(usual));
    let default = default.unwrap_or(usual.or_else(|| asked.first().copied()));
    if default.is_none_or(|default| !asked.contains(&default)) {
        let message = "permitted must name one algorithm at least, and signatureAlgorithm among them.";
        findings.push(Violation::at("permitted", Rule::InvalidValue, message));
    }
    let mut permitted = key.signature_algorithms();
    permitted.retain(|signature| asked.contains(signature));
    Some((default?, permitted))
}

fn signature(key: KeyAlgorithm, path: String, name: &str, findings: &mut Vec<Violation>) -> Option<SignatureAlgorithm> {
    let meant = SignatureAlgorithm::from_jca_name(name).or_else(|| jose::algorithm_of(key, name));
    let found = meant.filter(|algorithm| algorithm.fits(key));
    if found.is_none() {
        let names: Vec<&str> = key.signature_algorithms().into_iter().map(SignatureAlgorithm::jca_name).collect();
        let message = format!("a key {key} signs with one of {}, or their JOSE names.", names.join(", "));
        findings.push(Violation::at(path, Rule::InvalidValue, message));
    }
    found
}

fn provider(services: &Services, who: &Caller, asked: Option<Provider>) -> Result<ProviderKind, Error> {
    let providers = services.keyring.capabilities(who)?;
    let there = |kind: &ProviderKind| providers.iter().any(|(known, _)| known == kind);
    match asked {
        Some(Provider::Hsm) => Ok(ProviderKind::Hsm),
        Some(Provider::Local) => Ok(ProviderKind::Local),
        None => Ok(Some(ProviderKind::Hsm).filter(there).unwrap_or(ProviderKind::Local)),
    }
}

fn certificate(wanted: NewCertificate, findings: &mut Vec<Violation>) -> CertificateSpec {
    const PREFIX: &str = "certificate.";
    let subject = Subject {
        common_name: wanted.common_name,
        organization: wanted.organization,
        organization_unit: wanted.organization_unit,
        city: wanted.city,
        state: wanted.state,
        country: wanted.country,
    };
    findings.extend(subject.faults().into_iter().map(|(field, fault)| subject::violation(PREFIX, field, fault)));
    let alternative_names = subject::alternative_names(PREFIX, &wanted.subject_alternative_names, findings);
    if !(1..=MAX_VALID_DAYS).contains(&wanted.valid_days) {
        let message = format!("certificate.validDays must be from 1 to {MAX_VALID_DAYS}.");
        findings.push(Violation::at("certificate.validDays", Rule::InvalidValue, message));
    }
    let names = CertificateNames::Given { subject, alternative_names };
    CertificateSpec { names, valid_days: wanted.valid_days, profile: CertificateProfile::Signing }
}
