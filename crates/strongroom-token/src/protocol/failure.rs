//! Why a call was not done, and what that means to the client.

use serde::{Deserialize, Serialize};

use super::TokenFacts;

/// Why a call was not done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CallFailure {
    pub(crate) class: FailureClass,
    pub(crate) detail: String,
    /// What is known of the token where only the log-in failed.
    pub(crate) facts: Option<Box<TokenFacts>>,
}

impl CallFailure {
    /// A failure without token facts.
    pub(crate) fn new(class: FailureClass, detail: impl Into<String>) -> Self {
        Self { class, detail: detail.into(), facts: None }
    }
}

/// What a failure means to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FailureClass {
    /// No token matches the selector.
    TokenAbsent,
    /// Several tokens match.
    TokenAmbiguous,
    /// The token refused the PIN; it has been remembered.
    PinRefused,
    /// The PIN was refused before and has not been tried again.
    PinRemembered,
    /// One more wrong PIN would lock the token, or has; not tried.
    PinLocked,
    PinUnreadable,
    ModuleUnloadable,
    /// Neither this token nor any session can do it.
    Unsupported,
    KeyMissing,
    /// The ciphertext is none of this key and algorithm.
    NotDecrypted,
    /// What the token holds or made is not what was asked for; nothing of it is left.
    Refused,
    /// The first signature by a handle does not verify: another key has this `CKA_ID`, or the token errs.
    Mismatched,
    /// A signature does not verify whose key has signed rightly before: the token errs, and so may all
    /// that this host does.
    WrongSignature,
    /// Not done; it may work later.
    Unavailable,
    /// The host cannot go on; nobody can say whether the call was done.
    Broken,
}

impl FailureClass {
    /// What an operator can do about it, or what it means.
    pub(crate) const fn operator_advice(self) -> &'static str {
        match self {
            Self::TokenAbsent => "no such token; look at the selector and the module's own configuration",
            Self::TokenAmbiguous => "select the token by its serial number",
            Self::PinRefused => "the token refuses the PIN; correct its source",
            Self::PinRemembered => "correct the PIN's source, or say `strongroom token retry`",
            Self::PinLocked => "the security officer must set the PIN anew",
            Self::PinUnreadable => "the PIN cannot be read",
            Self::ModuleUnloadable => "the module cannot be loaded",
            Self::Unsupported
            | Self::KeyMissing
            | Self::NotDecrypted
            | Self::Refused
            | Self::Mismatched
            | Self::WrongSignature
            | Self::Unavailable
            | Self::Broken => "the token did not open",
        }
    }

    /// Whether it says that the host cannot be believed, or its handle of a key.
    pub(crate) const fn is_about_host(self) -> bool {
        matches!(self, Self::Broken | Self::Mismatched | Self::WrongSignature)
    }

    /// Whether only an operator can mend it: trying again would not.
    pub(crate) const fn needs_operator(self) -> bool {
        match self {
            Self::PinRefused
            | Self::PinRemembered
            | Self::PinLocked
            | Self::PinUnreadable
            | Self::TokenAmbiguous
            | Self::ModuleUnloadable => true,
            Self::TokenAbsent
            | Self::Unsupported
            | Self::KeyMissing
            | Self::NotDecrypted
            | Self::Refused
            | Self::Mismatched
            | Self::WrongSignature
            | Self::Unavailable
            | Self::Broken => false,
        }
    }
}
