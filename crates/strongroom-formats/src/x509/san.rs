//! Subject alternative names: in as text, out as text, in between as `GeneralName`.

use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use der::asn1::{AnyRef, Ia5String};
use der::{Tag, Tagged};
use x509_cert::ext::pkix::name::GeneralName;

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
pub struct InvalidAlternativeName;

impl AlternativeName {
    /// The bare value: `example.com`.
    #[must_use]
    pub fn bare(&self) -> String {
        match self {
            Self::Dns(value) | Self::Email(value) | Self::Uri(value) => value.clone(),
            Self::Ip(address) => address.to_string(),
        }
    }

    /// Type and quoted value: `DNS: 'example.com'`.
    #[must_use]
    pub fn typed(&self) -> String {
        let word = match self {
            Self::Dns(_) => "DNS",
            Self::Ip(_) => "IP",
            Self::Email(_) => "EMAIL",
            Self::Uri(_) => "URI",
        };
        format!("{word}: '{}'", self.bare())
    }

    pub(super) fn to_general_name(&self) -> der::Result<GeneralName> {
        Ok(match self {
            Self::Dns(name) => GeneralName::DnsName(Ia5String::new(name)?),
            Self::Ip(address) => GeneralName::from(*address),
            Self::Email(address) => GeneralName::Rfc822Name(Ia5String::new(address)?),
            Self::Uri(uri) => GeneralName::UniformResourceIdentifier(Ia5String::new(uri)?),
        })
    }

    /// The name of an encoded `GeneralName`, whatever its text; `None` for other types and
    /// for what is neither ASCII nor an address.
    pub(super) fn of_general_name(encoded: AnyRef<'_>) -> Option<Self> {
        let Tag::ContextSpecific { constructed: false, number } = encoded.tag() else { return None };
        let bytes = encoded.value();
        let text = || String::from_utf8(bytes.to_vec()).ok().filter(|text| text.is_ascii());
        match number.value() {
            1 => text().map(Self::Email),
            2 => text().map(Self::Dns),
            6 => text().map(Self::Uri),
            7 => {
                let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
                let v6 = |_| <[u8; 16]>::try_from(bytes).map(IpAddr::from);
                v4().or_else(v6).ok().map(Self::Ip)
            }
            _ => None,
        }
    }
}

/// Reads a typed name, else a bare one: as address, URI, e-mail address and DNS name, in
/// this order.
impl FromStr for AlternativeName {
    type Err = InvalidAlternativeName;

    fn from_str(text: &str) -> Result<Self, InvalidAlternativeName> {
        let typed = text.strip_suffix('\'').and_then(|text| text.split_once(": '"));
        match typed {
            Some(("DNS", name)) => dns(name),
            Some(("IP", address)) => ip(address),
            Some(("EMAIL", address)) => email(address),
            Some(("URI", address)) => uri(address),
            Some(_) => None,
            None => ip(text).or_else(|| uri(text)).or_else(|| email(text)).or_else(|| dns(text)),
        }
        .ok_or(InvalidAlternativeName)
    }
}

fn dns(text: &str) -> Option<AlternativeName> {
    let host = text.strip_prefix("*.").unwrap_or(text);
    (text.len() <= 253 && is_host(host)).then(|| AlternativeName::Dns(text.to_owned()))
}

fn ip(text: &str) -> Option<AlternativeName> {
    text.parse().ok().map(AlternativeName::Ip)
}

/// A mailbox with a dot-atom before the `@` (RFC 5321 section 4.1.2); quoted local parts
/// are not taken.
fn email(text: &str) -> Option<AlternativeName> {
    let (local, domain) = text.split_once('@')?;
    let is_atom = |atom: &str| {
        !atom.is_empty()
            && atom.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte))
    };
    let fits = local.len() <= 64 && local.split('.').all(is_atom) && domain.len() <= 253 && is_host(domain);
    fits.then(|| AlternativeName::Email(text.to_owned()))
}

/// An absolute URI in ASCII whose authority, if it has one, names a host (RFC 3986
/// section 3, RFC 5280 section 4.2.1.6).
///
/// `localhost:8080`, `fe80::1` and `DNS:example.com` would be one by their letters and never
/// by their writer's intent.
fn uri(text: &str) -> Option<AlternativeName> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        && !["DNS", "IP", "EMAIL", "URI"].iter().any(|word| word.eq_ignore_ascii_case(scheme));
    let names_something = match rest.strip_prefix("//") {
        Some(after) => after.split(['/', '?', '#']).next().is_some_and(is_authority),
        None => !rest.is_empty() && !is_port(rest.split('/').next().unwrap_or_default()),
    };
    let is_uri = is_scheme && names_something && is_uri_text(rest) && ip(text).is_none();
    is_uri.then(|| AlternativeName::Uri(text.to_owned()))
}

/// Labels of letters, digits and inner hyphens (RFC 1123 section 2.1); the last is no
/// number, so that nothing like an IPv4 address passes for a host.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.split('.').all(is_label) && !text.rsplit('.').next().is_some_and(is_port)
}

fn is_authority(text: &str) -> bool {
    let host_and_port = text.rsplit_once('@').map_or(text, |(_, after)| after);
    if let Some((literal, after)) = host_and_port.strip_prefix('[').and_then(|text| text.split_once(']')) {
        let port = after.strip_prefix(':');
        return literal.parse::<Ipv6Addr>().is_ok() && port.map_or(after.is_empty(), is_port);
    }
    let (host, port) = host_and_port.split_once(':').map_or((host_and_port, None), |(host, port)| (host, Some(port)));
    let is_registered = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
    !host.is_empty() && is_registered && port.is_none_or(is_port)
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reserved and unreserved characters, and `%` with two hex digits (RFC 3986 section 2).
fn is_uri_text(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte);
    let is_escape = |after: &str| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    text.bytes().all(is_plain) && text.split('%').skip(1).all(is_escape)
}
