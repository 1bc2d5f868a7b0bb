//! How OAuth and `OpenID` Connect keys are written.
//!
//! Two dozen members differ in the type of key, the group and the turn alone. They are
//! declared once, for types and for the document; what they say is read and written by
//! the rule of their names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::members::{non_empty, required};
use super::oidc_names::{Names, list};
use super::wire::ResourceLink;
use crate::services::settings::{OidcGroup, OidcKey, OidcKeys};
use strongroom_domain::error::{Rule, Violation};
use strongroom_domain::key::Kid;
use strongroom_domain::oidc::OidcKeyType;

const PAIRS: &str = "/pf-admin-api/v1/keyPairs/signing";

/// A wire type of which every member may be absent.
macro_rules! optional {
    ($(#[$about:meta])* struct $name:ident { $($(#[$note:meta])* $member:ident: $kind:ty,)* }) => {
        $(#[$about])*
        #[derive(Debug, Deserialize, Serialize, ToSchema)]
        #[serde(rename_all = "camelCase", deny_unknown_fields)]
        pub(super) struct $name {
            $(
                $(#[$note])*
                #[serde(skip_serializing_if = "Option::is_none")]
                #[schema(nullable = false)]
                pub(super) $member: Option<$kind>,
            )*
        }
    };
}

optional! {
    /// Signing key pairs by type of key: the one that signs, the one that did before, whether their certificates are
    /// published, and what they are called in JWKS besides their own kid.
    struct SigningKeys {
        p256_active_cert_ref: ResourceLink,
        p256_previous_cert_ref: ResourceLink,
        p256_publish_x5c_parameter: bool,
        p256_active_key_id: String,
        p256_previous_key_id: String,
        p384_active_cert_ref: ResourceLink,
        p384_previous_cert_ref: ResourceLink,
        p384_publish_x5c_parameter: bool,
        p384_active_key_id: String,
        p384_previous_key_id: String,
        p521_active_cert_ref: ResourceLink,
        p521_previous_cert_ref: ResourceLink,
        p521_publish_x5c_parameter: bool,
        p521_active_key_id: String,
        p521_previous_key_id: String,
        rsa_active_cert_ref: ResourceLink,
        rsa_previous_cert_ref: ResourceLink,
        rsa_publish_x5c_parameter: bool,
        rsa_active_key_id: String,
        rsa_previous_key_id: String,
        rsa_algorithm_active_key_ids: Vec<RsaKeyId>,
        rsa_algorithm_previous_key_ids: Vec<RsaKeyId>,
    }
}

optional! {
    /// Which key pairs sign the tokens of OAuth and `OpenID` Connect, and which decrypt what is sent there.
    struct OAuthOidcKeysSettings {
        /// Whether the key pairs named here are used; none may be named otherwise.
        #[schema(required = true)]
        static_jwks_enabled: bool,
        p256_active_cert_ref: ResourceLink,
        p256_previous_cert_ref: ResourceLink,
        p256_publish_x5c_parameter: bool,
        p256_active_key_id: String,
        p256_previous_key_id: String,
        p256_decryption_active_cert_ref: ResourceLink,
        p256_decryption_previous_cert_ref: ResourceLink,
        p256_decryption_publish_x5c_parameter: bool,
        p256_decryption_active_key_id: String,
        p256_decryption_previous_key_id: String,
        p384_active_cert_ref: ResourceLink,
        p384_previous_cert_ref: ResourceLink,
        p384_publish_x5c_parameter: bool,
        p384_active_key_id: String,
        p384_previous_key_id: String,
        p384_decryption_active_cert_ref: ResourceLink,
        p384_decryption_previous_cert_ref: ResourceLink,
        p384_decryption_publish_x5c_parameter: bool,
        p384_decryption_active_key_id: String,
        p384_decryption_previous_key_id: String,
        p521_active_cert_ref: ResourceLink,
        p521_previous_cert_ref: ResourceLink,
        p521_publish_x5c_parameter: bool,
        p521_active_key_id: String,
        p521_previous_key_id: String,
        p521_decryption_active_cert_ref: ResourceLink,
        p521_decryption_previous_cert_ref: ResourceLink,
        p521_decryption_publish_x5c_parameter: bool,
        p521_decryption_active_key_id: String,
        p521_decryption_previous_key_id: String,
        rsa_active_cert_ref: ResourceLink,
        rsa_previous_cert_ref: ResourceLink,
        rsa_publish_x5c_parameter: bool,
        rsa_active_key_id: String,
        rsa_previous_key_id: String,
        rsa_algorithm_active_key_ids: Vec<RsaKeyId>,
        rsa_algorithm_previous_key_ids: Vec<RsaKeyId>,
        rsa_decryption_active_cert_ref: ResourceLink,
        rsa_decryption_previous_cert_ref: ResourceLink,
        rsa_decryption_publish_x5c_parameter: bool,
        rsa_decryption_active_key_id: String,
        rsa_decryption_previous_key_id: String,
        /// Kept as it came: there are no dynamic keys.
        publish_dynamic_key_x5cs: bool,
        /// Kept as it came: there are no dynamic keys.
        dynamic_key_certificate_information: DynamicKeyCertificateInformation,
    }
}

optional! {
    /// What the certificates of dynamic keys would say.
    struct DynamicKeyCertificateInformation {
        city: String,
        country: String,
        organization: String,
        organization_unit: String,
        state: String,
    }
}

/// What an RSA key is called where it is for one algorithm.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RsaKeyId {
    rsa_alg_type: RsaAlgType,
    #[schema(example = "orders-ps256")]
    key_id: String,
}

/// The JOSE names of RSA signatures.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
enum RsaAlgType {
    RS256,
    RS384,
    RS512,
    PS256,
    PS384,
    PS512,
}

impl Names<'_> {
    /// The group as its members say it; what cannot be is added to the findings.
    pub(super) fn read(&self, members: &Map<String, Value>, findings: &mut Vec<Violation>) -> OidcGroup {
        let read = |key_type: OidcKeyType| Some((key_type, self.keys(key_type, members, findings)?));
        OidcKeyType::ALL.into_iter().filter_map(read).collect()
    }

    /// The members that say what the group is.
    pub(super) fn write(&self, group: &OidcGroup, members: &mut Map<String, Value>) {
        for (key_type, keys) in group {
            let turns = [("Active", Some(&keys.active)), ("Previous", keys.previous.as_ref())];
            for (turn, key) in turns.into_iter().filter_map(|(turn, key)| Some((turn, key?))) {
                let link = json!({"id": key.name, "location": format!("{PAIRS}/{}", key.name)});
                members.insert(self.name(*key_type, turn, "CertRef"), link);
                if let Some(kid) = &key.kid {
                    members.insert(self.name(*key_type, turn, "KeyId"), json!(kid));
                }
                let ids: Vec<Value> = key.algorithm_kids.iter().map(rsa_key_id).collect();
                if !ids.is_empty() {
                    members.insert(list(turn), ids.into());
                }
            }
            members.insert(self.name(*key_type, "", "PublishX5cParameter"), keys.publish_x5c.into());
        }
    }

    fn keys(
        &self,
        key_type: OidcKeyType,
        members: &Map<String, Value>,
        findings: &mut Vec<Violation>,
    ) -> Option<OidcKeys> {
        let active = self.key(key_type, "Active", members, findings);
        let previous = self.key(key_type, "Previous", members, findings);
        let flag = self.name(key_type, "", "PublishX5cParameter");
        let publish_x5c = members.get(&flag).and_then(Value::as_bool).unwrap_or(false);
        if let Some(active) = active {
            return Some(OidcKeys { active, previous, publish_x5c });
        }
        let needed = self.name(key_type, "Active", "CertRef");
        let idle = [(previous.is_some(), self.name(key_type, "Previous", "CertRef")), (publish_x5c, flag)];
        for (_, name) in idle.iter().filter(|(is_given, _)| *is_given && !members.contains_key(&needed)) {
            self.needs(name, &needed, findings);
        }
        None
    }

    /// One key pair, and its names, which need it.
    fn key(
        &self,
        key_type: OidcKeyType,
        turn: &str,
        members: &Map<String, Value>,
        findings: &mut Vec<Violation>,
    ) -> Option<OidcKey> {
        let (link, kid_name) = (self.name(key_type, turn, "CertRef"), self.name(key_type, turn, "KeyId"));
        let kid = members.get(&kid_name).and_then(text);
        let algorithm_kids = self.algorithm_kids(key_type, turn, members);
        let own = kid.iter().map(|kid| (kid_name.clone(), kid));
        let by_algorithm = algorithm_kids.iter().enumerate();
        let by_algorithm = by_algorithm.map(|(n, (_, kid))| (format!("{}[{n}].keyId", list(turn)), kid));
        for (path, kid) in own.chain(by_algorithm) {
            if let Err(fault) = Kid::parse(kid) {
                let message = format!("{path} is {fault}.");
                findings.push(Violation::at(format!("{}{path}", self.prefix), Rule::InvalidValue, message));
            }
        }
        if let Some(given_link) = members.get(&link) {
            let id = given_link.get("id").and_then(text);
            if non_empty(id.as_ref()).is_none() {
                required(&format!("{}{link}.id", self.prefix), findings);
            }
            return Some(OidcKey { name: id?, kid, algorithm_kids });
        }
        for (is_given, name) in [(kid.is_some(), kid_name), (!algorithm_kids.is_empty(), list(turn))] {
            if is_given {
                self.needs(&name, &link, findings);
            }
        }
        None
    }

    /// What an RSA key that signs is called where it is for one algorithm.
    fn algorithm_kids(&self, key_type: OidcKeyType, turn: &str, members: &Map<String, Value>) -> Vec<(String, String)> {
        if key_type != OidcKeyType::Rsa || !self.group.is_empty() {
            return Vec::new();
        }
        let one = |id: &Value| Some((id.get("rsaAlgType").and_then(text)?, id.get("keyId").and_then(text)?));
        members.get(&list(turn)).and_then(Value::as_array).into_iter().flatten().filter_map(one).collect()
    }

    fn needs(&self, name: &str, other: &str, findings: &mut Vec<Violation>) {
        let message = format!("{name} is accepted only with {other}.");
        findings.push(Violation::at(format!("{}{name}", self.prefix), Rule::InvalidValue, message));
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn rsa_key_id((algorithm, kid): &(String, String)) -> Value {
    json!({"rsaAlgType": algorithm, "keyId": kid})
}

/// The members that are there, of a wire type that was read.
pub(super) fn members(wire: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(wire) {
        Ok(Value::Object(members)) => members,
        _ => Map::new(),
    }
}

/// Texts by name, without those that are absent.
pub(super) fn texts(wire: &impl Serialize) -> BTreeMap<String, String> {
    let text = |(name, value): (String, Value)| Some((name, value.as_str()?.to_owned()));
    members(wire).into_iter().filter_map(text).collect()
}
