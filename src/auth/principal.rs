//! A principal and its scopes.

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

/// The name of a credential with its scopes.
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

    /// The name that logs and the audit trail show.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the principal has a scope; which actions that grants is for the policy to say.
    pub(super) fn has(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}
