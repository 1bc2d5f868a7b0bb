//! How web keys look to clients: flat in v2beta and v2, nested in v3alpha.

use serde::Serialize;
use utoipa::ToSchema;

use super::wire::{Bits, Curve, Ed25519, Hasher};
use crate::services::web_keys::change_date;
use strongroom_domain::clock::Timestamp;
use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyFamily, KeyPair, KeyState, Kid, SignatureScheme};

/// What was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ZitadelCreateWebKeyResponse)]
pub(super) struct Created {
    /// A decimal number, which is also the kid.
    #[schema(example = "280543383892525058")]
    id: String,
    /// RFC 3339 in UTC.
    #[schema(format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    creation_date: String,
}

/// What became active.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ZitadelActivateWebKeyResponse)]
pub(super) struct Activated {
    /// When it did: earlier than now where it was active already.
    #[schema(format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    change_date: String,
}

/// What is deleted.
#[derive(Debug, Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ZitadelDeleteWebKeyResponse)]
pub(super) struct Deleted {
    /// When it was, the first time; absent where there never was such a key.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    deletion_date: Option<String>,
}

/// Web keys.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ZitadelListWebKeysResponse)]
pub(super) struct WebKeys {
    /// The oldest first; absent when there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    web_keys: Vec<WebKey>,
}

/// A web key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ZitadelWebKey)]
struct WebKey {
    #[schema(example = "280543383892525058")]
    id: String,
    #[schema(format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    creation_date: String,
    #[schema(format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    change_date: String,
    state: WebKeyState,
    #[serde(flatten)]
    config: Config,
}

/// The kind of a key: exactly one of the three.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ZitadelWebKeyConfig)]
pub(super) struct Config {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    rsa: Option<Rsa>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ecdsa: Option<Ecdsa>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ed25519: Option<Ed25519>,
}

/// An RSA key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelRsa)]
struct Rsa {
    bits: Bits,
    hasher: Hasher,
}

/// A key on one of the curves of NIST.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelEcdsa)]
struct Ecdsa {
    curve: Curve,
}

/// Where a web key stands; what is removed is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ZitadelWebKeyState)]
pub(super) enum WebKeyState {
    /// Published, and never has signed.
    #[serde(rename = "STATE_INITIAL")]
    Initial,
    /// Signs.
    #[serde(rename = "STATE_ACTIVE")]
    Active,
    /// Published, and has signed.
    #[serde(rename = "STATE_INACTIVE")]
    Inactive,
}

/// What v3alpha says of an object.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelDetails)]
pub(super) struct Details {
    #[schema(example = "280543383892525058")]
    id: String,
    #[schema(format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    created: String,
    #[schema(format = DateTime, example = "2026-08-13T20:21:00.000Z")]
    changed: String,
    owner: Owner,
}

/// Whose an object is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelOwner)]
struct Owner {
    #[serde(rename = "type")]
    #[schema(example = "OWNER_TYPE_INSTANCE")]
    kind: &'static str,
    #[schema(example = "strongroom")]
    id: String,
}

/// What v3alpha answers a change.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelWebKeyDetails)]
pub(super) struct Changed {
    details: Details,
}

/// Web keys in v3alpha.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ZitadelV3WebKeys)]
pub(super) struct NestedWebKeys {
    /// The oldest first; absent when there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    web_keys: Vec<NestedWebKey>,
}

/// A web key in v3alpha.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ZitadelV3WebKey)]
struct NestedWebKey {
    details: Details,
    config: Config,
    state: WebKeyState,
}

impl Created {
    pub(super) fn of(pair: &KeyPair) -> Self {
        Self { id: id(pair), creation_date: pair.created_at.to_string() }
    }
}

impl Activated {
    pub(super) fn of(pair: &KeyPair) -> Self {
        Self { change_date: change_date(pair).to_string() }
    }
}

impl Deleted {
    pub(super) fn of(pair: &KeyPair) -> Self {
        Self { deletion_date: pair.deleted_at.as_ref().map(Timestamp::to_string) }
    }
}

impl Changed {
    pub(super) fn of(pair: &KeyPair, instance: &str) -> Self {
        Self { details: Details::of(pair, instance) }
    }
}

impl Details {
    fn of(pair: &KeyPair, instance: &str) -> Self {
        Self {
            id: id(pair),
            created: pair.created_at.to_string(),
            changed: change_date(pair).to_string(),
            owner: Owner { kind: "OWNER_TYPE_INSTANCE", id: instance.to_owned() },
        }
    }
}

impl WebKeys {
    /// The view of all keys.
    ///
    /// # Errors
    /// `Internal` when one of them is not visible.
    pub(super) fn of(keys: &[KeyPair]) -> Result<Self, Error> {
        let view = |pair: &KeyPair| {
            Ok(WebKey {
                id: id(pair),
                creation_date: pair.created_at.to_string(),
                change_date: change_date(pair).to_string(),
                state: WebKeyState::of(pair.state)?,
                config: Config::of(pair),
            })
        };
        Ok(Self { web_keys: keys.iter().map(view).collect::<Result<_, Error>>()? })
    }
}

impl NestedWebKeys {
    /// The view of all keys.
    ///
    /// # Errors
    /// `Internal` when one of them is not visible.
    pub(super) fn of(keys: &[KeyPair], instance: &str) -> Result<Self, Error> {
        let view = |pair: &KeyPair| {
            let (details, config) = (Details::of(pair, instance), Config::of(pair));
            Ok(NestedWebKey { details, config, state: WebKeyState::of(pair.state)? })
        };
        Ok(Self { web_keys: keys.iter().map(view).collect::<Result<_, Error>>()? })
    }
}

impl Config {
    pub(super) fn of(pair: &KeyPair) -> Self {
        let (algorithm, none) = (pair.algorithm, Self::default());
        match algorithm.family() {
            KeyFamily::Rsa => {
                let signature = pair.signature_algorithm;
                let pkcs1 = |hash| SignatureScheme::RsaPkcs1(hash).into();
                let hasher = Hasher::of(signature.hash().map_or(signature, pkcs1));
                Self { rsa: Some(Rsa { bits: Bits::of(algorithm), hasher }), ..none }
            }
            KeyFamily::Ec => Self { ecdsa: Some(Ecdsa { curve: Curve::of(algorithm) }), ..none },
            KeyFamily::EdDsa => Self { ed25519: Some(Ed25519 {}), ..none },
        }
    }
}

impl WebKeyState {
    pub(super) fn of(state: KeyState) -> Result<Self, Error> {
        match state {
            KeyState::PreActive => Ok(Self::Initial),
            KeyState::Active => Ok(Self::Active),
            KeyState::Deactivated | KeyState::Suspended => Ok(Self::Inactive),
            KeyState::Reserved
            | KeyState::Abandoning
            | KeyState::Stocked
            | KeyState::Compromised
            | KeyState::PendingDestruction
            | KeyState::Destroying
            | KeyState::Destroyed => Err(Error::new(ErrorKind::Internal, "internal error")
                .with_source(format!("a web key that is {state} is shown"))),
        }
    }
}

fn id(pair: &KeyPair) -> String {
    pair.kid.as_ref().map(Kid::to_string).unwrap_or_default()
}
