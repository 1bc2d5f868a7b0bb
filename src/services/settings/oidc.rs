//! Which key pairs sign the tokens of OAuth and `OpenID` Connect, and which decrypt what is sent there.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::oidc_rules::group_violations;
use super::{Catalog, DocumentChange, DocumentReferences, allow_change, not_found, read};
use crate::auth::{Caller, Task, policy};
use crate::store::{DocumentKind, PutOutcome};
use strongroom_domain::error::{Error, Field, FieldViolation, OidcField, Reason, SettingFault};
use strongroom_domain::key::{KeyPair, RingId, RingKind};
use strongroom_domain::oidc::{OidcKeyGroup, OidcKeyType};

const SETTINGS: DocumentKind = DocumentKind::OidcSettings;
/// There is but one.
const SETTINGS_ID: &str = "default";
const SET: DocumentKind = DocumentKind::AdditionalKeySet;

/// Key pairs by type of key.
pub type OidcGroup = BTreeMap<OidcKeyType, OidcKeys>;

/// The key pairs of one type: names of `signing:` rings without the kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OidcKeys {
    pub active: OidcKey,
    pub previous: Option<OidcKey>,
    /// Whether their certificates are published with them.
    pub publish_x5c: bool,
}

/// One key pair, and what it is called besides its own kid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OidcKey {
    /// The part of the ring's id after the colon.
    pub name: String,
    pub kid: Option<String>,
    /// A kid for each algorithm of RSA, by JOSE name.
    #[serde(default)]
    pub algorithm_kids: Vec<(String, String)>,
}

/// The settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OidcSettings {
    /// Whether the key pairs named here are used at all.
    pub is_static: bool,
    pub signing: OidcGroup,
    pub decryption: OidcGroup,
    /// Kept as it came; there are no keys that it could be about.
    pub publish_dynamic_x5cs: Option<bool>,
    /// Kept as it came: `city`, `country` and the like.
    pub dynamic_key_certificate: Option<BTreeMap<String, String>>,
}

/// Key pairs that sign the tokens of some issuers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AdditionalKeySet {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub signing: OidcGroup,
    /// Ids; an issuer is in one set at most.
    pub issuers: Vec<String>,
}

impl OidcKeys {
    /// The active key pair, then the previous one.
    pub fn keys(&self) -> impl Iterator<Item = &OidcKey> {
        [Some(&self.active), self.previous.as_ref()].into_iter().flatten()
    }
}

impl OidcKey {
    /// Its ring, unless no ring can be called so.
    #[must_use]
    pub fn ring(&self) -> Option<RingId> {
        RingId::new(RingKind::Signing, &self.name).ok()
    }
}

/// The rings that a group names.
fn rings(group: &OidcGroup) -> impl Iterator<Item = RingId> {
    group.values().flat_map(OidcKeys::keys).filter_map(OidcKey::ring)
}

impl Catalog {
    /// The settings; without keys until they were kept once.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn oidc_settings(&self, who: &Caller) -> Result<OidcSettings, Error> {
        policy::allow(who, policy::Action::ReadSettings, policy::Resource::Daemon)?;
        self.store.document(SETTINGS, SETTINGS_ID).await?.as_ref().map_or_else(|| Ok(OidcSettings::default()), read)
    }

    /// Keeps the settings.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` at the position of a key pair that is not there, is of another type or
    /// use, or follows itself, and at a kid that is given twice.
    pub async fn put_oidc_settings(&self, who: &Caller, settings: OidcSettings) -> Result<(), Error> {
        allow_change(who, rings(&settings.signing).chain(rings(&settings.decryption)))?;
        let groups = [(&settings.signing, OidcKeyGroup::Signing), (&settings.decryption, OidcKeyGroup::Decryption)];
        let change = DocumentChange { who, kind: SETTINGS, id: SETTINGS_ID };
        self.put_keys(change, &settings, &groups, false, Vec::new()).await
    }

    /// Every additional key set, by id.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn additional_key_sets(&self, who: &Caller) -> Result<Vec<AdditionalKeySet>, Error> {
        policy::allow(who, policy::Action::ReadSettings, policy::Resource::Daemon)?;
        self.store.documents(SET).await?.iter().map(read).collect()
    }

    /// One additional key set.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn additional_key_set(&self, who: &Caller, id: &str) -> Result<AdditionalKeySet, Error> {
        policy::allow(who, policy::Action::ReadSettings, policy::Resource::Daemon)?;
        let document = self.store.document(SET, id).await?;
        read(&document.ok_or_else(|| not_found(SET, id))?)
    }

    /// Keeps an additional key set; with `new`, one more, else instead of that of its id.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound` when it is not new and not there; `Invalid` as for the settings, and at an id or
    /// an issuer that is taken.
    pub async fn put_additional_key_set(&self, who: &Caller, set: AdditionalKeySet, new: bool) -> Result<(), Error> {
        allow_change(who, rings(&set.signing))?;
        // Whose issuers are whose is a rule over all sets.
        let _turn = self.key_sets.lock().await;
        let all = self.additional_key_sets(&Caller::daemon(Task::Publication)).await?;
        if !new && !all.iter().any(|other| other.id == set.id) {
            return Err(not_found(SET, &set.id));
        }
        let findings = set.taken_issuers(&all);
        let groups = [(&set.signing, OidcKeyGroup::AdditionalSet)];
        let change = DocumentChange { who, kind: SET, id: &set.id };
        self.put_keys(change, &set, &groups, new, findings).await
    }

    /// Removes an additional key set.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn delete_additional_key_set(&self, who: &Caller, id: &str) -> Result<(), Error> {
        policy::allow(who, policy::Action::ChangeSettings, policy::Resource::Daemon)?;
        self.remove(DocumentChange { who, kind: SET, id }).await
    }

    /// Keeps a document about groups of keys.
    async fn put_keys<T: Serialize + Sync>(
        &self,
        change: DocumentChange<'_>,
        body: &T,
        groups: &[(&OidcGroup, OidcKeyGroup)],
        new: bool,
        mut findings: Vec<FieldViolation>,
    ) -> Result<(), Error> {
        let mut there = HashMap::new();
        for key in groups.iter().flat_map(|(group, _)| group.values()).flat_map(OidcKeys::keys) {
            if let Some(pair) = self.signing(key).await? {
                there.insert(key.name.clone(), pair);
            }
        }
        findings.extend(group_violations(groups, &there));
        if !findings.is_empty() {
            return Err(Error::refused_all(findings));
        }
        let references: HashSet<RingId> = there.values().filter_map(|pair| pair.ring.clone()).collect();
        let references: Vec<RingId> = references.into_iter().collect();
        let id = change.id.to_owned();
        match self.put(change, body, DocumentReferences { references: &references, new }).await? {
            PutOutcome::Done => Ok(()),
            PutOutcome::NoSuchRing(ring) => {
                // Deleted meanwhile.
                there.remove(ring.name());
                Err(Error::refused_all(group_violations(groups, &there)))
            }
            PutOutcome::Exists => Err(Error::refused(Field::Oidc(OidcField::KeySetId), Reason::IdInUse(id))),
        }
    }

    /// The current key pair that a reference names.
    async fn signing(&self, key: &OidcKey) -> Result<Option<KeyPair>, Error> {
        let Some(ring) = key.ring() else { return Ok(None) };
        Ok(self.store.ring(&ring).await?.into_iter().find(KeyPair::is_current))
    }
}

impl AdditionalKeySet {
    /// Issuers that are named twice, or in another set.
    fn taken_issuers(&self, all: &[Self]) -> Vec<FieldViolation> {
        let others = || all.iter().filter(|other| other.id != self.id);
        let finding = |(n, issuer): (usize, &String)| {
            let other = others().find(|other| other.issuers.contains(issuer));
            let fault = match other {
                Some(other) => SettingFault::IssuerTaken { issuer: issuer.clone(), key_set: other.id.clone() },
                None if self.issuers.iter().take(n).any(|before| before == issuer) => {
                    SettingFault::IssuerTwice(issuer.clone())
                }
                None => return None,
            };
            Some(FieldViolation { field: Field::Oidc(OidcField::Issuer(n)), reason: fault.into() })
        };
        self.issuers.iter().enumerate().filter_map(finding).collect()
    }
}
