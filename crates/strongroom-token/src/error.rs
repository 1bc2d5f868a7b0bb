//! What can go wrong with a token: small, and without words of any caller.

use crate::protocol::CallOutcome;

/// A token's failure, or that of the hosts before it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TokenError {
    /// Nothing was done; it may work later.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// Queues are full; nothing was done.
    #[error("busy")]
    Busy,
    /// The deadline passed before it was begun; nothing was done.
    #[error("the deadline passed before it was begun")]
    Late,
    /// Nobody can say whether it was done: the reply was lost.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// Neither token nor module can do this at all.
    #[error("unsupported: {0}")]
    Unsupported(String),
    /// The key is not there although the token is well.
    #[error("the key is missing")]
    KeyMissing,
    /// What came back is not what was asked for; whatever was made has been destroyed.
    #[error("refused: {0}")]
    Refused(String),
    /// The ciphertext is none of this key and algorithm. Nobody is told more: the reason
    /// would decrypt it in time (RFC 8017 section 7.1.2).
    #[error("the ciphertext does not decrypt")]
    NotDecrypted,
}

impl TokenError {
    /// A host of the same program answers what it was asked; if not, nobody knows what it did.
    pub(crate) fn unexpected(outcome: &CallOutcome) -> Self {
        Self::Unknown(format!("the token host answered with {outcome:?}"))
    }
}
