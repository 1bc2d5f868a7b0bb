//! JWS: header and claims by rule, then a signature over what this daemon put together.

use serde_json::Value;

use super::authorise::SigningMode;
use super::{MESSAGE_LIMIT, SignInput, Signing, Target};
use crate::auth::Caller;
use strongroom_domain::clock::{Timestamp, random};
use strongroom_domain::error::{Error, Rule, Violation};
use strongroom_formats::jose::{self, UnsignedJws};
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
            let message = format!("JOSE has no name for {algorithm} with a key {}.", key.algorithm());
            Error::invalid(vec![Violation::at("algorithm", Rule::InvalidValue, message)])
        })?;
        let own = [("alg", name.into()), ("kid", key.kid.as_str().into())];
        let header = protected(own, order.headers.as_ref())?;
        let payload = match order.payload {
            Payload::Json(value) => filled(value, order.claims, self.clock.now())?.into_bytes(),
            Payload::Bytes(_) if order.claims != Claims::default() => return Err(no_claims("payloadBytes")),
            Payload::Bytes(bytes) => bytes,
        };
        if payload.len() > MESSAGE_LIMIT {
            let message = format!("a payload is at most {MESSAGE_LIMIT} bytes.");
            return Err(Error::invalid(vec![Violation::at("payload", Rule::TooLong, message)]));
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
        return Err(Error::invalid(vec![Violation::at("headers", Rule::InvalidValue, "must be an object.")]));
    };
    let fault = |(name, value): (&str, &JsonText)| {
        let message = jose::header_fault(name, value)?;
        Some(Violation::at(format!("headers.{name}"), Rule::InvalidValue, message))
    };
    let violations: Vec<Violation> = headers.members().filter_map(fault).collect();
    if violations.is_empty() { Ok(header) } else { Err(Error::invalid(violations)) }
}

/// The payload, and after its members the claims that were asked for.
fn filled(payload: JsonText, claims: Claims, now: Timestamp) -> Result<JsonText, Error> {
    if claims == Claims::default() {
        return Ok(payload);
    }
    let now = now.as_micros().div_euclid(1_000_000);
    let mut wanted: Vec<(&str, Value)> = Vec::new();
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
    let members = payload.object().ok_or_else(|| no_claims("payload"))?;
    let taken = |(name, _): &(&str, Value)| {
        members.get(name)?;
        let message = format!("the payload has {name} already; it is filled in only where it is absent.");
        Some(Violation::at(format!("payload.{name}"), Rule::NotUnique, message))
    };
    let violations: Vec<Violation> = wanted.iter().filter_map(taken).collect();
    if !violations.is_empty() {
        return Err(Error::invalid(violations));
    }
    payload.followed_by(&text(wanted)).ok_or_else(|| no_claims("payload"))
}

/// An object of the daemon's own members.
fn text<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> JsonText {
    JsonText::of(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn no_claims(path: &str) -> Error {
    let message = "claims are filled into a payload that is a JSON object.";
    Error::invalid(vec![Violation::at(path, Rule::InvalidValue, message)])
}
