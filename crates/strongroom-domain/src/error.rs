//! The one error of the domain.
//!
//! `public` may leave the house; `source` reaches only the log, with the request id.

mod field;
mod reason;

use std::borrow::Cow;
use std::fmt;

use crate::clock::NoEntropy;

pub use field::{Field, OidcField, OperationField, TlsField, TlsServer};
pub use reason::{OperationFault, Reason, SettingFault};

/// Class of an error; dialects map it to a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Well formed, but values that cannot be: see the violations.
    Invalid,
    /// The body cannot be parsed.
    Malformed,
    TooLarge,
    UnsupportedMediaType,
    MethodNotAllowed,
    NotFound,
    /// Somebody else did, or is doing, the same.
    Conflict,
    /// Referenced by something else.
    InUse,
    Unauthenticated,
    Forbidden,
    NotExportable,
    /// No provider here can do it.
    Unsupported,
    /// Queues are full, or the caller has its share of them.
    Busy,
    ProviderUnavailable,
    /// The deadline passed; nothing was changed.
    Deadline,
    Throttled,
    /// Stored data of the key was altered; a retry does not help.
    Damaged,
    Internal,
}

/// The rule that a value breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    Required,
    InvalidValue,
    TooLong,
    NotUnique,
    NotSupportedByProvider,
}

impl Rule {
    /// The stable code that clients see.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::InvalidValue => "invalid_value",
            Self::TooLong => "too_long",
            Self::NotUnique => "not_unique",
            Self::NotSupportedByProvider => "not_supported_by_provider",
        }
    }
}

/// One refused value, with a sentence about accepted ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON path with dots and `[n]`, in the dialect's names; absent when not about a field.
    pub path: Option<String>,
    pub rule: Rule,
    pub message: String,
}

impl Violation {
    /// A violation at `path`.
    #[must_use]
    pub fn at(path: impl Into<String>, rule: Rule, message: impl Into<String>) -> Self {
        Self { path: Some(path.into()), rule, message: message.into() }
    }
}

/// One input refused by the domain; a dialect makes a [`Violation`] of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    pub field: Field,
    pub reason: Reason,
}

impl FieldViolation {
    /// A refusal of an input of a signature or a decryption.
    #[must_use]
    pub const fn of_operation(field: OperationField, fault: OperationFault) -> Self {
        Self { field: Field::Operation(field), reason: Reason::Operation(fault) }
    }
}

impl From<FieldViolation> for Error {
    fn from(violation: FieldViolation) -> Self {
        Self::refused_all(vec![violation])
    }
}

/// A failure of the domain.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    public: Cow<'static, str>,
    field_violations: Vec<FieldViolation>,
    violations: Vec<Violation>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure with a sentence for the client.
    #[must_use]
    pub fn new(kind: ErrorKind, public: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            public: public.into(),
            field_violations: Vec::new(),
            violations: Vec::new(),
            source: None,
        }))
    }

    /// Values that cannot be, all of them.
    #[must_use]
    pub fn invalid(violations: Vec<Violation>) -> Self {
        let mut error = Self::new(ErrorKind::Invalid, "the request has invalid values");
        error.0.violations = violations;
        error
    }

    /// An input that the domain refuses.
    #[must_use]
    pub fn refused(field: Field, reason: Reason) -> Self {
        Self::refused_all(vec![FieldViolation { field, reason }])
    }

    /// Inputs that the domain refuses, all of them.
    #[must_use]
    pub fn refused_all(violations: Vec<FieldViolation>) -> Self {
        let mut error = Self::invalid(Vec::new());
        error.0.field_violations = violations;
        error
    }

    /// Puts an input that the domain refuses before all others.
    #[must_use]
    pub fn preceded_by(mut self, violation: FieldViolation) -> Self {
        self.0.field_violations.insert(0, violation);
        self
    }

    /// Attaches a source for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The cause, if it is a failure of this type.
    #[must_use]
    pub fn source_as<T: std::error::Error + 'static>(&self) -> Option<&T> {
        self.0.source.as_ref()?.downcast_ref()
    }

    /// What sort of failure it is.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The sentence that may leave the house.
    #[must_use]
    pub fn public(&self) -> &str {
        &self.0.public
    }

    /// The inputs that the domain refuses.
    #[must_use]
    pub fn field_violations(&self) -> &[FieldViolation] {
        &self.0.field_violations
    }

    /// The refused values that have a path already.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.0.violations
    }

    /// All refused values: those of the domain as `render` puts them, then those that have a path already.
    #[must_use]
    pub fn rendered_violations(&self, render: impl Fn(&FieldViolation) -> Violation) -> Vec<Violation> {
        self.0.field_violations.iter().map(render).chain(self.0.violations.iter().cloned()).collect()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("public", &self.0.public)
            .field("field_violations", &self.0.field_violations)
            .field("violations", &self.0.violations)
            .field("source", &self.0.source)
            .finish()
    }
}

/// The whole story, for the log.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.public)?;
        self.0.source.as_ref().map_or(Ok(()), |source| write!(f, ": {source}"))
    }
}

impl std::error::Error for Error {}

impl From<NoEntropy> for Error {
    fn from(failure: NoEntropy) -> Self {
        Self::new(ErrorKind::Internal, "internal error").with_source(failure)
    }
}
