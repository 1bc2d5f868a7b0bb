//! The settings of this dialect, and the state of its handlers.

use crate::http::Dialect;
use strongroom_domain::key::{KeyAlgorithm, ProviderKind};

/// The state of this dialect's handlers.
pub(crate) type Services = Dialect<Settings>;

/// What an operator decides about this dialect.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    pub connections: Connections,
    /// Who makes the keys.
    pub provider: ProviderKind,
    /// The key algorithm of the RS and PS algorithms.
    pub rsa: KeyAlgorithm,
    /// Validity of the certificates in days.
    pub valid_days: u32,
    /// Requests a minute that each principal may make.
    pub rate_limit: u32,
}

/// Where connections come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// The first request for keys makes the connection, named by its id.
    Implicit,
    /// Only those exist that were made before.
    Declared,
}
