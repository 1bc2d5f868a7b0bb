//! Public keys as JSON Web Keys (RFC 7517).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value};

use super::required_members::{UnsupportedKey, required_members};
use strongroom_domain::key::{CertificateDer, HashAlgorithm, KeyUse, SpkiDer};

/// A public key as a JSON Web Key; there is no way to give it a private member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Jwk(Map<String, Value>);

impl Jwk {
    /// The required members of a public key alone.
    ///
    /// # Errors
    /// When no JWK of ours can express the key.
    pub fn from_spki(spki: &SpkiDer) -> Result<Self, UnsupportedKey> {
        let members = required_members(spki)?.into_iter();
        Ok(Self(members.map(|(name, value)| (name.to_owned(), value.into())).collect()))
    }

    /// The same key under a name (RFC 7517 section 4.5).
    #[must_use]
    pub fn with_kid(self, kid: &str) -> Self {
        self.with("kid", kid.into())
    }

    /// The same key for a use (RFC 7517 section 4.2), with an algorithm (section 4.4) if it has a name.
    #[must_use]
    pub fn with_use(self, key_use: KeyUse, algorithm: Option<&str>) -> Self {
        let word = match key_use {
            KeyUse::Sign => "sig",
            KeyUse::Decrypt => "enc",
        };
        let jwk = self.with("use", word.into());
        match algorithm {
            Some(name) => jwk.with("alg", name.into()),
            None => jwk,
        }
    }

    /// The same key with its certificates, its own first (RFC 7517 sections 4.7 and 4.9); without any, as it was.
    #[must_use]
    pub fn with_x5c(self, certificates: &[CertificateDer]) -> Self {
        let Some(leaf) = certificates.first() else { return self };
        let chain: Vec<Value> = certificates.iter().map(|each| STANDARD.encode(each.as_bytes()).into()).collect();
        let thumbprint = URL_SAFE_NO_PAD.encode(HashAlgorithm::Sha256.digest(leaf.as_bytes()));
        self.with("x5c", chain.into()).with("x5t#S256", thumbprint.into())
    }

    /// Its name, if it has one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.0.get("kid").and_then(Value::as_str)
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }
}
