//! Subject alternative names: in as text, out as text, in between as `GeneralName`.

use std::net::IpAddr;
use std::str::FromStr;

/// A subject alternative name (RFC 5280 section 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AlternativeName {
    Dns(String),
    Ip(IpAddr),
    Email(String),
    Uri(String),
}

/// A text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a DNS name, IP address, e-mail address or URI")]
pub struct NotAName;

impl AlternativeName {
    /// The bare value: `example.com`.
    #[must_use]
    pub fn bare(&self) -> String {
        String::new()
    }

    /// Type and quoted value: `DNS: 'example.com'`.
    #[must_use]
    pub fn typed(&self) -> String {
        String::new()
    }
}

impl FromStr for AlternativeName {
    type Err = NotAName;

    fn from_str(_text: &str) -> Result<Self, NotAName> {
        Err(NotAName)
    }
}
