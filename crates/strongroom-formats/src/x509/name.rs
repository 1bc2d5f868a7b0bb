//! Distinguished names: from fields to DER and to the string that users see.

use std::fmt::Write as _;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc3280::EMAIL_ADDRESS;
use const_oid::db::rfc4519::{COMMON_NAME, COUNTRY_NAME, L, O, OU, ST};
use der::asn1::{Any, BmpString, PrintableStringRef, Utf8StringRef};
use der::{Decode, Encode, Tag, Tagged};
use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

use super::ParseError;
use strongroom_domain::key::CertificateDer;

/// An attribute of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectField {
    CommonName,
    Organization,
    OrganizationUnit,
    City,
    State,
    Country,
}

/// What is wrong with an attribute's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// Empty, or nothing but blanks.
    Empty,
    /// Longer than the X.520 upper bound, in characters.
    TooLong(usize),
    /// Not two ASCII letters (country), or with control characters.
    Invalid,
}

/// The subject of a certificate to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    pub common_name: String,
    pub organization: Option<String>,
    pub organization_unit: Option<String>,
    pub city: Option<String>,
    pub state: Option<String>,
    pub country: Option<String>,
}

impl Subject {
    /// Every attribute that cannot be, by the upper bounds of X.520.
    #[must_use]
    pub fn faults(&self) -> Vec<(SubjectField, NameFault)> {
        self.faults_within(SubjectField::CommonName.upper_bound())
    }

    /// The same with another upper bound of the common name, in characters.
    pub(super) fn faults_within(&self, common_name: usize) -> Vec<(SubjectField, NameFault)> {
        let bound =
            |field| if field == SubjectField::CommonName { common_name } else { SubjectField::upper_bound(field) };
        self.attributes().filter_map(|(field, value)| Some((field, field.fault(value, bound(field))?))).collect()
    }

    /// The encoded name: C, ST, L, O, OU, CN, each in a set of its own.
    pub(super) fn to_name(&self) -> der::Result<Name> {
        let mut sequence = RdnSequence::default();
        for (field, value) in self.attributes() {
            let attribute = AttributeTypeAndValue { oid: field.oid(), value: field.encode(value)? };
            sequence.push(RelativeDistinguishedName::try_from(vec![attribute])?);
        }
        Name::from_der(&sequence.to_der()?)
    }

    /// The attributes that are there, in the encoded order.
    fn attributes(&self) -> impl Iterator<Item = (SubjectField, &str)> {
        [
            (SubjectField::Country, self.country.as_deref()),
            (SubjectField::State, self.state.as_deref()),
            (SubjectField::City, self.city.as_deref()),
            (SubjectField::Organization, self.organization.as_deref()),
            (SubjectField::OrganizationUnit, self.organization_unit.as_deref()),
            (SubjectField::CommonName, Some(self.common_name.as_str())),
        ]
        .into_iter()
        .filter_map(|(field, value)| Some((field, value?)))
    }
}

impl SubjectField {
    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::CommonName => COMMON_NAME,
            Self::Organization => O,
            Self::OrganizationUnit => OU,
            Self::City => L,
            Self::State => ST,
            Self::Country => COUNTRY_NAME,
        }
    }

    /// The upper bound in characters (X.520 annex C, RFC 5280 appendix A.1).
    pub(super) const fn upper_bound(self) -> usize {
        match self {
            Self::CommonName | Self::Organization | Self::OrganizationUnit => 64,
            Self::City | Self::State => 128,
            Self::Country => 2,
        }
    }

    fn fault(self, value: &str, upper_bound: usize) -> Option<NameFault> {
        if value.trim().is_empty() {
            return Some(NameFault::Empty);
        }
        if self == Self::Country {
            let fits = value.len() == 2 && value.bytes().all(|byte| byte.is_ascii_alphabetic());
            return (!fits).then_some(NameFault::Invalid);
        }
        if value.chars().any(char::is_control) {
            return Some(NameFault::Invalid);
        }
        (value.chars().count() > upper_bound).then_some(NameFault::TooLong(upper_bound))
    }

    /// `UTF8String`, which RFC 5280 section 4.1.2.4 prefers; a country has but `PrintableString`.
    fn encode(self, value: &str) -> der::Result<Any> {
        match self {
            Self::Country => Any::encode_from(&PrintableStringRef::new(value)?),
            _ => Any::encode_from(&Utf8StringRef::new(value)?),
        }
    }
}

/// The subject of a certificate in openssl's form of one line, in the encoded order:
/// `/C=US/CN=Example`, values unescaped.
///
/// # Errors
/// When the certificate cannot be read.
pub fn one_line_subject(certificate: &CertificateDer) -> Result<String, ParseError> {
    let parsed = Certificate::from_der(certificate.as_bytes()).map_err(|why| ParseError(why.to_string()))?;
    let value = |part: &AttributeTypeAndValue| {
        let word = keyword(part.oid).map_or_else(|| part.oid.to_string(), str::to_owned);
        format!("/{word}={}", text(&part.value).unwrap_or_else(|| hex(&part.value)))
    };
    Ok(parsed.tbs_certificate().subject().iter_rdn().flat_map(|rdn| rdn.iter().map(value)).collect())
}

/// The string of a name: the reverse of the encoded order, comma and blank between, values
/// escaped by RFC 2253 section 2.4.
///
/// Attributes without a name here are written as dotted OID and `#` with the hex of their
/// DER, and so are values that are no text.
pub(super) fn distinguished_name(name: &Name) -> String {
    let mut parts: Vec<String> =
        name.iter_rdn().map(|rdn| rdn.iter().map(attribute).collect::<Vec<_>>().join("+")).collect();
    parts.reverse();
    parts.join(", ")
}

fn attribute(attribute: &AttributeTypeAndValue) -> String {
    match keyword(attribute.oid) {
        Some(word) => {
            let value = text(&attribute.value).map_or_else(|| hex(&attribute.value), |text| escape(&text));
            format!("{word}={value}")
        }
        None => format!("{}={}", attribute.oid, hex(&attribute.value)),
    }
}

fn keyword(oid: ObjectIdentifier) -> Option<&'static str> {
    match oid {
        COMMON_NAME => Some("CN"),
        OU => Some("OU"),
        O => Some("O"),
        L => Some("L"),
        ST => Some("ST"),
        COUNTRY_NAME => Some("C"),
        EMAIL_ADDRESS => Some("EMAILADDRESS"),
        _ => None,
    }
}

/// What is text of the types that occur; those of one byte per character only in ASCII,
/// since beyond it their writers did not agree.
fn text(value: &Any) -> Option<String> {
    let utf8 = || String::from_utf8(value.value().to_vec()).ok();
    match value.tag() {
        Tag::Utf8String => utf8(),
        Tag::PrintableString | Tag::Ia5String | Tag::TeletexString => utf8().filter(|text| text.is_ascii()),
        Tag::BmpString => value.decode_as::<BmpString>().ok().map(|text| text.chars().collect()),
        _ => None,
    }
}

fn hex(value: &Any) -> String {
    let mut text = String::from("#");
    for byte in value.to_der().unwrap_or_default() {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn escape(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(value.len());
    for (index, char) in value.chars().enumerate() {
        let special = match char {
            ',' | '+' | '"' | '\\' | '<' | '>' | ';' => true,
            ' ' => index == 0 || index == last,
            '#' => index == 0,
            _ => false,
        };
        if char.is_control() {
            for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(escaped, "\\{byte:02X}");
            }
            continue;
        }
        if special {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}
