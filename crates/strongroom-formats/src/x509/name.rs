//! Distinguished names of certificates to be made: from fields to DER.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::{COMMON_NAME, COUNTRY_NAME, L, O, OU, ST};
use der::asn1::{Any, PrintableStringRef, Utf8StringRef};
use der::{Decode, Encode};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

use super::ParseError;
use super::parsed::ParsedCertificate;
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
    Ok(ParsedCertificate::of(certificate)?.subject.to_one_line())
}
