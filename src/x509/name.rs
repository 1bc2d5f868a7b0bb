//! Distinguished names: from fields to DER and to the string that users see.

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
        Vec::new()
    }
}
