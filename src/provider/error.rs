//! What can go wrong at a provider: small, and without words of HTTP.

use strongroom_domain::error::{Error, ErrorKind};
use strongroom_token::TokenError;

/// A provider's failure.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderError {
    /// Nothing was done; it may work later.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Queues are full; nothing was done.
    #[error("busy")]
    Busy,
    /// The deadline passed before it was begun; nothing was done.
    #[error("the deadline passed before it was begun")]
    DeadlinePassed,
    /// Nobody can say whether it was done: the reply was lost.
    #[error("outcome unknown: {0}")]
    OutcomeUnknown(String),
    /// The provider cannot do this at all.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The key is not there although the provider is well.
    #[error("the key is missing")]
    KeyMissing,
    /// What came back is not what was asked for; whatever was made has been destroyed.
    #[error("refused: {0}")]
    Refused(String),
    /// The sealed private half does not open for this key, nor ever will.
    #[error("damaged: {0}")]
    Damaged(String),
    /// The ciphertext is none of this key and algorithm. Nobody is told more: the reason
    /// would decrypt it in time (RFC 8017 section 7.1.2).
    #[error("the ciphertext does not decrypt")]
    NotDecrypted,
}

impl From<TokenError> for ProviderError {
    fn from(failure: TokenError) -> Self {
        match failure {
            TokenError::Unavailable(detail) => Self::Unavailable(detail),
            TokenError::Busy => Self::Busy,
            TokenError::Late => Self::DeadlinePassed,
            TokenError::Unknown(detail) => Self::OutcomeUnknown(detail),
            TokenError::Unsupported(detail) => Self::Unsupported(detail),
            TokenError::KeyMissing => Self::KeyMissing,
            TokenError::Refused(detail) => Self::Refused(detail),
            TokenError::NotDecrypted => Self::NotDecrypted,
        }
    }
}

impl From<ProviderError> for Error {
    fn from(failure: ProviderError) -> Self {
        let (kind, public) = match &failure {
            ProviderError::Busy => (ErrorKind::Busy, "the crypto provider is busy"),
            ProviderError::DeadlinePassed => (ErrorKind::Deadline, "the deadline passed before the key pair was ready"),
            ProviderError::Unsupported(_) => (ErrorKind::Unsupported, "the crypto provider cannot do this"),
            ProviderError::NotDecrypted => (ErrorKind::Invalid, "the ciphertext does not decrypt"),
            ProviderError::Damaged(_) => (ErrorKind::Damaged, "the sealed private half of the key pair does not open"),
            ProviderError::Unavailable(_)
            | ProviderError::OutcomeUnknown(_)
            | ProviderError::KeyMissing
            | ProviderError::Refused(_) => (ErrorKind::ProviderUnavailable, "the crypto provider is unavailable"),
        };
        Self::new(kind, public).with_source(failure)
    }
}

impl ProviderError {
    /// Whether a key that was asked for may be there in spite of the failure.
    #[must_use]
    pub const fn may_have_created_key(&self) -> bool {
        match self {
            Self::Unavailable(_)
            | Self::Busy
            | Self::DeadlinePassed
            | Self::Unsupported(_)
            | Self::KeyMissing
            | Self::NotDecrypted => false,
            Self::OutcomeUnknown(_) | Self::Refused(_) | Self::Damaged(_) => true,
        }
    }
}
