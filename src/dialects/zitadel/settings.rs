//! The settings of this dialect, and the state of its handlers.

use crate::http::Dialect;
use strongroom_domain::key::ProviderKind;

/// The state of this dialect's handlers.
pub(crate) type Services = Dialect<Settings>;

/// What an operator decides about this dialect.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The owner of all web keys in views of v3alpha.
    pub instance_id: String,
    /// Who makes web keys.
    pub provider: ProviderKind,
    /// The issuer that discovery names; without one nothing is discovered.
    pub issuer: Option<String>,
}
