//! What may stand in a group of OAuth and `OpenID` Connect keys. Pure.

use std::collections::{HashMap, HashSet};

use super::oidc::{OidcGroup, OidcKey, OidcKeyType, OidcKeys};
use strongroom_domain::error::{Rule, Violation};
use strongroom_domain::key::{KeyAlgorithm, KeyFamily, KeyPair, KeyUse};
use strongroom_formats::jose;

/// What the keys of a group are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OidcUse {
    Signing,
    Decryption,
}

/// Active or previous key of a type.
#[derive(Clone, Copy)]
enum KeySlot {
    Active,
    Previous,
}

impl OidcKeyType {
    /// Every type, in the order of the settings.
    pub const ALL: [Self; 4] = [Self::P256, Self::P384, Self::P521, Self::Rsa];

    /// How the names of its fields begin.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::P521 => "p521",
            Self::Rsa => "rsa",
        }
    }

    /// The curve; none for RSA.
    const fn curve(self) -> Option<&'static str> {
        match self {
            Self::P256 => Some("P-256"),
            Self::P384 => Some("P-384"),
            Self::P521 => Some("P-521"),
            Self::Rsa => None,
        }
    }

    fn fits(self, algorithm: KeyAlgorithm) -> bool {
        match self.curve() {
            Some(name) => algorithm.curve().is_some_and(|curve| curve.name == name),
            None => algorithm.family() == KeyFamily::Rsa,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::P256 => "an EC 256",
            Self::P384 => "an EC 384",
            Self::P521 => "an EC 521",
            Self::Rsa => "an RSA",
        }
    }
}

/// Everything that is wrong with groups whose fields begin with `prefix`, given the key pairs that are there.
pub(super) fn group_violations(
    groups: &[(&OidcGroup, OidcUse)],
    prefix: &str,
    there: &HashMap<String, KeyPair>,
) -> Vec<Violation> {
    let mut findings = Vec::new();
    let mut kids = HashSet::new();
    for (group, purpose) in groups {
        for (key_type, keys) in *group {
            let place = Field { prefix, key_type: *key_type, purpose: *purpose };
            place.keys(keys, there, &mut findings);
            place.algorithms(keys, there, &mut findings);
            place.kids(keys, &mut kids, &mut findings);
        }
    }
    findings
}

/// Where the keys of one type stand.
struct Field<'a> {
    prefix: &'a str,
    key_type: OidcKeyType,
    purpose: OidcUse,
}

impl Field<'_> {
    fn path(&self, turn: KeySlot, member: &str) -> String {
        let (word, group) = (self.key_type.name(), if self.purpose == OidcUse::Decryption { "Decryption" } else { "" });
        let turn = match turn {
            KeySlot::Active => "Active",
            KeySlot::Previous => "Previous",
        };
        format!("{}{word}{group}{turn}{member}", self.prefix)
    }

    fn keys(&self, keys: &OidcKeys, there: &HashMap<String, KeyPair>, findings: &mut Vec<Violation>) {
        for (turn, key) in turns(keys) {
            let path = self.path(turn, "CertRef.id");
            if let Some(message) = self.fault(&key.name, there.get(&key.name)) {
                findings.push(Violation::at(path, Rule::InvalidValue, message));
            }
        }
        if keys.previous.as_ref().is_some_and(|previous| previous.name == keys.active.name) {
            let message = "The previous key pair must be another than the active one.";
            findings.push(Violation::at(self.path(KeySlot::Previous, "CertRef.id"), Rule::InvalidValue, message));
        }
    }

    fn fault(&self, name: &str, pair: Option<&KeyPair>) -> Option<String> {
        let Some(pair) = pair else { return Some(format!("The ID '{name}' names no signing key pair.")) };
        let (wanted, title) = match self.purpose {
            OidcUse::Signing => (KeyUse::Sign, "signs"),
            OidcUse::Decryption => (KeyUse::Decrypt, "decrypts"),
        };
        if pair.key_use != wanted {
            return Some(format!("The ID '{name}' must name a key pair that {title}."));
        }
        let fits = self.key_type.fits(pair.algorithm);
        (!fits).then(|| format!("The ID '{name}' must name {} key pair.", self.key_type.title()))
    }

    /// Algorithms with a kid of their own that the key pair does not sign with, or that are named twice.
    fn algorithms(&self, keys: &OidcKeys, there: &HashMap<String, KeyPair>, findings: &mut Vec<Violation>) {
        for (turn, key) in turns(keys) {
            let Some(pair) = there.get(&key.name) else { continue };
            for (n, (name, _)) in key.algorithm_kids.iter().enumerate() {
                let path = format!("{}[{n}].rsaAlgType", self.list(turn));
                if key.algorithm_kids.iter().take(n).any(|(before, _)| before == name) {
                    findings.push(Violation::at(path, Rule::NotUnique, format!("{name} is named twice.")));
                } else if jose::algorithm_of(pair.algorithm, name)
                    .is_none_or(|wanted| !pair.permitted.contains(&wanted))
                {
                    let message = format!("The key pair with ID '{}' does not sign with {name}.", key.name);
                    findings.push(Violation::at(path, Rule::InvalidValue, message));
                }
            }
        }
    }

    /// Names that are given twice, so that nobody could tell which key is meant.
    fn kids<'k>(&self, keys: &'k OidcKeys, taken: &mut HashSet<&'k str>, findings: &mut Vec<Violation>) {
        for (turn, key) in turns(keys) {
            let own = key.kid.iter().map(|kid| (self.path(turn, "KeyId"), kid));
            let by_algorithm = key.algorithm_kids.iter().enumerate();
            let by_algorithm = by_algorithm.map(|(n, (_, kid))| (format!("{}[{n}].keyId", self.list(turn)), kid));
            for (path, kid) in own.chain(by_algorithm) {
                if !taken.insert(kid.as_str()) {
                    findings.push(Violation::at(path, Rule::NotUnique, format!("The key ID '{kid}' is given twice.")));
                }
            }
        }
    }

    fn list(&self, turn: KeySlot) -> String {
        let list = match turn {
            KeySlot::Active => "rsaAlgorithmActiveKeyIds",
            KeySlot::Previous => "rsaAlgorithmPreviousKeyIds",
        };
        format!("{}{list}", self.prefix)
    }
}

fn turns(keys: &OidcKeys) -> impl Iterator<Item = (KeySlot, &OidcKey)> {
    [(KeySlot::Active, Some(&keys.active)), (KeySlot::Previous, keys.previous.as_ref())]
        .into_iter()
        .filter_map(|(turn, key)| Some((turn, key?)))
}
