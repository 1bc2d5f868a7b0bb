//! SSL settings: which key pairs serve TLS.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Catalog, DocumentChange, DocumentReferences, allow_change, read};
use crate::auth::{Caller, policy};
use crate::store::{DocumentKind, PutOutcome};
use strongroom_domain::error::{Error, ErrorKind, Field, FieldViolation, SettingFault, TlsField, TlsServer};
use strongroom_domain::key::{KeyPair, RingId, RingKind};

const KIND: DocumentKind = DocumentKind::SslSettings;
/// There is but one.
const ID: &str = "default";

/// Which `sslServer:` rings serve TLS; names without the kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SslSettings {
    pub runtime_server: Option<String>,
    pub admin_console: Option<String>,
    pub active_runtime_server: Vec<String>,
    pub active_admin_console: Vec<String>,
}

impl Catalog {
    /// The SSL settings; empty until they were kept once.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn ssl_settings(&self, who: &Caller) -> Result<SslSettings, Error> {
        policy::allow(who, policy::Action::ReadSettings, policy::Resource::Daemon)?;
        self.store.document(KIND, ID).await?.as_ref().map_or_else(|| Ok(SslSettings::default()), read)
    }

    /// References of SSL settings to rings without an Active key, for whoever refuses the settings already.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn unknown_ssl_rings(&self, who: &Caller, settings: &SslSettings) -> Result<Vec<FieldViolation>, Error> {
        allow_change(who, settings.rings())?;
        Ok(settings.unknown(&self.serving_rings(settings).await?.1))
    }

    /// Keeps the SSL settings and gives them as they are kept: a list without ids has the default
    /// alone, an id that is named twice in a list counts once.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid` at a ring that has no Active key, and at a default that is not among
    /// the active ones, where such are named.
    pub async fn put_ssl_settings(&self, who: &Caller, settings: SslSettings) -> Result<SslSettings, Error> {
        allow_change(who, settings.rings())?;
        let (references, missing) = self.serving_rings(&settings).await?;
        let mut violations = settings.unknown(&missing);
        violations.extend(settings.idle());
        if !violations.is_empty() {
            return Err(Error::refused_all(violations));
        }
        let kept = settings.completed();
        let change = DocumentChange { who, kind: KIND, id: ID };
        match self.put(change, &kept, DocumentReferences { references: &references, new: false }).await? {
            PutOutcome::Done => Ok(kept),
            // Deleted meanwhile.
            PutOutcome::NoSuchRing(ring) => {
                Err(Error::refused_all(settings.unknown(&HashSet::from([ring.name().to_owned()]))))
            }
            PutOutcome::Exists => Err(Error::new(ErrorKind::Conflict, "the settings were changed meanwhile")),
        }
    }

    /// The rings that the settings name, and the names without a ring that has an Active key.
    async fn serving_rings(&self, settings: &SslSettings) -> Result<(Vec<RingId>, HashSet<String>), Error> {
        let mut missing = HashSet::new();
        let mut references = Vec::new();
        for (_, name) in settings.places() {
            match self.serving(name).await? {
                Some(ring) => references.push(ring),
                None => drop(missing.insert(name.to_owned())),
            }
        }
        Ok((references, missing))
    }

    /// The ring of a name, if it has a current key.
    async fn serving(&self, name: &str) -> Result<Option<RingId>, Error> {
        let Ok(ring) = RingId::new(RingKind::SslServer, name) else { return Ok(None) };
        let serves = self.store.ring(&ring).await?.iter().any(KeyPair::is_current);
        Ok(serves.then_some(ring))
    }
}

impl SslSettings {
    /// The rings that the settings name.
    fn rings(&self) -> impl Iterator<Item = RingId> {
        self.places().filter_map(|(_, name)| RingId::new(RingKind::SslServer, name).ok())
    }

    /// Every name with its position.
    fn places(&self) -> impl Iterator<Item = (Field, &str)> {
        let defaults = [(TlsServer::Runtime, &self.runtime_server), (TlsServer::AdminConsole, &self.admin_console)];
        let lists =
            [(TlsServer::Runtime, &self.active_runtime_server), (TlsServer::AdminConsole, &self.active_admin_console)];
        let defaults = defaults
            .into_iter()
            .filter_map(|(server, name)| Some((Field::Tls(server, TlsField::Default), name.as_deref()?)));
        let many = lists.into_iter().flat_map(|(server, names)| {
            let place = move |(n, name)| (Field::Tls(server, TlsField::Active(n)), String::as_str(name));
            names.iter().enumerate().map(place)
        });
        defaults.chain(many)
    }

    fn unknown(&self, missing: &HashSet<String>) -> Vec<FieldViolation> {
        let unknown = self.places().filter(|(_, name)| missing.contains(*name)).map(|(field, name)| {
            let fault = SettingFault::NoSuchRing(RingKind::SslServer, name.to_owned());
            FieldViolation { field, reason: fault.into() }
        });
        unknown.collect()
    }

    /// Defaults that are not among the active ones.
    fn idle(&self) -> Vec<FieldViolation> {
        let pairs = [
            (TlsServer::Runtime, &self.runtime_server, &self.active_runtime_server),
            (TlsServer::AdminConsole, &self.admin_console, &self.active_admin_console),
        ];
        let idle = pairs.into_iter().filter_map(|(server, default, active)| {
            let default = default.as_ref().filter(|name| !active.is_empty() && !active.contains(name))?;
            let fault = SettingFault::DefaultNotActive(default.clone());
            Some(FieldViolation { field: Field::Tls(server, TlsField::Default), reason: fault.into() })
        });
        idle.collect()
    }

    fn completed(&self) -> Self {
        let list = |default: &Option<String>, active: &[String]| {
            let mut ids: Vec<String> = Vec::with_capacity(active.len());
            for id in if active.is_empty() { default.as_slice() } else { active } {
                if !ids.contains(id) {
                    ids.push(id.clone());
                }
            }
            ids
        };
        Self {
            active_runtime_server: list(&self.runtime_server, &self.active_runtime_server),
            active_admin_console: list(&self.admin_console, &self.active_admin_console),
            ..self.clone()
        }
    }
}
