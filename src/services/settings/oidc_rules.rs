//! Rules for the groups of OAuth and `OpenID` Connect keys, without I/O.

use std::collections::{HashMap, HashSet};

use super::oidc::{OidcGroup, OidcKey, OidcKeys};
use strongroom_domain::error::{Field, FieldViolation, OidcField, SettingFault};
use strongroom_domain::key::{KeyPair, KeyUse, RingKind};
use strongroom_domain::oidc::{OidcKeyGroup, OidcKeyPlace, OidcKeySlot};
use strongroom_formats::jose;

/// All violations in groups of keys, given the key pairs that are there.
pub(super) fn group_violations(
    groups: &[(&OidcGroup, OidcKeyGroup)],
    there: &HashMap<String, KeyPair>,
) -> Vec<FieldViolation> {
    let mut findings = Findings::default();
    let mut kids = HashSet::new();
    for (keys, group) in groups {
        for (key_type, keys) in *keys {
            let slots = |slot| OidcKeyPlace { group: *group, key_type: *key_type, slot };
            let named: Vec<(OidcKeyPlace, &OidcKey)> = [
                (slots(OidcKeySlot::Active), Some(&keys.active)),
                (slots(OidcKeySlot::Previous), keys.previous.as_ref()),
            ]
            .into_iter()
            .filter_map(|(place, key)| Some((place, key?)))
            .collect();
            findings.rings(&named, keys, there);
            findings.algorithms(&named, there);
            findings.kids(&named, &mut kids);
        }
    }
    findings.0
}

/// The violations found so far.
#[derive(Default)]
struct Findings(Vec<FieldViolation>);

impl Findings {
    fn push(&mut self, field: OidcField, fault: SettingFault) {
        self.0.push(FieldViolation { field: Field::Oidc(field), reason: fault.into() });
    }

    fn rings(&mut self, named: &[(OidcKeyPlace, &OidcKey)], keys: &OidcKeys, there: &HashMap<String, KeyPair>) {
        for (place, key) in named {
            if let Some(fault) = ring_fault(*place, &key.name, there.get(&key.name)) {
                self.push(OidcField::Key(*place), fault);
            }
        }
        let previous = named.iter().find(|(place, _)| place.slot == OidcKeySlot::Previous);
        if let Some((place, _)) = previous.filter(|(_, key)| key.name == keys.active.name) {
            self.push(OidcField::Key(*place), SettingFault::PreviousIsActive);
        }
    }

    /// Algorithms with a kid of their own that the key pair does not sign with, or that are named twice.
    fn algorithms(&mut self, named: &[(OidcKeyPlace, &OidcKey)], there: &HashMap<String, KeyPair>) {
        for (place, key) in named {
            let Some(pair) = there.get(&key.name) else { continue };
            let permitted = |name: &str| {
                jose::algorithm_of(pair.algorithm, name).is_some_and(|meant| pair.permitted.contains(&meant))
            };
            for (n, (name, _)) in key.algorithm_kids.iter().enumerate() {
                if key.algorithm_kids.iter().take(n).any(|(before, _)| before == name) {
                    self.push(OidcField::Algorithm(*place, n), SettingFault::AlgorithmTwice(name.clone()));
                } else if !permitted(name) {
                    let fault = SettingFault::NotPermitted(key.name.clone(), name.clone());
                    self.push(OidcField::Algorithm(*place, n), fault);
                }
            }
        }
    }

    /// Key ids that are given twice, which name no single key.
    fn kids<'k>(&mut self, named: &[(OidcKeyPlace, &'k OidcKey)], taken: &mut HashSet<&'k str>) {
        for (place, key) in named {
            let own = key.kid.iter().map(|kid| (OidcField::Kid(*place), kid));
            let by_algorithm = key.algorithm_kids.iter().enumerate();
            let by_algorithm = by_algorithm.map(|(n, (_, kid))| (OidcField::AlgorithmKid(*place, n), kid));
            for (field, kid) in own.chain(by_algorithm) {
                if !taken.insert(kid.as_str()) {
                    self.push(field, SettingFault::KidTwice(kid.clone()));
                }
            }
        }
    }
}

fn ring_fault(place: OidcKeyPlace, name: &str, pair: Option<&KeyPair>) -> Option<SettingFault> {
    let Some(pair) = pair else { return Some(SettingFault::NoSuchRing(RingKind::Signing, name.to_owned())) };
    let wanted = match place.group {
        OidcKeyGroup::Signing | OidcKeyGroup::AdditionalSet => KeyUse::Sign,
        OidcKeyGroup::Decryption => KeyUse::Decrypt,
    };
    if pair.key_use != wanted {
        return Some(SettingFault::WrongUse(name.to_owned(), wanted));
    }
    let fits = place.key_type.fits(pair.algorithm);
    (!fits).then(|| SettingFault::WrongType(name.to_owned(), place.key_type))
}
