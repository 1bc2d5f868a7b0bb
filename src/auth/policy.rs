//! Policy: which caller may do what, and with which ring or key.
//!
//! Two questions are asked. [`may`] comes before the body of a request is read, of the path's resource where the
//! path names one. [`allow`] comes at the top of each method of a service, of the named resource, before any work
//! with store or token. Both go through the same rules in order; what no rule decides is denied.

use strongroom_domain::error::{Error, ErrorKind};
use strongroom_domain::key::{KeyName, RingId};

use super::{Caller, Origin, Scope};

/// An operation that a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To be known: what every credential grants.
    Authenticate,
    ChangeRing,
    ChangeSettings,
    CompromiseKey,
    CreateConnection,
    CreateKey,
    Decrypt,
    DeleteConnection,
    DeleteKey,
    DeleteRing,
    DestroyKey,
    ExportKey,
    ImportKey,
    LinkKey,
    ListKeys,
    ReadCapabilities,
    ReadConnection,
    ReadKey,
    ReadMetrics,
    ReadSettings,
    ReinstateKey,
    ReplaceCertificates,
    RequestCertificate,
    RestoreKey,
    ResumeRotation,
    RotateRing,
    Sign,
    SuspendKey,
    Sweep,
    UpdateConnection,
    Verify,
}

/// The object of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// The daemon as a whole: its settings, its lists, its metrics.
    Daemon,
    /// A ring with its keys.
    Ring(&'a RingId),
    /// A key by its name, whose ring is known once the key has been found.
    Key(&'a KeyName, Option<&'a RingId>),
}

impl<'a> Resource<'a> {
    /// The ring, where it is known.
    #[must_use]
    pub const fn ring(self) -> Option<&'a RingId> {
        match self {
            Self::Daemon => None,
            Self::Ring(ring) => Some(ring),
            Self::Key(_, ring) => ring,
        }
    }
}

impl<'a> From<&'a RingId> for Resource<'a> {
    fn from(ring: &'a RingId) -> Self {
        Self::Ring(ring)
    }
}

/// A refusal by policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The credential lacks every scope that grants the action.
    #[error("the credential lacks the scope {}", .0.name())]
    Scope(Scope),
    /// A rule keeps the ring from the caller.
    #[error("the credential may not do this with the key ring {0}")]
    Ring(RingId),
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        Self::new(ErrorKind::Forbidden, denied.to_string())
    }
}

/// Whether a caller could be allowed an action, as far as can be told before the body is read.
///
/// # Errors
/// [`Denied`] when no body could change the answer.
pub fn may(caller: &Caller, action: Action, path: Option<Resource<'_>>) -> Result<(), Denied> {
    decide(caller, action, path)
}

/// Whether a caller is allowed an action with a resource.
///
/// # Errors
/// [`Denied`] when it is not.
pub fn allow<'a>(caller: &Caller, action: Action, resource: impl Into<Resource<'a>>) -> Result<(), Denied> {
    decide(caller, action, Some(resource.into()))
}

/// A rule: `None` where it has nothing to say.
type Rule = fn(&Caller, Action, Option<Resource<'_>>) -> Option<Result<(), Denied>>;

/// The rules in the order of their precedence.
const RULES: &[Rule] = &[
    daemon,
    #[cfg(feature = "test-hooks")]
    hooks::withheld,
    scopes,
];

fn decide(caller: &Caller, action: Action, resource: Option<Resource<'_>>) -> Result<(), Denied> {
    let verdict = RULES.iter().find_map(|rule| rule(caller, action, resource));
    verdict.unwrap_or_else(|| Err(Denied::Scope(lacking(action))))
}

/// The daemon does what its tasks need.
fn daemon(caller: &Caller, _: Action, _: Option<Resource<'_>>) -> Option<Result<(), Denied>> {
    matches!(caller.origin(), Origin::Daemon(_)).then_some(Ok(()))
}

/// A scope grants its actions with every resource.
fn scopes(caller: &Caller, action: Action, _: Option<Resource<'_>>) -> Option<Result<(), Denied>> {
    let granting = granting(action);
    let granted = granting.is_empty() || granting.iter().any(|scope| caller.principal().has(*scope));
    granted.then_some(Ok(()))
}

/// The scopes that grant an action, any of them; none where every credential will do.
const fn granting(action: Action) -> &'static [Scope] {
    match action {
        Action::ListKeys
        | Action::ReadCapabilities
        | Action::ReadConnection
        | Action::ReadKey
        | Action::ReadSettings
        | Action::RequestCertificate => &[Scope::Read, Scope::Manage],
        Action::ChangeRing
        | Action::ChangeSettings
        | Action::CompromiseKey
        | Action::CreateConnection
        | Action::CreateKey
        | Action::DeleteConnection
        | Action::DeleteKey
        | Action::DeleteRing
        | Action::DestroyKey
        | Action::ExportKey
        | Action::ImportKey
        | Action::LinkKey
        | Action::ReinstateKey
        | Action::ReplaceCertificates
        | Action::RestoreKey
        | Action::RotateRing
        | Action::SuspendKey
        | Action::UpdateConnection => &[Scope::Manage],
        Action::Sign => &[Scope::Sign],
        Action::Verify => &[Scope::Verify],
        Action::Decrypt => &[Scope::Decrypt],
        Action::ReadMetrics | Action::ResumeRotation => &[Scope::Operate],
        Action::Sweep => &[Scope::Operate, Scope::Manage],
        Action::Authenticate => &[],
    }
}

/// The scope that a refusal names.
fn lacking(action: Action) -> Scope {
    granting(action).first().copied().unwrap_or(Scope::Read)
}

/// A rule for tests: `STRONGROOM_TEST_WITHHELD_RING=RING` keeps the signatures of one ring from every request.
#[cfg(feature = "test-hooks")]
mod hooks {
    use std::sync::LazyLock;

    use super::{Action, Caller, Denied, Resource};

    static WITHHELD: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("STRONGROOM_TEST_WITHHELD_RING").ok());

    pub(super) fn withheld(_: &Caller, action: Action, resource: Option<Resource<'_>>) -> Option<Result<(), Denied>> {
        let (withheld, ring) = (WITHHELD.as_deref()?, resource?.ring()?);
        let withholds = matches!(action, Action::Sign | Action::ChangeSettings | Action::ReadConnection);
        (withholds && ring.to_string() == withheld).then(|| Err(Denied::Ring(ring.clone())))
    }
}
