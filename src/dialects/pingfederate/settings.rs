//! The settings of this dialect, and the state of its handlers.

use crate::http::Dialect;
use strongroom_domain::key::ProviderKind;

/// The state of this dialect's handlers.
pub(crate) type Services = Dialect<Settings>;

/// What an operator decides about this dialect.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Whether requests choose, and views show, the crypto provider.
    pub hybrid: bool,
    /// Who makes a key when the request does not say; without `hybrid`, who makes all.
    pub default_provider: ProviderKind,
    pub san_format: SanFormat,
    /// Whether the certificates of a CSR response must lead to a trusted CA.
    pub require_trusted_issuer: bool,
}

/// How views write subject alternative names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SanFormat {
    /// `example.com`, as up to version 12.
    #[default]
    Bare,
    /// `DNS: 'example.com'`, as from version 13.
    Typed,
}
