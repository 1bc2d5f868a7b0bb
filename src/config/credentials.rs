//! Section `[[credentials]]`: names, hashes of secrets, scopes.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::auth::{Credential, Scope, SecretHash};

#[derive(Deserialize)]
pub(super) struct Section {
    name: String,
    hash: String,
    scopes: Vec<String>,
}

pub(super) fn validate(sections: Vec<Section>, findings: &mut Vec<String>) -> Vec<Credential> {
    if sections.is_empty() {
        findings.push("credentials: there are none, so nobody could use the daemon".to_owned());
    }
    let mut names = BTreeSet::new();
    for section in &sections {
        if section.name.is_empty() || section.name.contains(':') || section.name.chars().any(char::is_control) {
            findings.push(format!("credentials: `{}` is no name (it is not empty and has no colon)", section.name));
        }
        if !names.insert(section.name.clone()) {
            findings.push(format!("credentials: the name `{}` is given twice", section.name));
        }
    }
    sections.into_iter().filter_map(|section| section.validate(findings)).collect()
}

impl Section {
    fn validate(self, findings: &mut Vec<String>) -> Option<Credential> {
        let place = format!("credentials `{}`", self.name);
        let mut scopes = Vec::new();
        for word in &self.scopes {
            if let Some(scope) = Scope::from_name(word) {
                scopes.push(scope);
            } else {
                let known = Scope::ALL.map(Scope::name).join(", ");
                findings.push(format!("{place}: scope `{word}` is unknown; known are {known}"));
            }
        }
        match SecretHash::parse(&self.hash) {
            Ok(hash) => Some(Credential { name: self.name, hash, scopes }),
            Err(failure) => {
                findings.push(format!("{place}: {failure}"));
                None
            }
        }
    }
}
