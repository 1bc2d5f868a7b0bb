//! Master keys: how they are sealed, and those that are unsealed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::key_file;
use super::seal::{SealBroken, SealingKey};
use crate::provider::ProviderError;
use crate::provider::pkcs11::Pkcs11Provider;
use strongroom_domain::clock::random;
use strongroom_domain::key::StoreId;
use strongroom_domain::secret::Secret;
use strongroom_token::TokenError;

/// What seals master keys; losing it loses every LOCAL key.
pub enum MasterSealer {
    /// A key of the token.
    Token(Arc<Pkcs11Provider>),
    /// The key in a file.
    KeyFile(PathBuf),
}

impl MasterSealer {
    /// What it is, for operators.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Token(_) => "a key of the token".to_owned(),
            Self::KeyFile(path) => format!("the key file {}", path.display()),
        }
    }

    /// Begins each sealed master, so that one is not taken for the other's.
    const fn scheme(&self) -> u8 {
        match self {
            Self::Token(_) => b'T',
            Self::KeyFile(_) => b'F',
        }
    }

    /// Makes a master key and gives it sealed.
    pub(super) async fn new_master(&self, store: StoreId, version: i64) -> Result<Vec<u8>, ProviderError> {
        let bytes = zeroize::Zeroizing::new(random::<32>().map_err(|failure| unavailable(failure.to_string()))?);
        let secret = Secret::new(bytes.to_vec());
        let context = context(store, version);
        let sealed = match self {
            Self::Token(token) => token.client().seal(&label(store), &context, secret).await?,
            Self::KeyFile(path) => {
                let key = file_key(path)?;
                key.seal(&context, &secret).map_err(|failure| unavailable(failure.to_string()))?
            }
        };
        Ok([&[self.scheme()], sealed.as_slice()].concat())
    }

    /// Unseals a master key.
    pub(super) async fn unseal(
        &self,
        store: StoreId,
        version: i64,
        sealed: &[u8],
    ) -> Result<SealingKey, ProviderError> {
        let broken = |SealBroken| refused(&format!("master key {version} does not open under {}", self.describe()));
        let sealed = match sealed.split_first() {
            Some((scheme, sealed)) if *scheme == self.scheme() => sealed,
            _ => {
                let message = format!("master key {version} was not sealed by {}", self.describe());
                return Err(refused(&message));
            }
        };
        let context = context(store, version);
        let secret = match self {
            Self::Token(token) => token.client().unseal(&label(store), &context, sealed).await.map_err(|failure| match failure {
                TokenError::KeyMissing => unavailable(format!(
                    "the token does not have the key {} that sealed master key {version}; restore the token's backup",
                    label(store)
                )),
                other => other.into(),
            })?,
            Self::KeyFile(path) => file_key(path)?.open(&context, sealed).map_err(broken)?,
        };
        SealingKey::new(&secret).map_err(broken)
    }
}

/// A master key in memory, and what it was unsealed from.
pub(super) struct UnsealedMasterKey {
    pub(super) key: Arc<SealingKey>,
    pub(super) sealed: Vec<u8>,
}

/// The master keys that are unsealed.
#[derive(Default)]
pub(super) struct UnsealedMasters {
    pub(super) unsealed: BTreeMap<i64, UnsealedMasterKey>,
    /// The highest version that the store has.
    pub(super) latest: Option<i64>,
    /// The lowest version under which a key may be sealed.
    pub(super) oldest: i64,
    /// Whether the store no longer has one as it was unsealed: what it seals now could not be
    /// opened after a restart.
    pub(super) altered: bool,
    /// Why some are not unsealed, or are altered.
    pub(super) ailments: Vec<String>,
}

impl UnsealedMasters {
    /// The master key that seals new keys.
    pub(super) fn current(&self) -> Option<(i64, Arc<SealingKey>)> {
        let version = self.latest.filter(|_| !self.altered)?;
        self.unsealed.get(&version).map(|master| (version, Arc::clone(&master.key)))
    }

    /// Those that the store had and has no longer, or otherwise.
    pub(super) fn altered(&self, stored: &[(i64, Vec<u8>)]) -> Vec<(i64, ProviderError)> {
        let stands = |version: i64, sealed: &[u8]| stored.iter().any(|(v, s)| *v == version && s == sealed);
        let altered = self.unsealed.iter().filter(|(version, master)| !stands(**version, &master.sealed));
        let text =
            |version| format!("master key {version} is gone from the store, or altered; restore it from a backup");
        altered.map(|(version, _)| (*version, refused(&text(version)))).collect()
    }
}

fn file_key(path: &std::path::Path) -> Result<SealingKey, ProviderError> {
    let secret = key_file::read(path).map_err(unavailable)?;
    SealingKey::new(&secret).map_err(|SealBroken| unavailable("the key file holds no key".to_owned()))
}

fn context(store: StoreId, version: i64) -> Vec<u8> {
    format!("strongroom master key v1 {store} {version}").into_bytes()
}

/// The label of the token's sealing key.
fn label(store: StoreId) -> String {
    format!("sr-seal:{store}")
}

fn refused(message: &str) -> ProviderError {
    ProviderError::Refused(message.to_owned())
}

const fn unavailable(message: String) -> ProviderError {
    ProviderError::Unavailable(message)
}
