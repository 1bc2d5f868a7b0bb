//! A principal and its scopes.

use strongroom_domain::error::{Error, ErrorKind};

/// One thing that a credential may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// See keys, certificates and settings.
    Read,
    /// Create, change and delete keys.
    Manage,
    /// Sign.
    Sign,
    /// Verify.
    Verify,
    /// Decrypt.
    Decrypt,
    /// See what operators see: metrics, details of health.
    Operate,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] = [Self::Read, Self::Manage, Self::Sign, Self::Verify, Self::Decrypt, Self::Operate];

    /// The word in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Manage => "manage",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Decrypt => "decrypt",
            Self::Operate => "operate",
        }
    }

    /// The scope of a word.
    #[must_use]
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == word)
    }
}

/// The credential lacks a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the credential lacks the scope {}", .0.name())]
pub struct Denied(pub Scope);

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Self::new(ErrorKind::Forbidden, denied.to_string())
    }
}

/// Who is behind a request, and what they may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    name: String,
    scopes: Vec<Scope>,
}

impl Principal {
    /// A principal of a name with scopes.
    #[must_use]
    pub const fn new(name: String, scopes: Vec<Scope>) -> Self {
        Self { name, scopes }
    }

    /// The daemon itself, for what it does unasked.
    #[must_use]
    pub fn daemon() -> Self {
        Self::new("strongroom".to_owned(), Scope::ALL.to_vec())
    }

    /// The name that logs and the audit trail show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Passes when the principal has `scope`; who may manage may read.
    ///
    /// # Errors
    /// [`Denied`] when it has not.
    pub fn require(&self, scope: Scope) -> Result<(), Denied> {
        let implied = scope == Scope::Read && self.scopes.contains(&Scope::Manage);
        if implied || self.scopes.contains(&scope) { Ok(()) } else { Err(Denied(scope)) }
    }
}
