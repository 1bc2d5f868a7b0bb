//! JWS: header and claims by rule, then a signature over what this daemon put together.

use serde_json::Value;

use super::authorise::SigningMode;
use super::{MESSAGE_LIMIT, SignInput, Signing, Target};
use crate::auth::Caller;
use strongroom_domain::clock::{Timestamp, random};
use strongroom_domain::error::{Error, FieldViolation, OperationFault, OperationField};
use strongroom_formats::jose::{self, HeaderFault, UnsignedJws};
use strongroom_formats::json::JsonText;

/// Payload of a JWS.
#[derive(Clone, Debug)]
pub enum Payload {
    /// Signed as it came, without blanks between tokens.
    Json(JsonText),
    Bytes(Vec<u8>),
}

/// Claims that the daemon shall fill in (RFC 7519 section 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `iat`: now.
    pub issued_at: bool,
    /// `exp`: this many seconds from now.
    pub expires_in: Option<u32>,
    /// `jti`: a random UUID.
    pub token_id: bool,
}

/// A JWS to be made.
#[derive(Clone, Debug)]
pub struct JwsInput {
    /// JOSE or JCA name; the key's default when absent.
    pub algorithm: Option<String>,
    pub payload: Payload,
    /// An object of protected headers besides `alg` and `kid`.
    pub headers: Option<JsonText>,
    pub claims: Claims,
    pub detached: bool,
}

impl Signing {
    /// Makes a JWS in compact serialization.
    ///
    /// # Errors
    /// As [`Signing::sign`]; `Invalid` also for headers that callers do not choose and for
    /// claims that the payload has already or cannot have.
    pub async fn jws(&self, caller: &Caller, target: &Target, order: JwsInput) -> Result<String, Error> {
        let (key, algorithm) = self.authorise(caller, target, order.algorithm.as_deref(), SigningMode::Jws).await?;
        let name = jose::algorithm_name(key.algorithm(), algorithm).ok_or_else(|| {
            let fault = OperationFault::NoJoseName(algorithm, key.algorithm());
            FieldViolation::of_operation(OperationField::Algorithm, fault)
        })?;
        let own = [("alg", name.into()), ("kid", key.kid.as_str().into())];
        let header = protected(own, order.headers.as_ref())?;
        let payload = match order.payload {
            Payload::Json(value) => filled(value, order.claims, self.clock.now())?.into_bytes(),
            Payload::Bytes(_) if order.claims != Claims::default() => {
                return Err(no_claims(OperationField::PayloadBytes));
            }
            Payload::Bytes(bytes) => bytes,
        };
        if payload.len() > MESSAGE_LIMIT {
            let fault = OperationFault::PayloadTooLong(MESSAGE_LIMIT);
            return Err(FieldViolation::of_operation(OperationField::Payload, fault).into());
        }
        let jws = UnsignedJws::new(&header, &payload);
        let input = SignInput::Message(jws.signing_input().to_vec());
        let admission = self.admit(caller, &key)?;
        let signature = self.sign_admitted(caller, &admission, &key, algorithm, input).await?;
        Ok(jws.compact(&signature, order.detached))
    }
}

/// The protected header: this daemon's parameters, then those that the caller may choose.
fn protected(own: [(&str, Value); 2], given: Option<&JsonText>) -> Result<JsonText, Error> {
    let own = text(own);
    let Some(given) = given else { return Ok(own) };
    let (Some(headers), Some(header)) = (given.object(), own.followed_by(given)) else {
        let fault = OperationFault::HeadersNotAnObject;
        return Err(FieldViolation::of_operation(OperationField::Headers, fault).into());
    };
    let violation = |(name, value): (&str, &JsonText)| {
        let fault = match jose::header_fault(name, value)? {
            HeaderFault::Reserved => OperationFault::HeaderReserved,
            HeaderFault::NotText => OperationFault::HeaderNotText,
        };
        Some(FieldViolation::of_operation(OperationField::Header(name.to_owned()), fault))
    };
    let violations: Vec<FieldViolation> = headers.members().filter_map(violation).collect();
    if violations.is_empty() { Ok(header) } else { Err(Error::refused_all(violations)) }
}

/// The payload, and after its members the claims that were asked for.
fn filled(payload: JsonText, claims: Claims, now: Timestamp) -> Result<JsonText, Error> {
    if claims == Claims::default() {
        return Ok(payload);
    }
    let now = now.as_micros().div_euclid(1_000_000);
    let mut wanted: Vec<(&'static str, Value)> = Vec::new();
    if claims.issued_at {
        wanted.push(("iat", now.into()));
    }
    if let Some(seconds) = claims.expires_in {
        wanted.push(("exp", now.saturating_add(i64::from(seconds)).into()));
    }
    if claims.token_id {
        let id = uuid::Builder::from_random_bytes(random::<16>()?);
        wanted.push(("jti", id.into_uuid().to_string().into()));
    }
    let members = payload.object().ok_or_else(|| no_claims(OperationField::Payload))?;
    let taken = |(name, _): &(&'static str, Value)| {
        members.get(name)?;
        Some(FieldViolation::of_operation(OperationField::Claim(name), OperationFault::ClaimPresent))
    };
    let violations: Vec<FieldViolation> = wanted.iter().filter_map(taken).collect();
    if !violations.is_empty() {
        return Err(Error::refused_all(violations));
    }
    payload.followed_by(&text(wanted)).ok_or_else(|| no_claims(OperationField::Payload))
}

/// An object of the daemon's own members.
fn text<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> JsonText {
    JsonText::of(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn no_claims(field: OperationField) -> Error {
    FieldViolation::of_operation(field, OperationFault::NoClaims).into()
}
