//! Section `[listener]`: where HTTP is served.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::Deserialize;

/// Where HTTP is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Listener {
    pub address: SocketAddr,
    pub plaintext: Plaintext,
}

/// Who may be at the other end of a connection without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plaintext {
    /// This machine alone.
    #[default]
    Loopback,
    /// A proxy that ends TLS, over a network that the operator vouches for.
    BehindTlsProxy,
}

impl Default for Listener {
    fn default() -> Self {
        Self { address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9980), plaintext: Plaintext::Loopback }
    }
}

impl Listener {
    pub(super) fn validate(&self, findings: &mut Vec<String>) {
        if self.plaintext == Plaintext::Loopback && !self.address.ip().is_loopback() {
            findings.push(format!(
                "listener.address: {} is not a loopback address, and plain HTTP is served on loopback only; \
                 put a TLS proxy in front and say plaintext = \"behind-tls-proxy\"",
                self.address
            ));
        }
    }
}
