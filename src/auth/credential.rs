//! Credentials: hashes of random secrets, presented as bearer token or Basic password.

use std::fmt;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;

use super::{Principal, Scope};
use strongroom_domain::clock::{NoEntropy, random};
use strongroom_domain::secret::Secret;

/// The shortest secret that is accepted, in characters.
pub const MIN_SECRET_CHARS: usize = 32;

/// The SHA-256 of a credential's secret, written `sha256:` and 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of a secret.
    ///
    /// # Errors
    /// When the secret is shorter than [`MIN_SECRET_CHARS`] or not visible ASCII.
    pub fn of(secret: &Secret) -> Result<Self, CredentialError> {
        let bytes = secret.expose();
        if bytes.len() < MIN_SECRET_CHARS || !bytes.iter().all(u8::is_ascii_graphic) {
            return Err(CredentialError::WeakSecret);
        }
        Ok(Self::digest(bytes))
    }

    /// The hash of its written form.
    ///
    /// # Errors
    /// When `text` is not `sha256:` and 64 hex digits.
    pub fn parse(text: &str) -> Result<Self, CredentialError> {
        let is_hex = |hex: &&str| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let hex = text.strip_prefix("sha256:").filter(is_hex);
        let mut hash = [0; 32];
        let digits = hex.ok_or(CredentialError::Hash)?;
        for (index, byte) in hash.iter_mut().enumerate() {
            let pair = digits.get(index * 2..index * 2 + 2).ok_or(CredentialError::Hash)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| CredentialError::Hash)?;
        }
        Ok(Self(hash))
    }

    fn digest(bytes: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
        Self(hash)
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(redacted)")
    }
}

/// What is wrong with a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    #[error("a secret has at least 32 visible ASCII characters")]
    WeakSecret,
    #[error("a hash is written sha256: and 64 hex digits")]
    Hash,
}

/// A name, the hash of its secret, and what it may do.
#[derive(Clone, Debug)]
pub struct Credential {
    pub name: String,
    pub hash: SecretHash,
    pub scopes: Vec<Scope>,
}

/// How a secret was presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthScheme {
    /// RFC 6750.
    Bearer,
    /// RFC 7617; a browser may have added it by itself.
    Basic,
}

/// Tells principals by their `Authorization` header.
#[derive(Debug)]
pub struct Authenticator {
    credentials: Vec<Credential>,
}

impl Authenticator {
    /// Knows the given credentials.
    #[must_use]
    pub const fn new(credentials: Vec<Credential>) -> Self {
        Self { credentials }
    }

    /// The principal of a header value, and how it was presented; `None` when there is
    /// none, whatever the reason.
    #[must_use]
    pub fn authenticate(&self, header: &str) -> Option<(Principal, AuthScheme)> {
        let (scheme, value) = header.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            let secret = Secret::new(value.trim().as_bytes().to_vec());
            return self.find(None, &secret).map(|principal| (principal, AuthScheme::Bearer));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            let decoded = Secret::new(STANDARD.decode(value.trim()).ok()?);
            let colon = decoded.expose().iter().position(|byte| *byte == b':')?;
            let (user, password) = decoded.expose().split_at(colon);
            let secret = Secret::new(password.get(1..)?.to_vec());
            let user = std::str::from_utf8(user).ok()?;
            return self.find(Some(user), &secret).map(|principal| (principal, AuthScheme::Basic));
        }
        None
    }

    fn find(&self, user: Option<&str>, secret: &Secret) -> Option<Principal> {
        let hash = SecretHash::digest(secret.expose());
        let mut found = None;
        for credential in &self.credentials {
            let same = bool::from(credential.hash.0.ct_eq(&hash.0));
            if same && user.is_none_or(|user| user == credential.name) {
                found = Some(credential);
            }
        }
        found.map(|credential| Principal::new(credential.name.clone(), credential.scopes.clone()))
    }
}

/// A new secret: 32 random bytes in base64url.
///
/// # Errors
/// When the system gives no random bytes.
pub fn new_secret() -> Result<Secret, NoEntropy> {
    Ok(Secret::new(URL_SAFE_NO_PAD.encode(random::<32>()?).into_bytes()))
}
