//! JWS: header and claims by rule, then a signature over what this daemon put together.

use serde_json::{Map, Value};

use super::authorise::Manner;
use super::{Client, MESSAGE_LIMIT, SignInput, Signing, Target};
use strongroom_domain::clock::{Timestamp, random};
use strongroom_domain::error::{Error, Rule, Violation};
use strongroom_formats::jose::{self, UnsignedJws};

/// What a JWS carries.
#[derive(Clone, Debug)]
pub enum Payload {
    Json(Value),
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
pub struct JwsOrder {
    /// JOSE or JCA name; the key's default when absent.
    pub algorithm: Option<String>,
    pub payload: Payload,
    /// Protected headers besides `alg` and `kid`.
    pub headers: Map<String, Value>,
    pub claims: Claims,
    pub detached: bool,
}

impl Signing {
    /// Makes a JWS in compact serialization.
    ///
    /// # Errors
    /// As [`Signing::sign`]; `Invalid` also for headers that callers do not choose and for
    /// claims that the payload has already or cannot have.
    pub async fn jws(&self, client: &Client, target: &Target, order: JwsOrder) -> Result<String, Error> {
        let (key, algorithm) = self.authorise(&client.who, target, order.algorithm.as_deref(), Manner::Jws).await?;
        let name = jose::algorithm_name(key.algorithm(), algorithm).ok_or_else(|| {
            let message = format!("JOSE has no name for {algorithm} with a key {}.", key.algorithm());
            Error::invalid(vec![Violation::at("algorithm", Rule::InvalidValue, message)])
        })?;
        let mut header = checked(order.headers)?;
        header.insert("alg".to_owned(), name.into());
        header.insert("kid".to_owned(), key.kid.as_str().into());
        let payload = match order.payload {
            Payload::Json(value) => filled(value, order.claims, self.clock.now())?.to_string().into_bytes(),
            Payload::Bytes(_) if order.claims != Claims::default() => return Err(no_claims("payloadBytes")),
            Payload::Bytes(bytes) => bytes,
        };
        if payload.len() > MESSAGE_LIMIT {
            let message = format!("a payload is at most {MESSAGE_LIMIT} bytes.");
            return Err(Error::invalid(vec![Violation::at("payload", Rule::TooLong, message)]));
        }
        let jws = UnsignedJws::new(&header, &payload);
        let input = SignInput::Message(jws.signing_input().to_vec());
        let place = self.admit(client, &key)?;
        let signature = self.made_by(client, &place, &key, algorithm, input).await?;
        Ok(jws.compact(&signature, order.detached))
    }
}

/// Headers that callers may choose.
fn checked(headers: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let fault = |(name, value): (&String, &Value)| {
        let message = jose::header_fault(name, value)?;
        Some(Violation::at(format!("headers.{name}"), Rule::InvalidValue, message))
    };
    let violations: Vec<Violation> = headers.iter().filter_map(fault).collect();
    if violations.is_empty() { Ok(headers) } else { Err(Error::invalid(violations)) }
}

/// The payload with the claims that were asked for.
fn filled(payload: Value, claims: Claims, now: Timestamp) -> Result<Value, Error> {
    if claims == Claims::default() {
        return Ok(payload);
    }
    let Value::Object(mut payload) = payload else { return Err(no_claims("payload")) };
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
    let mut violations = Vec::new();
    for (name, value) in wanted {
        if payload.contains_key(name) {
            let message = format!("the payload has {name} already; it is filled in only where it is absent.");
            violations.push(Violation::at(format!("payload.{name}"), Rule::NotUnique, message));
        }
        payload.insert(name.to_owned(), value);
    }
    if violations.is_empty() { Ok(Value::Object(payload)) } else { Err(Error::invalid(violations)) }
}

fn no_claims(path: &str) -> Error {
    let message = "claims are filled into a payload that is a JSON object.";
    Error::invalid(vec![Violation::at(path, Rule::InvalidValue, message)])
}
