//! Names of the members for OAuth and `OpenID` Connect keys: two dozen differ in type, group and slot alone.

use strongroom_domain::error::OidcField;
use strongroom_domain::oidc::{OidcKeyGroup, OidcKeyPlace, OidcKeySlot, OidcKeyType};

/// The members of a group of keys.
pub(super) struct Names<'a> {
    /// What comes before every name in a path.
    pub prefix: &'a str,
    /// `Decryption` or nothing.
    pub group: &'a str,
}

impl Names<'static> {
    /// Names in the settings, of keys that sign.
    pub(super) const SIGNING: Self = Self { prefix: "", group: "" };
    /// Names in the settings, of keys that decrypt.
    pub(super) const DECRYPTION: Self = Self { prefix: "", group: "Decryption" };
    /// Names in an additional key set.
    pub(super) const ADDITIONAL_SET: Self = Self { prefix: "signingKeys.", group: "" };
}

/// The path of an input.
pub(super) fn path(field: OidcField) -> String {
    let names = |OidcKeyPlace { group, key_type, slot }| {
        let names = match group {
            OidcKeyGroup::Signing => Names::SIGNING,
            OidcKeyGroup::Decryption => Names::DECRYPTION,
            OidcKeyGroup::AdditionalSet => Names::ADDITIONAL_SET,
        };
        let slot = match slot {
            OidcKeySlot::Active => "Active",
            OidcKeySlot::Previous => "Previous",
        };
        (names, key_type, slot)
    };
    let member = |place, member: &str| {
        let (names, key_type, slot) = names(place);
        format!("{}{}", names.prefix, names.name(key_type, slot, member))
    };
    let item = |place, n: usize, member: &str| {
        let (names, _, slot) = names(place);
        format!("{}{}[{n}].{member}", names.prefix, list(slot))
    };
    match field {
        OidcField::KeySetId => "id".to_owned(),
        OidcField::Issuer(n) => format!("issuers[{n}].id"),
        OidcField::Key(place) => member(place, "CertRef.id"),
        OidcField::Kid(place) => member(place, "KeyId"),
        OidcField::Algorithm(place, n) => item(place, n, "rsaAlgType"),
        OidcField::AlgorithmKid(place, n) => item(place, n, "keyId"),
    }
}

/// The beginning of the names of a type's members.
const fn type_name(key_type: OidcKeyType) -> &'static str {
    match key_type {
        OidcKeyType::P256 => "p256",
        OidcKeyType::P384 => "p384",
        OidcKeyType::P521 => "p521",
        OidcKeyType::Rsa => "rsa",
    }
}

impl Names<'_> {
    /// A member of a type of key.
    pub(super) fn name(&self, key_type: OidcKeyType, turn: &str, member: &str) -> String {
        format!("{}{}{turn}{member}", type_name(key_type), self.group)
    }
}

/// The member with the further key ids of an RSA key.
pub(super) fn list(turn: &str) -> String {
    format!("rsaAlgorithm{turn}KeyIds")
}
