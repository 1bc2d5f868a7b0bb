//! Key rings by name: `signing:{id}`, `connection:{id}`, `web-keys`.

use std::fmt;
use std::str::FromStr;

use super::IdError;

/// What a ring serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RingKind {
    Signing,
    SslServer,
    SslClient,
    Connection,
    WebKeys,
}

impl RingKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Signing, Self::SslServer, Self::SslClient, Self::Connection, Self::WebKeys];

    /// The word before the colon of a ring id.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::SslServer => "sslServer",
            Self::SslClient => "sslClient",
            Self::Connection => "connection",
            Self::WebKeys => "web-keys",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn from_name(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }
}

/// The name of a ring; what a dialect calls its object is the part after the colon.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RingId {
    kind: RingKind,
    name: String,
}

impl RingId {
    /// Names a ring of `kind`.
    ///
    /// # Errors
    /// When `name` is empty (unless the kind has but one ring), longer than 200
    /// characters, or holds control characters.
    pub fn new(kind: RingKind, name: impl Into<String>) -> Result<Self, IdError> {
        let name = name.into();
        let singular = kind == RingKind::WebKeys;
        let fits = name.is_empty() == singular && name.chars().count() <= 200 && !name.chars().any(char::is_control);
        if fits { Ok(Self { kind, name }) } else { Err(IdError("a ring name of 1 to 200 characters")) }
    }

    /// What the ring serves.
    #[must_use]
    pub const fn kind(&self) -> RingKind {
        self.kind
    }

    /// The id of the dialect's object; empty for `web-keys`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for RingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if self.name.is_empty() { Ok(()) } else { write!(f, ":{}", self.name) }
    }
}

impl FromStr for RingId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (word, name) = text.split_once(':').unwrap_or((text, ""));
        let kind = RingKind::from_name(word)
            .ok_or(IdError("a ring id: signing:, sslServer:, sslClient: or connection: and a name, or web-keys"))?;
        Self::new(kind, name)
    }
}
