//! What can go wrong at a provider: small, and without words of HTTP.

/// A provider's failure.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderError {
    /// Nothing was done; it may work later.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Queues are full; nothing was done.
    #[error("busy")]
    Busy,
    /// Nobody can say whether it was done: the reply was lost.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// The provider cannot do this at all.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The key is not there although the provider is well.
    #[error("the key is missing")]
    KeyMissing,
    /// What came back is not what was asked for; whatever was made has been destroyed.
    #[error("refused: {0}")]
    Refused(String),
}
