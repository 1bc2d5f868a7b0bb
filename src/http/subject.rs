//! The subject of a certificate to be made: names of its fields on the wire, and what may not stand in them.

use strongroom_domain::error::{Rule, Violation};
use strongroom_formats::x509::{AlternativeName, NameFault, SubjectField};

/// About a century.
pub(crate) const MAX_VALID_DAYS: u32 = 36_500;
const MAX_ALTERNATIVE_NAMES: usize = 100;

/// The member of a request that a field of the subject is.
pub(crate) const fn path_of(field: SubjectField) -> &'static str {
    match field {
        SubjectField::CommonName => "commonName",
        SubjectField::Organization => "organization",
        SubjectField::OrganizationUnit => "organizationUnit",
        SubjectField::City => "city",
        SubjectField::State => "state",
        SubjectField::Country => "country",
    }
}

/// What is wrong with a field of the object at `prefix`: empty, or a path with its dot.
pub(crate) fn violation(prefix: &str, field: SubjectField, fault: NameFault) -> Violation {
    let path = format!("{prefix}{}", path_of(field));
    let (rule, message) = match (field, fault) {
        (SubjectField::Country, _) => {
            (Rule::InvalidValue, format!("{path} must be two letters, as in ISO 3166-1: US, for example."))
        }
        (_, NameFault::TooLong(bound)) => (Rule::TooLong, format!("{path} must be at most {bound} characters.")),
        (_, NameFault::Empty) => (Rule::Required, format!("{path} must not be empty.")),
        (_, NameFault::Invalid) => (Rule::InvalidValue, format!("{path} must be without control characters.")),
    };
    Violation::at(path, rule, message)
}

/// The member `subjectAlternativeNames` of the object at `prefix`.
pub(crate) fn alternative_names(prefix: &str, names: &[String], findings: &mut Vec<Violation>) -> Vec<AlternativeName> {
    let path = format!("{prefix}subjectAlternativeNames");
    if names.len() > MAX_ALTERNATIVE_NAMES {
        let message = format!("{path} must be at most {MAX_ALTERNATIVE_NAMES} names.");
        findings.push(Violation::at(path, Rule::TooLong, message));
        return Vec::new();
    }
    let mut parsed = Vec::with_capacity(names.len());
    for (index, text) in names.iter().enumerate() {
        match text.parse() {
            Ok(name) => parsed.push(name),
            Err(_) => findings.push(Violation::at(
                format!("{path}[{index}]"),
                Rule::InvalidValue,
                "A subject alternative name must be a DNS name, an IP address, an e-mail address or a URI.",
            )),
        }
    }
    parsed
}
