//! Why a container gives no key.

/// More certificates than any chain has.
pub(super) const MOST_CERTIFICATES: usize = 32;

/// Why a container gives no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    #[error("the password is wrong")]
    WrongPassword,
    /// What is wrong, and what would be accepted.
    #[error("{0}")]
    Malformed(String),
    /// A key that is none of [`KeyAlgorithm`](strongroom_domain::key::KeyAlgorithm); what would be accepted.
    #[error("{0}")]
    UnsupportedKey(String),
    /// More iterations, bytes or certificates than are reasonable.
    #[error("{0}")]
    Excessive(String),
}

pub(super) fn broken(part: &str) -> KeyFileError {
    KeyFileError::Malformed(format!("broken, truncated or not DER: {part}"))
}

/// Whatever the reason, which is never the caller's.
pub(super) fn unwritable<T>(_: T) -> KeyFileError {
    KeyFileError::Malformed("the key cannot be written".to_owned())
}

pub(super) fn too_many_certificates() -> KeyFileError {
    KeyFileError::Excessive(format!("more than {MOST_CERTIFICATES} certificates"))
}
