//! Members of requests: their presence, and sentences about their values.

use strongroom_domain::error::{Rule, Violation};

/// The accepted values in a row.
pub(super) fn one_of<T: ToString>(values: impl IntoIterator<Item = T>) -> String {
    values.into_iter().map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
}

/// A member's text, unless it is blank.
pub(super) fn non_empty(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).filter(|text| !text.trim().is_empty())
}

/// A sentence about a value that cannot be used.
pub(super) fn sentence(path: &str, why: &str) -> String {
    format!("{path} cannot be used: {}.", why.trim_end_matches('.'))
}

/// Adds that a member is required.
pub(super) fn required(path: &str, findings: &mut Vec<Violation>) {
    findings.push(Violation::at(path, Rule::Required, format!("{path} is required.")));
}
